"""`--param key=value`: text on the command line, typed as the suite declares it."""

from collections.abc import Mapping, Sequence
from typing import Any

from crosswind.cli.errors import CliError
from crosswind.cli.sources import child, compose
from crosswind.contracts.suites import ParameterType, Scalar

_BOOLEANS = {"true": True, "false": False}


def split_parameters(given: Sequence[str]) -> dict[str, str]:
    """Name and text of each. Raises CliError for one without `=`, or given twice."""
    parameters: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise CliError(f"--param {item!r} is not KEY=VALUE")
        if name in parameters:
            raise CliError(f"--param {name} is given twice")
        parameters[name] = value
    return parameters


def declared_in_text(text: str) -> dict[str, str]:
    """The type of each parameter that a suite's text declares."""
    node = child(compose(text), "spec", "parameters")
    types: dict[str, str] = {}
    for key, value in getattr(node, "value", ()) if node else ():
        kind = child(value, "type")
        types[str(key.value)] = str(kind.value) if kind else ParameterType.STRING.value
    return types


def declared_in_spec(spec: Mapping[str, Any]) -> dict[str, str]:
    """The type of each parameter that a stored suite declares."""
    declared = (spec.get("spec") or {}).get("parameters") or {}
    return {
        name: str(parameter.get("type", ParameterType.STRING.value)) for name, parameter in declared.items()
    }


def typed(parameters: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, Scalar]:
    """Each value as its declared type; what does not fit stays text, for the API to refuse with its reason."""
    return {name: _value(text, declared.get(name)) for name, text in parameters.items()}


def _value(text: str, kind: str | None) -> Scalar:
    try:
        if kind == ParameterType.INTEGER:
            return int(text)
        if kind == ParameterType.NUMBER:
            return float(text)
    except ValueError:
        return text
    return _BOOLEANS.get(text, text) if kind == ParameterType.BOOLEAN else text
