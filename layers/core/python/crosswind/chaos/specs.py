"""From an experiment's text to a ChaosExperiment, or to every fault at once: path, line, what was expected.

The model finds faults of form over the document as it is written; the rules find the rest over the document with its
parameters' defaults in it. Expressions stand in texts only: durations, percentages and bounds are what was reviewed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from crosswind.chaos.raw import mapping
from crosswind.chaos.spec_rules import MAX_SPEC_BYTES, Rules, find_faults
from crosswind.contracts import expressions, spec_text
from crosswind.contracts.chaos.spec import ChaosExperiment, ExperimentSpec
from crosswind.contracts.expressions import PARAMETERS
from crosswind.contracts.faults import Path, field_errors, field_names, path_text, with_suggestions
from crosswind.contracts.parameters import Fault, bind, declaration_faults
from crosswind.contracts.spec_text import Document
from crosswind.contracts.suites import Metadata, Scalar
from crosswind.kernel import json
from crosswind.kernel.errors import FieldError, InvalidInputError

_MOST_FAULTS = 200
_MOST_CHARACTERS = 1024  # of a parameter's text
_SHELLS = frozenset({"-c", "-ec", "-lc", "-e", "--command", "--eval"})


def parse_experiment(text: str | bytes, *, rules: Rules) -> ChaosExperiment:
    """Parse YAML or JSON text.

    Raises:
        InvalidInputError: With every fault.
        TooLargeError: The text is over 1 MiB.
    """
    return _parse(spec_text.read_text(text), rules)


def parse_document(document: Mapping[str, Any], *, rules: Rules) -> ChaosExperiment:
    """The same for a document that was parsed already; faults then have no lines."""
    value = dict(document)
    spec_text.check_value(value)
    return _parse(Document(value), rules)


def to_document(experiment: ChaosExperiment) -> dict[str, Any]:
    """The experiment as the document that `parse_document` reads."""
    made: dict[str, Any] = experiment.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_unset=True
    )
    return made


def spec_digest(spec: ExperimentSpec) -> str:
    """`sha256:…` of a spec as it is stored; what is left to its default and what is written out are the same."""
    return json.digest(spec.model_dump(mode="json", by_alias=True))


def bind_parameters(spec: ExperimentSpec, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The value of every parameter for one run.

    What was reviewed is what runs: a value is the parameter's default, or one of the values in its `enum`. Raises
    InvalidInputError with every fault.
    """
    values, faults = bind(spec.parameters, given, noun="experiment")
    for name, value in values.items():
        declared = spec.parameters[name]
        if declared.enum is None and value != declared.default:
            faults.append(
                FieldError(
                    f"parameters.{name}",
                    "has no `enum`: another value than its default was not reviewed",
                    expected=f"{declared.default!r}, or a new revision",
                )
            )
    if faults:
        raise InvalidInputError("the parameters do not fit the experiment", faults)
    return values


def put_in(spec: ExperimentSpec, values: Mapping[str, Scalar], *, team: str, rules: Rules) -> ExperimentSpec:
    """The spec of one run: every expression replaced, once, and the rules asked again.

    Raises InvalidInputError with every fault.
    """
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    document = {
        "apiVersion": "crosswind.dev/v1",
        "kind": "ChaosExperiment",
        "metadata": Metadata(name="x", team=team).model_dump(mode="json", by_alias=True),
        "spec": _filled(written, values, ()),
    }
    return parse_document(document, rules=rules).spec


def _parse(document: Document, rules: Rules) -> ChaosExperiment:
    found: dict[Path, FieldError] = {}
    experiment = None
    try:
        experiment = ChaosExperiment.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        found = field_errors(error, document.value)
        known = {path[:-1]: field_names(ChaosExperiment, path[:-1], document.value) for path in found if path}
        with_suggestions(found, known)
    formless = set(found)
    for path, message, expected in _rule_faults(document.value, rules):
        if any(path[:length] in formless for length in range(len(path) + 1)):
            continue
        if path not in found:
            found[path] = FieldError(path_text(path), message, expected)
        elif message not in found[path].message:
            found[path] = replace(found[path], message=f"{found[path].message}; {message}")
    if experiment is None or found:
        faults = [replace(fault, line=document.line(path)) for path, fault in found.items()]
        faults.sort(key=lambda fault: fault.line or 0)
        raise InvalidInputError(_sentence(len(faults)), faults[:_MOST_FAULTS])
    return experiment


def _rule_faults(document: object, rules: Rules) -> Iterator[Fault]:
    spec = mapping(mapping(document).get("spec"))
    declared = mapping(spec.get("parameters"))
    open_places = [*_parameters(declared), *_expressions(document, declared)]
    yield from open_places
    values = {
        name: mapping(each)["default"]
        for name, each in declared.items()
        if isinstance(name, str) and isinstance(mapping(each).get("default"), str | int | float | bool)
    }
    if _length(spec, values) > MAX_SPEC_BYTES * 8:
        yield ("spec",), "grows too large once its parameters are put in", f"at most {MAX_SPEC_BYTES} bytes"
        return
    unfilled = {path for path, _, _ in open_places}
    for fault in find_faults({**mapping(document), "spec": _filled(spec, values, ())}, rules):
        if fault[0] not in unfilled:
            yield fault


def _parameters(declared: Mapping[Any, Any]) -> Iterator[Fault]:
    for name, parameter in declared.items():
        path: Path = ("spec", "parameters", name)
        yield from declaration_faults(mapping(parameter), path)
        if isinstance(parameter, Mapping) and parameter.get("default") is None:
            yield (
                (*path, "default"),
                "is required: reviewers see the experiment with its defaults",
                "a value; others that a run may have stand in `enum`",
            )
        for value in (
            (parameter.get("default"), *_choices(parameter)) if isinstance(parameter, Mapping) else ()
        ):
            if isinstance(value, str) and (
                len(value) > _MOST_CHARACTERS or expressions.has_expression(value)
            ):
                yield path, "has a value that is too long or an expression itself", "plain text"


def _choices(parameter: Mapping[Any, Any]) -> list[Any]:
    choices = parameter.get("enum")
    return choices if isinstance(choices, list) else []


def _expressions(document: object, declared: Mapping[Any, Any]) -> Iterator[Fault]:
    expected = "`${{ parameters.NAME }}`"
    for path, text in _strings(document, ()):
        if not expressions.has_expression(text) or path[:2] == ("spec", "parameters"):
            continue
        if path[:1] != ("spec",) or path[-1] is None:
            place = tuple(part for part in path if part is not None)
            yield place, "nothing is substituted here", "a fixed text"
            continue
        for fault in expressions.faults(text, {PARAMETERS: declared.keys()}):
            yield path, fault, expected
        if _in_program(document, path):
            yield (
                path,
                "stands in a program's text, where a value would become code",
                "an argument of its own",
            )


def _strings(value: object, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text with its path; that of a key ends with None."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(key, str):
                yield (*path, key, None), key
            yield from _strings(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strings(each, (*path, index))


def _in_program(document: object, path: tuple[Any, ...]) -> bool:
    """Whether an argument of a command is the text that a shell or an interpreter runs, or the program itself."""
    if len(path) < 2 or path[-2] != "command" or not isinstance(path[-1], int):  # noqa: PLR2004  # field and index
        return False
    command: Any = document
    for part in path[:-1]:
        command = command[part]
    return path[-1] == 0 or command[path[-1] - 1] in _SHELLS


def _length(value: object, values: Mapping[str, Scalar]) -> int:
    return sum(expressions.length(text, {PARAMETERS: values}) for _, text in _strings(value, ()))


def _filled(value: Any, values: Mapping[str, Scalar], path: Path) -> Any:
    """The value with its expressions replaced; declarations of parameters stay as they are."""
    if isinstance(value, str) and expressions.has_expression(value):
        if expressions.faults(value, {PARAMETERS: values}):
            return value  # told of already
        if _is_typed(path):
            return expressions.value_of(value, {PARAMETERS: values})
        return expressions.substitute(value, {PARAMETERS: values})
    if isinstance(value, Mapping):
        return {
            key: each if path == () and key == PARAMETERS else _filled(each, values, (*path, key))
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_filled(each, values, (*path, index)) for index, each in enumerate(value)]
    return value


def _is_typed(path: Path) -> bool:
    """Whether a lone expression becomes a value of its own type here, as it takes numbers and truth values."""
    if path[-2:] == ("tolerance", "value"):
        return True
    return path[-2:-1] == (PARAMETERS,) and path[-3:-2] != ("target",)


def _sentence(count: int) -> str:
    return "the experiment has a fault" if count == 1 else f"the experiment has {count} faults"
