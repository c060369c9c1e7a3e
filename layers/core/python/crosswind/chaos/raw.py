"""Reading documents whose form is not proven yet: what is of the wrong type is read as nothing."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from crosswind.contracts.faults import Path
from crosswind.contracts.parameters import Fault
from crosswind.contracts.suites import duration_seconds

Model = TypeVar("Model", bound=BaseModel)
Piece = tuple[Path, Mapping[str, Any]]


def mapping(value: object) -> Mapping[Any, Any]:
    """The mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def seconds(value: object) -> int:
    """Of a duration; 0 where it is none."""
    return duration_seconds(value) if isinstance(value, str) else 0


def made(model: type[Model], value: object) -> Model | None:
    """The model's value, or None where the document does not have its form."""
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError:
        return None


def duration_fault(value: object, path: Path, *, most: int, least: int = 1) -> Iterator[Fault]:
    """A fault where a duration is out of bounds."""
    if isinstance(value, str) and not least <= duration_seconds(value) <= most:
        yield path, "is out of bounds", f"a duration from {_words(least)} to {_words(most)}"


def _words(count: int) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}s"
