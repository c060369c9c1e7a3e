"""A TestRun: the request that starts it, and what its status and events tell. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crosswind.contracts.custom_resources import ConditionType, CountsView
from crosswind.contracts.requests import RunState, RunView, SubmitRunRequest, VerdictKind
from crosswind.controller.api import run_path
from crosswind.controller.documents import document_of
from crosswind.controller.judging import ACCEPTED, Json, Judgement, was_refused, with_condition

MOST_CHARACTERS = 4096  # of a reason, as the schema has it
_GOOD = frozenset({VerdictKind.PASSED, VerdictKind.SKIPPED, VerdictKind.CANCELLED})
_UNKNOWN = Judgement(
    "Unknown", "NotFound", "the API does not know this run, or does not show it to the controller"
)


@dataclass(frozen=True, slots=True)
class News:
    """A Kubernetes event."""

    type: str
    reason: str
    message: str


def idempotency_key(uid: str) -> str:
    """The same for every handling of one object, so that one object is one run."""
    return f"testrun-{uid}"


def request_of(metadata: Mapping[str, Any], spec: Mapping[str, Any], *, team: str) -> SubmitRunRequest:
    """What is submitted for an object."""
    own = spec.get("spec")
    return SubmitRunRequest(
        spec=document_of("TestSuite", name=_suite_name(metadata), team=team, spec=own) if own else None,
        suite=spec.get("suite"),
        team=None if own else team,
        parameters=dict(spec.get("parameters") or {}),
        priority=spec.get("priority"),
    )


def accepted_status(
    run_id: str, endpoint: str, status: Mapping[str, Any], *, generation: int, now: datetime
) -> Json:
    """The run exists."""
    return {
        "executionId": run_id,
        "state": RunState.ACCEPTED.value,
        "url": f"{endpoint}{run_path(run_id)}",
        "observedGeneration": generation,
        "conditions": with_condition(
            status.get("conditions") or (),
            ConditionType.ACCEPTED,
            ACCEPTED,
            generation=generation,
            now=now,
        ),
    }


def mirrored_status(view: RunView, status: Mapping[str, Any], *, generation: int, now: datetime) -> Json:
    """The run as it is now."""
    told: Json = {"state": view.state.value, "counts": _counts(view)}
    if view.started_at:
        told["startedAt"] = view.started_at
    if view.finished_at:
        told["finishedAt"] = view.finished_at
    if view.verdict:
        told["verdict"] = view.verdict.kind.value
        told["reason"] = view.verdict.reason[:MOST_CHARACTERS]
    told["conditions"] = _finished(status, _progress(view), generation=generation, now=now)
    return told


def unknown_status(status: Mapping[str, Any], *, generation: int, now: datetime) -> Json:
    """The API does not show the run; it may again when the controller's teams are mended."""
    return {"conditions": _finished(status, _UNKNOWN, generation=generation, now=now)}


def changes(status: Mapping[str, Any], told: Mapping[str, Any]) -> Json:
    """What of it is new: without any, nothing is written."""
    return {name: value for name, value in told.items() if status.get(name) != value}


def news_of(status: Mapping[str, Any], view: RunView) -> Sequence[News]:
    """What happened since the status was written."""
    told = []
    if view.verdict is not None and status.get("verdict") != view.verdict.kind.value:
        kind = view.verdict.kind
        told.append(
            News(
                "Normal" if kind in _GOOD else "Warning", kind.value.capitalize(), view.verdict.reason[:1024]
            )
        )
    elif view.state.value != status.get("state"):
        told.append(
            News("Normal", view.state.value.capitalize(), f"run {view.execution_id} is {view.state.value}")
        )
    return told


def is_going_on(status: Mapping[str, Any]) -> bool:
    """Whether there is something to mirror."""
    return bool(status.get("executionId")) and status.get("state") != RunState.FINISHED.value


def may_run(status: Mapping[str, Any]) -> bool:
    """Whether deleting the object has something to cancel: also where a submission's answer was lost, whatever came later."""
    if status.get("executionId"):
        return is_going_on(status)
    return not was_refused(status.get("conditions") or ())


def _suite_name(metadata: Mapping[str, Any]) -> str:
    """What history is kept by: runs that are generated from one manifest belong together."""
    return str(metadata.get("generateName") or metadata["name"]).rstrip("-")


def _counts(view: RunView) -> Json:
    return CountsView.model_validate(view.tests.model_dump()).model_dump(mode="json", by_alias=True)


def _progress(view: RunView) -> Judgement:
    if view.verdict is None or view.state is not RunState.FINISHED:  # a verdict is there a little earlier
        return Judgement("False", view.state.value.capitalize(), "")
    return Judgement("True", view.verdict.kind.value.capitalize(), view.verdict.reason[:MOST_CHARACTERS])


def _finished(
    status: Mapping[str, Any], judgement: Judgement, *, generation: int, now: datetime
) -> list[Json]:
    return with_condition(
        status.get("conditions") or (), ConditionType.FINISHED, judgement, generation=generation, now=now
    )
