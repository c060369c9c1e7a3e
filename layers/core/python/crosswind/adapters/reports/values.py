"""Values of reports in JSON, taken for what they should be: a wrong type is as good as nothing, never an exception."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crosswind.runs.reports import Problem

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)")
_MOST_SECONDS = 10.0**9
_NOTHING: Mapping[str, Any] = {}


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping, or an empty one."""
    return value if isinstance(value, Mapping) else _NOTHING


def sequence(value: object) -> Sequence[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else ()


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """The mappings of a list."""
    return (each for each in sequence(value) if isinstance(each, Mapping))


def text(value: object) -> str:
    """A text without a terminal's colours; numbers as they are written."""
    if isinstance(value, str):
        return _ANSI.sub("", value) if "\x1b" in value else value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def count(value: object) -> int:
    """A count; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return max(0, int(min(value, _MOST_SECONDS)))


def seconds(value: object, *, per: float = 1.0) -> float:
    """A duration in seconds, of a number of which `per` make one; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(value / per, 0.0), _MOST_SECONDS)


def problem(kind: str, message: object, details: object = "", *, type_: object = None) -> Problem:
    """A problem with its texts; the first line of the details is the message where there is no other."""
    said, more = text(message), text(details)
    return Problem(
        kind=kind,
        message=said or more.strip().partition("\n")[0] or None,
        type=text(type_) or None,
        text=more or said,
    )
