"""Why a request can never be right for AWS FIS. Pure: nobody is asked."""

from collections.abc import Iterator

from crosswind.adapters.providers.fis.actions import ACTIONS, POD, FisAction
from crosswind.chaos.providing import FaultRequest
from crosswind.contracts.chaos.spec import TargetSelector
from crosswind.contracts.suites import Scalar

_SHORTEST_SECONDS, _LONGEST_SECONDS = 60.0, 12 * 3600.0
_WHERE_ONLY = frozenset({"clusterIdentifier", "availabilityZoneIdentifier", "vpc", "targetContainerName"})
_POD_PARAMETERS = ("clusterIdentifier", "selectorType", "selectorValue")
_POD_SELECTORS = ("labelSelector", "deploymentName", "podName")
_LONGEST_VALUE = 1024


def faults(request: FaultRequest) -> Iterator[str]:
    """Sentences; none where FIS may be asked."""
    action = ACTIONS.get(request.action)
    if action is None:
        yield f"there is no action {request.action!r}; one of {', '.join(ACTIONS)}"
        return
    selector = request.selector
    if selector.kind not in {None, action.kind}:
        yield f"{action.name} hits `{action.kind}`, not {selector.kind!r}"
    for field in ("names", "labels", "application"):
        if getattr(selector, field):
            yield f"AWS FIS selects by `arns`, `tags` or `parameters`, not by {field}"
    yield from _pods(selector) if action.kind == POD else _resources(selector)
    if action.duration and not _SHORTEST_SECONDS <= request.duration_seconds <= _LONGEST_SECONDS:
        yield f"{action.name} takes one minute to twelve hours, not {request.duration_seconds:g} s"
    yield from _parameters(action, request)


def _pods(selector: TargetSelector) -> Iterator[str]:
    if selector.arns or selector.tags:
        yield "pods are selected by `parameters`; they have no ARNs and no tags"
    missing = [name for name in _POD_PARAMETERS if not selector.parameters.get(name)]
    if missing:
        yield f"the selector would match every pod, or none: tell {', '.join(missing)} in `parameters`"
    elif selector.parameters["selectorType"] not in _POD_SELECTORS:
        yield f"selectorType is one of {', '.join(_POD_SELECTORS)}"
    elif not selector.parameters["selectorValue"].strip("*? "):
        yield "the selector would match every pod of the namespace"
    if selector.namespace is None:
        yield "tell the pods' `namespace`"
    if "namespace" in selector.parameters:
        yield "the namespace is told as `namespace` of the target, not among its parameters"


def _resources(selector: TargetSelector) -> Iterator[str]:
    narrowing = set(selector.parameters) - _WHERE_ONLY
    if not (selector.arns or selector.tags or narrowing):
        yield "the selector would match every resource of its kind; tell `arns` or `tags`"
    if selector.arns and (selector.tags or selector.parameters):
        yield "AWS FIS takes `arns` alone, without tags and parameters"
    if selector.namespace:
        yield "only pods have a namespace"


def _parameters(action: FisAction, request: FaultRequest) -> Iterator[str]:
    known = {each.name: each for each in action.parameters}
    for name, value in request.parameters.items():
        if name == action.duration:
            yield f"{name!r} comes from the fault's `duration`"
        elif name not in known:
            yield f"{action.name} takes no parameter {name!r}; it takes {', '.join(known) or 'none'}"
        elif known[name].type == "integer" and (isinstance(value, bool) or not _is_whole(value)):
            yield f"parameter {name!r} is a whole number from 0 on"
        elif len(str(value)) > _LONGEST_VALUE:
            yield f"parameter {name!r} is longer than {_LONGEST_VALUE} characters"
    for name, parameter in known.items():
        if parameter.required and name not in request.parameters:
            yield f"{action.name} needs the parameter {name!r}"


def _is_whole(value: Scalar) -> bool:
    return isinstance(value, int) and value >= 0
