"""AWS FIS: faults on AWS's own resources and on pods of EKS, in a template and an experiment of FIS for each injection.

What would be hit is asked of FIS itself: a dry run (`actionsMode: skip-all`) resolves the targets in the role that will
hit them and does nothing to them, so it proves the permissions too. FIS keeps durations and stop conditions by itself.
Template and experiment carry the injection's marker as client token and as tag, so that neither is made twice and both
are found again although no answer ever came.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crosswind.adapters.providers.fis import checking, states, templates
from crosswind.adapters.providers.fis.actions import ACTIONS, POD, FisAction
from crosswind.adapters.providers.fis.calls import FisCalls, FisClient, MissingError, QuotaError, RefusedError
from crosswind.adapters.providers.fis.templates import MARKER_TAG, MAX_NAMED, RUN_TAG, STAGE_TAG, FisSetup
from crosswind.chaos.model import Injection, Target
from crosswind.chaos.picking import pick
from crosswind.chaos.providing import Capabilities, FaultRequest, FaultStatus, Preview
from crosswind.contracts.chaos.definitions import Permission
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.errors import DependencyError, ForbiddenError
from crosswind.kernel.json import digest

_PREVIEW_SECONDS = 20.0
_INJECT_SECONDS = 45.0
_STOP_SECONDS = 20.0
_FRESH_SECONDS = 20.0
_POLL_SECONDS = 1.0
_DOLLARS_PER_MINUTE = 0.10  # of one action in one account, as AWS lists it


@dataclass(frozen=True)
class FisProvider:
    """AWS FIS in one account and region.

    Args:
        connect: Makes the client at its first use.
        pause: Waits so many seconds between two looks at an experiment.
        token: A new token for each preview.
        seconds: A clock. The steps of an experiment are previewed one after another and differ in their share only, so
            what a dry run found is taken for all of them for a while.
    """

    connect: Callable[[], FisClient]
    setup: FisSetup
    pause: Callable[[float], None] = time.sleep
    token: Callable[[], str] = secrets.token_hex
    seconds: Callable[[], float] = time.monotonic
    _resolved: dict[str, tuple[float, "_Resolution"]] = field(default_factory=dict)

    def capabilities(self) -> Capabilities:
        views = tuple(action.view() for action in ACTIONS.values())
        return Capabilities(provider=ProviderName.FIS, actions=views, own_time_limit=True)

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        return tuple(checking.faults(request))

    def preview(self, request: FaultRequest) -> Preview:
        faults = self.check(request)
        if faults:
            return Preview(candidates=0, targets=(), compensation={}, problems=faults)
        action = ACTIONS[request.action]
        try:
            resolution = self._resolve_once(request, action)
        except ForbiddenError as error:
            resolution = _Resolution((), problem=str(error), denied=True)
        if resolution.problem:
            return _unresolved(resolution.problem, allowed=not resolution.denied)
        candidates = _candidates(request, action, resolution.found)
        picked = pick(candidates, request.selector, percent=request.percent, dosed=action.dose is not None)
        named = action.kind != POD
        problems = [picked.problem] if picked.problem else []
        if named and len(picked.targets) > MAX_NAMED:
            problems.append(f"AWS FIS hits at most {MAX_NAMED} resources at once, not {len(picked.targets)}")
        selection = templates.selector_values(request.selector, action.kind)
        return Preview(
            candidates=len(candidates),
            targets=picked.targets,
            compensation={"dose": picked.dose, "selection": selection},
            permissions=(
                Permission(
                    name="fis:role", allowed=True, detail="a dry run in the role resolved the targets"
                ),
            ),
            undo=tuple(_undo(action)),
            warnings=tuple(_warnings(action, request, len(candidates), len(picked.targets))),
            problems=tuple(problems),
            cost_dollars=_cost(action, request, len(picked.targets)),
        )

    def inject(self, injection: Injection) -> FaultStatus:
        request, tags = self._template(injection), self._tags(injection)
        try:
            template = self._calls.make_template(request)
            experiment = self._calls.start(template, token=injection.marker, tags=tags)
        except (QuotaError, RefusedError) as error:
            return FaultStatus(FaultState.REFUSED, str(error))
        experiment = self._settled(experiment, while_in=states.BEGINNING, seconds=_INJECT_SECONDS)
        status = states.fault_status(experiment)
        if experiment["state"]["status"] == "completed" and states.began(experiment):
            return FaultStatus(FaultState.ACTIVE, status.detail, status.handle)  # done at once
        return status

    def status(self, injection: Injection) -> FaultStatus:
        experiment = self._find(injection)
        if experiment is None:
            return FaultStatus(FaultState.REMOVED, f"AWS FIS has no experiment {injection.marker}")
        return states.fault_status(experiment)

    def stop(self, injection: Injection) -> None:
        experiment = self._find(injection)
        if experiment is not None:
            if experiment["state"]["status"] in states.GOING_ON:
                self._calls.stop(experiment["id"])
                self._settled(experiment, while_in=states.GOING_ON, seconds=_STOP_SECONDS)
            self._calls.drop_template(experiment["experimentTemplateId"])
            return
        template = self._calls.template_of(injection.marker)
        if template is not None:  # without it nobody can begin any more
            self._calls.drop_template(template)

    def verify_removed(self, injection: Injection) -> FaultStatus:
        experiment = self._find(injection)
        if experiment is None:
            return FaultStatus(FaultState.REMOVED, f"AWS FIS has no experiment {injection.marker}")
        left = states.left(experiment)
        status = states.fault_status(experiment)
        if left:
            return FaultStatus(FaultState.ACTIVE, f"not over: {', '.join(left)}", status.handle)
        return FaultStatus(FaultState.REMOVED, status.detail, status.handle, stopped_by=status.stopped_by)

    @cached_property
    def _calls(self) -> FisCalls:
        return FisCalls(self.connect())

    def _resolve_once(self, request: FaultRequest, action: FisAction) -> "_Resolution":
        """Unless the same was resolved just now. What failed is asked again."""
        selection = templates.selector_values(request.selector, action.kind)
        asked = digest([action.id, selection, sorted(request.parameters.items())])
        at, known = self._resolved.get(asked, (0.0, None))
        if known is not None and self.seconds() - at < _FRESH_SECONDS:
            return known
        found = self._resolve(request, action)
        self._resolved.clear()
        if not found.problem:
            self._resolved[asked] = (self.seconds(), found)
        return found

    def _resolve(self, request: FaultRequest, action: FisAction) -> "_Resolution":
        """A dry run in a template of its own, which is gone afterwards."""
        token = f"preview-{self.token()}"
        tags = {STAGE_TAG: self.setup.stage, RUN_TAG: request.run_id}
        selection = templates.selector_values(request.selector, action.kind)
        wanted = templates.template(
            self.setup,
            action,
            token=token,
            description=f"Crosswind preview of {request.fault}: nothing is injected",
            targets=templates.matching_targets(selection, action.kind, mode="ALL"),
            parameters=self._parameters(action, request, dose=100.0),
            tags=tags,
        )
        wanted["experimentOptions"]["emptyTargetResolutionMode"] = "skip"  # no target is an answer here
        template = self._calls.make_template(wanted)
        try:
            experiment = self._calls.start(template, token=token, tags=tags, dry_run=True)
            experiment = self._settled(experiment, while_in=states.GOING_ON, seconds=_PREVIEW_SECONDS)
            status = experiment["state"]["status"]
            if status in states.GOING_ON:
                self._calls.stop(experiment["id"])
                raise DependencyError(
                    f"AWS FIS did not resolve the targets within {_PREVIEW_SECONDS:g} s: {status}"
                )
            if status != "completed":
                return _Resolution((), states.told(experiment), denied=states.denied(experiment))
            return _Resolution(self._calls.resolved(experiment["id"]))
        finally:
            self._calls.drop_template(template)

    def _template(self, injection: Injection) -> dict[str, Any]:
        action = ACTIONS[injection.action]
        if action.kind == POD:
            selection = injection.compensation["selection"]
            mode = f"COUNT({len(injection.targets)})"
            targets = templates.matching_targets(selection, action.kind, mode=mode)
        else:
            targets = templates.named_targets(injection.targets, action.kind)
        return templates.template(
            self.setup,
            action,
            token=injection.marker,
            description=f"Crosswind {injection.run_id}, step {injection.step}: {injection.fault}",
            targets=targets,
            parameters=self._parameters(action, injection, dose=float(injection.compensation["dose"])),
            tags=self._tags(injection),
        )

    def _parameters(
        self, action: FisAction, asked: FaultRequest | Injection, *, dose: float
    ) -> dict[str, str]:
        return templates.action_parameters(
            action, asked.parameters, seconds=asked.duration_seconds, dose=dose
        )

    def _tags(self, injection: Injection) -> dict[str, str]:
        return {
            STAGE_TAG: self.setup.stage,
            RUN_TAG: injection.run_id,
            MARKER_TAG: injection.marker,
        }

    def _find(self, injection: Injection) -> dict[str, Any] | None:
        """By the handle, else by the marker."""
        known = injection.handle.get("experiment")
        if known:
            try:
                return self._calls.get(str(known))
            except MissingError:
                return None
        found = self._calls.experiment_of(injection.marker)
        return self._calls.get(found) if found else None

    def _settled(
        self, experiment: Mapping[str, Any], *, while_in: frozenset[str], seconds: float
    ) -> dict[str, Any]:
        """Look again and again until it is in another state, or for so long."""
        current = dict(experiment)
        for _ in range(int(seconds / _POLL_SECONDS)):
            if current["state"]["status"] not in while_in:
                break
            self.pause(_POLL_SECONDS)
            current = self._calls.get(current["id"])
        return current


@dataclass(frozen=True, slots=True)
class _Resolution:
    """What a dry run found, or why it could not."""

    found: Sequence[Mapping[str, str]]
    problem: str | None = None
    denied: bool = False


def _unresolved(problem: str, *, allowed: bool) -> Preview:
    return Preview(
        candidates=0,
        targets=(),
        compensation={},
        permissions=(Permission(name="fis:role", allowed=allowed, detail=problem[:500]),),
        problems=(problem,),
    )


def _candidates(request: FaultRequest, action: FisAction, found: Sequence[Mapping[str, str]]) -> list[Target]:
    """Resources by their ARNs. Pods have other names after each deployment, so they are counted within their selector."""
    if action.kind != POD:
        arns = sorted({_identity(each) for each in found})
        return [_target(action.kind, arn, name=arn.rsplit(":", 1)[-1]) for arn in arns]
    where, namespace = request.selector.parameters, request.selector.namespace
    selection = f"{where['clusterIdentifier']}/{namespace}/{where['selectorValue']}"
    names = sorted(_identity(each) for each in found)
    return [
        _target(POD, f"{selection}#{number}", name=name, namespace=namespace)
        for number, name in enumerate(names, 1)
    ]


def _identity(information: Mapping[str, str]) -> str:
    for key, value in information.items():
        if key.lower().endswith("arn") or key.lower() == "podname":
            return value
    return "/".join(information[key] for key in sorted(information))


def _target(kind: str, target_id: str, *, name: str, namespace: str | None = None) -> Target:
    return Target(provider=ProviderName.FIS, kind=kind, id=target_id, name=name, namespace=namespace)


def _undo(action: FisAction) -> Iterator[str]:
    if action.reversible:
        yield "stop the experiment of AWS FIS, which takes back what it did; at the latest it ends by its own duration"
    else:
        yield f"{action.title.lower()} is not taken back: the platform brings back what was hit, and FIS is asked that its experiment is over"


def _warnings(action: FisAction, request: FaultRequest, candidates: int, picked: int) -> Iterator[str]:
    if action.kind == POD and picked < candidates:
        yield f"AWS FIS picks {picked} of the {candidates} pods anew when it injects"
    if action.dose and action.dose in request.parameters and request.percent < 100:  # noqa: PLR2004  # percent
        yield f"the step's {request.percent:g}% are taken of the {action.dose} that is told"
    if not action.reversible:
        yield f"{action.name} cannot be taken back, only waited for"


def _cost(action: FisAction, request: FaultRequest, targets: int) -> float:
    groups = 1 if action.kind == POD else -(-targets // templates.MAX_ARNS)
    minutes = max(1.0, request.duration_seconds / 60) if action.duration else 1.0
    return round(groups * minutes * _DOLLARS_PER_MINUTE, 2)
