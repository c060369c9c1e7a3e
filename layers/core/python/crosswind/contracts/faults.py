"""Pydantic's errors in plain words: path with camelCase names and indexes, what is wrong, what was expected."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from crosswind.kernel.errors import FieldError

Path = tuple[str | int, ...]

UNKNOWN_FIELD = "there is no such field"
_FIXED = {
    "missing": "is required",
    "extra_forbidden": UNKNOWN_FIELD,
    "union_tag_not_found": "has no `type`",
}
_FORMS = {
    r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$": "lower-case letters, digits, `-` and `.`, at most 63 characters, such as `api-tests`",
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": "lower-case letters, digits and `-`, at most 63 characters, such as `payments`",
    r"^[A-Za-z_][A-Za-z0-9_]{0,127}$": "a variable's name: letters, digits and `_`, no digit first",
    r"^(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,6}s)?$": "a duration such as `90s`, `30m` or `1h30m`",
    r"^sha256:[0-9a-f]{64}$": "`sha256:` and 64 hexadecimal digits",
    r"^\s*\$\{\{": "a formula such as `${{ split(parameters.browsers) }}`",
    r"^[0-9a-f]{7,64}$": "7 to 64 hexadecimal digits in lower case",
    r"^[a-z0-9]([-a-z0-9*]{0,61}[a-z0-9*])?$": "a namespace: lower-case letters, digits and `-`, at most 63 characters",
    r"^arn:[^\s*]+$": "an ARN, without `*`",
    r"^[^\x00-\x1f\x7f]+$": "text without control characters",
    r"^[1-9][0-9]{0,5}(Mi|Gi)$": "an amount such as `512Mi` or `2Gi`",
}
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
    "too_long": ("max_length", "at most {} items"),
    "too_short": ("min_length", "at least {} items"),
    "string_too_long": ("max_length", "at most {} characters"),
    "string_too_short": ("min_length", "at least {} characters"),
}
_SHOWN = 60
_MOST = 200


def path_text(path: Sequence[str | int]) -> str:
    """`spec.stages[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def field_errors(error: ValidationError, document: Any) -> dict[Path, FieldError]:
    """One fault per place, in the order of the model; alternatives of a union become one."""
    found: dict[Path, FieldError] = {}
    for detail in error.errors(include_url=False)[:_MOST]:
        if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
            continue  # its items are wrong, and are told of; there are enough of them
        path = _place(detail["loc"], document, missing=detail["type"] == "missing")
        message, expected = _words(detail)
        known = found.get(path)
        if known is None:
            found[path] = FieldError(path=path_text(path), message=message, expected=expected)
        elif expected and known.expected and expected not in known.expected:
            found[path] = FieldError(known.path, known.message, expected=f"{known.expected}, or {expected}")
    return found


def with_suggestions(found: dict[Path, FieldError], known_fields: Mapping[Path, Sequence[str]]) -> None:
    """Add `did you mean` to unknown fields, from the names that a place knows."""
    for path, error in found.items():
        names = known_fields.get(path[:-1])
        close = difflib.get_close_matches(str(path[-1]), names, n=1) if names and path else []
        if close and error.message == UNKNOWN_FIELD:
            found[path] = FieldError(
                error.path, f"{UNKNOWN_FIELD}; did you mean `{close[0]}`?", error.expected
            )


def field_names(model: type[BaseModel], path: Path, document: Any) -> tuple[str, ...]:
    """The names of the fields that a place of a model's document has; none where names are free."""
    places: list[Any] = [model]
    here = document
    for part in path:
        places = [below for place in places for below in _below(place, part)]
        here = here[part] if _holds(here, part) else None
    models = [each for place in places for each in _alternatives(place) if _is_model(each)]
    tagged = [each for each in models if _has_tag(each, here)]
    fields = (field for each in (tagged or models)[:1] for field in each.model_fields.items())
    return tuple(field.alias or name for name, field in fields)


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    for each in _alternatives(annotation):
        if _is_model(each):
            yield from (
                field.annotation for name, field in each.model_fields.items() if (field.alias or name) == part
            )
        elif get_origin(each) in {tuple, list} and isinstance(part, int):
            yield get_args(each)[0]
        elif get_origin(each) is dict:
            yield get_args(each)[1]


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _alternatives(each)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_tag(model: type[BaseModel], document: Any) -> bool:
    """Whether the document's `type` is that of this member of a tagged union."""
    field = model.model_fields.get("type")
    tag = document.get("type") if isinstance(document, Mapping) else None
    return field is not None and get_origin(field.annotation) is Literal and tag in get_args(field.annotation)


def _place(location: Sequence[str | int], document: Any, *, missing: bool) -> Path:
    """The location without the names of union members and other words that pydantic puts in."""
    path: list[str | int] = []
    here: Any = document
    for part in location:
        if _holds(here, part):
            here = here[part]
        elif not (missing and part == location[-1]):
            continue
        path.append(part)
    return tuple(path)


def _holds(value: object, part: str | int) -> bool:
    if isinstance(value, list | tuple):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _words(detail: Any) -> tuple[str, str | None]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _FIXED:
        return _FIXED[kind], None
    shown = _shown(detail.get("input"))
    if kind in _KINDS:
        return f"{shown} does not fit here", _KINDS[kind]
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        values = context.get("expected", context.get("expected_tags"))
        return f"{_shown(context.get('tag', detail.get('input')))} is not one of the values", re.sub(
            "'", "`", str(values)
        )
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return f"{shown} does not have the right form", _FORMS.get(pattern, f"the form {pattern}")
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return "is out of bounds", words.format(context.get(name))
    return str(detail["msg"]), None


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
