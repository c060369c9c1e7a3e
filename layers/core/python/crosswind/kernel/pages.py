"""Pages that need nothing else: templates beside the code, everything escaped, and text that XML can hold."""

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@cache
def template(package: str, name: str) -> "Template":
    """A template of a package. What is put into it is escaped; a name that it does not know is an error."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # only where a page is made

    text = resources.files(package).joinpath(name).read_text("utf-8")
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text)


def xml_text(text: str) -> str:
    """Without what XML cannot hold; each such character is shown as a replacement character."""
    return _NOT_XML.sub("\ufffd", text)


def whole_text(text: str) -> str:
    """Without halves of surrogate pairs, which no encoding can hold."""
    return _SURROGATE.sub("\ufffd", text)
