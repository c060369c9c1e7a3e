"""Rules of a single fault: its provider, what the provider's action takes, and whom the selector reaches."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.chaos.providing import FaultRequest, Provider, Providers
from crosswind.chaos.raw import made, mapping, seconds
from crosswind.chaos.selectors import namespace_refusal, namespaces_of, radius_faults, selector_faults
from crosswind.chaos.spec_context import Context
from crosswind.contracts.chaos.definitions import ActionView, ParameterView
from crosswind.contracts.chaos.spec import BlastRadius, ProviderName, Risk, TargetSelector
from crosswind.contracts.faults import Path
from crosswind.contracts.parameters import Fault, fits
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import InvalidInputError

NOT_BUILT = {
    ProviderName.LITMUS: "LitmusChaos comes with a later release",
    ProviderName.GREMLIN: "Gremlin comes with a later release",
    ProviderName.ISTIO: "Istio comes with a later release",
}
_ANY_RUN = f"exp-{'0' * 26}"
_TYPED = {"integer", "number", "boolean"}
_STAND_INS: Mapping[str, Scalar] = {"integer": 1, "number": 1, "boolean": True, "string": "x"}


def fault_faults(
    fault: Mapping[str, Any], path: Path, radius: Mapping[str, Any], context: Context, risk: object
) -> Iterator[Fault]:
    """Everything that is wrong with one fault."""
    selector = made(TargetSelector, fault.get("target"))
    if selector is not None:
        for field, message, expected in selector_faults(selector):
            yield _below(path, field), message, expected
        bounds = made(BlastRadius, radius)
        if bounds is not None:
            for field, message, expected in radius_faults(selector, bounds):
                yield _below(path, field), message, expected
        yield from _namespaces(selector, fault, path, bounds, context)
    yield from _provider(fault, selector, path, context, risk)


def _namespaces(
    selector: TargetSelector,
    fault: Mapping[str, Any],
    path: Path,
    bounds: BlastRadius | None,
    context: Context,
) -> Iterator[Fault]:
    for place, namespace in namespaces_of(selector, mapping(fault.get("parameters"))).items():
        reason = namespace_refusal(
            namespace,
            team=context.team,
            radius=bounds.namespaces if bounds else None,
            policy=context.policy,
        )
        if reason:
            yield (*path, *place.split(".", 2)), reason, "a namespace of the team's own"


def _provider(
    fault: Mapping[str, Any],
    selector: TargetSelector | None,
    path: Path,
    context: Context,
    risk: object,
) -> Iterator[Fault]:
    name = fault.get("provider")
    if name not in tuple(ProviderName):
        return
    built = ", ".join(each.value for each in ProviderName if each not in NOT_BUILT)
    if name in NOT_BUILT:
        yield (*path, "provider"), f"is not built yet: {NOT_BUILT[ProviderName(name)]}", f"one of: {built}"
        return
    if context.providers is None:
        return
    try:
        provider = context.providers.get(ProviderName(name))
    except InvalidInputError as error:
        yield (*path, "provider"), str(error), _available(context.providers)
        return
    action = next((each for each in _actions(provider) if each.action == fault.get("action")), None)
    if action is None:
        yield from _unknown_action(fault.get("action"), provider, path)
        return
    if not action.reversible and risk == Risk.LOW:
        yield (
            (*path, "action"),
            f"{action.action} cannot be taken back, only waited for, so the risk is not low",
            "`risk: medium` or `risk: high`",
        )
    yield from _kind(selector, action, path)
    yield from _parameters(mapping(fault.get("parameters")), action, path)
    if selector is not None:
        yield from _asked(provider, fault, selector, action, path, context)


def ends_by_itself(name: object, providers: Providers) -> bool:
    """Whether a provider ends its faults after their duration; of one that is not known here nothing is said."""
    try:
        return providers.get(ProviderName(str(name))).capabilities().own_time_limit
    except (InvalidInputError, ValueError):
        return True


def _asked(
    provider: Provider,
    fault: Mapping[str, Any],
    selector: TargetSelector,
    action: ActionView,
    path: Path,
    context: Context,
) -> Iterator[Fault]:
    """What the provider itself says, asked about the parts that are not known to be wrong."""
    known_kind = selector.kind is None or selector.kind in action.kinds
    requests = (
        FaultRequest(
            run_id=_ANY_RUN,
            step=1,
            fault=str(fault.get("name")),
            action=action.action,
            selector=selector if known_kind else selector.model_copy(update={"kind": action.kinds[0]}),
            parameters=_usable(mapping(fault.get("parameters")), action),
            percent=percent,
            duration_seconds=seconds(fault.get("duration")) or 1,
            environment=context.environment,
            team=context.team,
        )
        for percent in context.percents
    )
    for sentence in dict.fromkeys(each for request in requests for each in provider.check(request)):
        yield path, sentence, None


def _unknown_action(action: object, provider: Provider, path: Path) -> Iterator[Fault]:
    if not isinstance(action, str):
        return
    names = [each.action for each in _actions(provider)]
    message = f"{provider.capabilities().provider.value} has no action `{action}`"
    yield (*path, "action"), f"{message}{_close(action, names)}", f"one of: {', '.join(names)}"


def _kind(selector: TargetSelector | None, action: ActionView, path: Path) -> Iterator[Fault]:
    if selector is not None and selector.kind is not None and selector.kind not in action.kinds:
        yield (
            (*path, "target", "kind"),
            f"{action.action} hits no `{selector.kind}`",
            f"one of: {', '.join(action.kinds)}",
        )


def _parameters(given: Mapping[str, Any], action: ActionView, path: Path) -> Iterator[Fault]:
    known = {each.name: each for each in action.parameters}
    for name, value in given.items():
        place = (*path, "parameters", name)
        if name not in known:
            yield (
                place,
                f"{action.action} takes no such parameter{_close(name, list(known))}",
                f"one of: {', '.join(known)}" if known else "none",
            )
        elif not _right(value, known[name]):
            yield place, f"{value!r} does not fit here", _expected(known[name])
    for name, parameter in known.items():
        if parameter.required and given.get(name) is None:
            yield (*path, "parameters", name), f"is required by {action.action}", _expected(parameter)


def _usable(given: Mapping[str, Any], action: ActionView) -> dict[str, Scalar]:
    """The parameters as far as they are right, and stand-ins for those that are needed."""
    usable: dict[str, Scalar] = {}
    for parameter in action.parameters:
        value = given.get(parameter.name)
        if value is not None and _right(value, parameter):
            usable[parameter.name] = value
        elif parameter.required:
            usable[parameter.name] = _STAND_INS.get(parameter.type, "x")
    return usable


def _right(value: object, parameter: ParameterView) -> bool:
    return parameter.type not in _TYPED or fits(value, parameter.type)


def _expected(parameter: ParameterView) -> str:
    unit = f" ({parameter.unit})" if parameter.unit else ""
    return f"a value of type {parameter.type}{unit}"


def _close(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _actions(provider: Provider) -> tuple[ActionView, ...]:
    return provider.capabilities().actions


def _available(providers: Providers) -> str:
    return f"one of: {', '.join(each.value for each in providers.available()) or 'none is configured here'}"


def _below(path: Path, field: str) -> Path:
    parts: list[str | int] = [int(part) if part.isdecimal() else part for part in field.split(".", 1) if part]
    return (*path, "target", *parts)
