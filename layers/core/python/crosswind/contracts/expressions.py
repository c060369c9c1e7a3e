"""`${{ parameters.NAME }}` and `${{ matrix.NAME }}` in a suite's texts."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from crosswind.contracts.suites import Scalar

PARAMETERS: Final = "parameters"
MATRIX: Final = "matrix"
_OPENING = "${{"
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_REFERENCE = re.compile(r"\s*(parameters|matrix)\.([a-z0-9](?:[-a-z0-9.]{0,61}[a-z0-9])?)\s*")

Names = Mapping[str, Collection[str]]


def has_expression(text: str) -> bool:
    """Whether anything would be substituted."""
    return _OPENING in text


def faults(text: str, known: Names) -> list[str]:
    """What is wrong with the expressions of a text, as sentences. `known` has the names of parameters and matrix."""
    found = []
    expressions = _EXPRESSION.findall(text)
    if text.count(_OPENING) != len(expressions):
        found.append("has `${{` without its `}}`")
    for inner in expressions:
        match = _REFERENCE.fullmatch(inner)
        if match is None:
            found.append(f"`{inner.strip()[:60]}` is neither `parameters.NAME` nor `matrix.NAME`")
        elif match[2] not in known.get(match[1], ()):
            found.append(f"there is no {_noun(match[1])} `{match[2]}`")
    return found


def substitute(text: str, values: Mapping[str, Mapping[str, Scalar]]) -> str:
    """The text with every expression replaced, once: a value that looks like an expression stays as it is."""

    def value(match: re.Match[str]) -> str:
        reference = _REFERENCE.fullmatch(match[1])
        if reference is None:
            raise ValueError(f"{match[0]} was not validated")
        return as_text(values[reference[1]][reference[2]])

    return _EXPRESSION.sub(value, text)


def value_of(text: str, values: Mapping[str, Mapping[str, Scalar]]) -> Scalar:
    """The same, but a text that is one expression and nothing else becomes its value, type and all."""
    match = _EXPRESSION.fullmatch(text.strip())
    reference = _REFERENCE.fullmatch(match[1]) if match else None
    return values[reference[1]][reference[2]] if reference else substitute(text, values)


def length(text: str, values: Mapping[str, Mapping[str, Scalar]]) -> int:
    """How many characters `substitute` would give, without giving them; what is not known stays as it is."""
    grown = len(text)
    for match in _EXPRESSION.finditer(text):
        reference = _REFERENCE.fullmatch(match[1])
        if reference is not None and reference[2] in values.get(reference[1], {}):
            grown += len(as_text(values[reference[1]][reference[2]])) - len(match[0])
    return grown


def as_text(value: Scalar) -> str:
    """A value as a text holds it: `true` and `false` as YAML writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _noun(namespace: str) -> str:
    return "parameter" if namespace == PARAMETERS else "matrix value"
