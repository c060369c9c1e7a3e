"""Templates: whole experiments with open places, and how they are filled.

A value is put into the parsed document, never into its text: it stays one value whatever it holds, and what comes out is
checked like any other experiment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import Field

from crosswind.contracts import expressions, spec_text
from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.definitions import ParameterView, TemplateView
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.contracts.expressions import PARAMETERS
from crosswind.contracts.parameters import bind
from crosswind.contracts.suites import Name, Parameter, Scalar
from crosswind.kernel.errors import FieldError, InvalidInputError, NotFoundError

_FOLDER = "templates"
_LONGEST = 512


class TemplateParameter(Parameter):
    """An open place. Without a default it has to be given; the example stands for it where the template is shown."""

    example: Scalar | None = None
    unit: str | None = None


class _Head(WireModel):
    title: str
    provider: ProviderName
    description: str
    parameters: dict[Name, TemplateParameter]


class _File(WireModel):
    template: _Head
    experiment: dict[str, Any] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Template:
    """One template, with what every template has open: name, team and environment."""

    name: str
    title: str
    provider: ProviderName
    description: str
    parameters: Mapping[str, TemplateParameter]
    document: Mapping[str, Any]  # the experiment with its open places


@cache
def templates() -> tuple[Template, ...]:
    """Every template, by provider and name."""
    files = resources.files("crosswind.chaos").joinpath(_FOLDER).iterdir()
    found = [
        _read(each.name.removesuffix(".yaml"), each.read_text("utf-8"))
        for each in files
        if each.name.endswith(".yaml")
    ]
    order = list(ProviderName)
    return tuple(sorted(found, key=lambda each: (order.index(each.provider), each.name)))


def template(name: str) -> Template:
    """One template. Raises NotFoundError."""
    for each in templates():
        if each.name == name:
            return each
    known = ", ".join(each.name for each in templates())
    raise NotFoundError(f"there is no template {name!r}; there are {known}")


def render(chosen: Template, given: Mapping[str, Scalar]) -> dict[str, Any]:
    """The experiment as a document, to be parsed. Raises InvalidInputError with every fault of the values."""
    values, faults = bind(chosen.parameters, given, noun="template")
    faults += [fault for name, value in values.items() for fault in _unfit(name, value)]
    if faults:
        raise InvalidInputError(f"the values do not fit the template {chosen.name}", faults)
    return _filled(chosen, values)


def shown(chosen: Template) -> dict[str, Any]:
    """The experiment with examples for what has no default."""
    values: dict[str, Scalar] = {}
    for name, parameter in chosen.parameters.items():
        value = parameter.example if parameter.default is None else parameter.default
        values[name] = name if value is None else value
    return _filled(chosen, values)


def to_yaml(document: Mapping[str, Any]) -> str:
    """The document as a person would write it; what is read again from it is the same."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=110)


def view(chosen: Template, *, whole: bool = False) -> TemplateView:
    """As the API shows it; whole: with its document."""
    return TemplateView(
        name=chosen.name,
        title=chosen.title,
        provider=chosen.provider,
        description=chosen.description,
        parameters=tuple(
            ParameterView(
                name=name,
                type=parameter.type.value,
                required=parameter.default is None,
                default=parameter.default,
                unit=parameter.unit,
                description=parameter.description,
            )
            for name, parameter in chosen.parameters.items()
        ),
        document=to_yaml(shown(chosen)) if whole else None,
    )


def _read(name: str, text: str) -> Template:
    file = _File.model_validate(spec_text.read_text(text).value)
    head = file.template
    environment = "staging" if head.provider is ProviderName.FIS else "local"
    common = {
        "name": TemplateParameter(default=name, description="The experiment's name."),
        "team": TemplateParameter(example="demo", description="The team that owns it."),
        "environment": TemplateParameter(default=environment, description="Where it runs."),
    }
    return Template(
        name=name,
        title=head.title,
        provider=head.provider,
        description=head.description,
        parameters=common | head.parameters,
        document=file.experiment,
    )


def _unfit(name: str, value: Scalar) -> list[FieldError]:
    path = f"parameters.{name}"
    if not isinstance(value, str):
        return []
    if expressions.has_expression(value):
        return [FieldError(path, "holds an expression", "a plain value")]
    if not value.isprintable() or len(value) > _LONGEST:
        return [
            FieldError(path, "is too long or holds a control character", f"a line of {_LONGEST} characters")
        ]
    return []


def _filled(chosen: Template, values: Mapping[str, Scalar]) -> dict[str, Any]:
    document: dict[str, Any] = _put_in(chosen.document, {PARAMETERS: values})
    return document


def _put_in(value: Any, values: Mapping[str, Mapping[str, Scalar]]) -> Any:
    if isinstance(value, str) and expressions.has_expression(value):
        return expressions.value_of(value, values)
    if isinstance(value, Mapping):
        return {key: _put_in(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_put_in(each, values) for each in value]
    return value
