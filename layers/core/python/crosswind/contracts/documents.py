"""From a document that a person wrote to its model, or to every fault at once: path, line, what was expected.

The model finds faults of form; a kind's own rules find what no model can say, over the raw document, so that both are told
together. What a rule needs and does not find, it leaves to the model.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from crosswind.contracts import spec_text
from crosswind.contracts.base import WireModel
from crosswind.contracts.faults import Path, field_errors, field_names, path_text, with_suggestions
from crosswind.contracts.spec_text import Document
from crosswind.kernel.errors import FieldError, InvalidInputError, TooLargeError

Fault = tuple[Path, str, str | None]
"""Where, what is wrong, and what was expected there."""

_MOST_FAULTS = 200
_Model = TypeVar("_Model", bound=WireModel)


def read_bounded(text: str | bytes, *, noun: str, most_bytes: int) -> Document:
    """The document of a text. Raises InvalidInputError, and TooLargeError for one that is over the bound."""
    size = len(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    if size > most_bytes:
        raise TooLargeError(f"a {noun} has at most {most_bytes} bytes; this one has {size}")
    return spec_text.read_text(text)


def model_of(document: Document, model: type[_Model], *, noun: str, ruled: Iterable[Fault] = ()) -> _Model:
    """The model of a document. `ruled` has the faults that the kind's own rules found.

    Raises:
        InvalidInputError: With every fault, by line.
    """
    found: dict[Path, FieldError] = {}
    made = None
    try:
        made = model.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        found = field_errors(error, document.value)
        names = {path[:-1]: field_names(model, path[:-1], document.value) for path in found if path}
        with_suggestions(found, names)
    others = [
        (path, FieldError(path_text(path), message, expected))
        for path, message, expected in ruled
        if path not in found
    ]
    if made is not None and not found and not others:
        return made
    faults = [replace(fault, line=document.line(path)) for path, fault in (*found.items(), *others)]
    faults.sort(key=lambda fault: fault.line or 0)
    what = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise InvalidInputError(f"the {noun} has {what}", faults[:_MOST_FAULTS])


def document_of(model: WireModel) -> dict[str, Any]:
    """The model as the document that it was made from: fields that nobody set are left out."""
    made: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    return made
