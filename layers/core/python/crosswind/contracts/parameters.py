"""Typed parameters of suites and experiments: what is wrong with a declaration, and the value of each for one use."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.contracts.expressions import as_text
from crosswind.contracts.faults import Path
from crosswind.contracts.suites import Parameter, ParameterType, Scalar
from crosswind.kernel.errors import FieldError

Fault = tuple[Path, str, str | None]


def fits(value: object, kind: str) -> bool:
    """Whether a value is of a parameter's type. A text that looks like a number is a text."""
    if kind == ParameterType.BOOLEAN:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == ParameterType.INTEGER:
        return isinstance(value, int)
    if kind == ParameterType.NUMBER:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, str)


def same(one: Scalar, other: Scalar) -> bool:
    """Equal, and not only because Python takes true for 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def declaration_faults(parameter: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    """What is wrong with a declaration as it is written."""
    kind = parameter.get("type", ParameterType.STRING.value)
    if kind not in tuple(ParameterType):
        return
    choices = parameter.get("enum")
    listed = choices if isinstance(choices, list) else []
    for index, choice in enumerate(listed):
        if not fits(choice, kind):
            yield (*path, "enum", index), f"{choice!r} is not of the parameter's type", str(kind)
    default = parameter.get("default")
    if default is None:
        return
    if not fits(default, kind):
        yield (*path, "default"), f"{default!r} is not of the parameter's type", f"{kind}{_quote_hint(kind)}"
    elif listed and not any(same(default, choice) for choice in listed):
        yield (*path, "default"), f"{default!r} is not one of the values in `enum`", None


def bind(
    declared: Mapping[str, Parameter], given: Mapping[str, Scalar], *, noun: str
) -> tuple[dict[str, Scalar], list[FieldError]]:
    """The value of every parameter, and every fault. `noun` is what declares them, such as `suite`."""
    faults = [_unknown(name, declared, noun) for name in given if name not in declared]
    values: dict[str, Scalar] = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        fault = _value_fault(name, parameter, value)
        if fault:
            faults.append(fault)
        elif value is not None:
            values[name] = value
    return values, faults


def _unknown(name: str, declared: Mapping[str, Parameter], noun: str) -> FieldError:
    known = ", ".join(declared) or "it has none"
    return FieldError(f"parameters.{name}", f"the {noun} has no such parameter", expected=f"one of: {known}")


def _value_fault(name: str, parameter: Parameter, value: Scalar | None) -> FieldError | None:
    path = f"parameters.{name}"
    if value is None:
        return FieldError(path, "is required and has no default", expected=parameter.type.value)
    if not fits(value, parameter.type):
        return FieldError(path, f"{value!r} is not of the parameter's type", expected=parameter.type.value)
    if isinstance(value, str) and "\0" in value:
        return FieldError(path, "holds a character that no command line may hold (NUL)")
    if parameter.enum and not any(same(value, choice) for choice in parameter.enum):
        choices = ", ".join(as_text(choice) for choice in parameter.enum)
        return FieldError(path, f"{value!r} is not allowed", expected=f"one of: {choices}")
    return None


def _quote_hint(kind: str) -> str:
    return "; quote it to make it text" if kind == ParameterType.STRING else ""
