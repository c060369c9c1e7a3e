"""What a state of an AWS FIS experiment says of a fault. Pure."""

from collections.abc import Mapping
from typing import Any

from crosswind.chaos.providing import FaultStatus
from crosswind.contracts.chaos.lifecycle import FaultState

BEGINNING = frozenset({"pending", "initiating"})
GOING_ON = BEGINNING | {"running", "stopping"}
ENDED = frozenset({"completed", "stopped", "failed", "cancelled"})

Experiment = Mapping[str, Any]


def fault_status(experiment: Experiment) -> FaultStatus:
    """The fault as FIS sees it. An experiment that ended before any action began never hit anything."""
    status = str(experiment["state"]["status"])
    handle = {"experiment": experiment["id"], "template": experiment["experimentTemplateId"]}
    detail = told(experiment)
    if status in BEGINNING:
        return FaultStatus(FaultState.INJECTING, detail, handle)
    if status in {"running", "stopping"}:
        return FaultStatus(FaultState.ACTIVE, detail, handle, stopped_by=stopped_by(experiment))
    if began(experiment):
        return FaultStatus(
            FaultState.REMOVED,
            detail,
            handle,
            stopped_by=stopped_by(experiment),
            failed=status == "failed",
        )
    return FaultStatus(FaultState.REFUSED, detail, handle, stopped_by=stopped_by(experiment))


def began(experiment: Experiment) -> bool:
    """Whether any action hit a target."""
    return any(
        action.get("startTime") is not None and action["state"]["status"] not in {"skipped", "cancelled"}
        for action in experiment.get("actions", {}).values()
    )


def stopped_by(experiment: Experiment) -> str | None:
    """Who ended it, where it was not us: one of its alarms, or the account's safety lever."""
    reason = str(experiment["state"].get("reason", "")).lower()
    if "stop condition" in reason:
        return "alarm"
    return "safety-lever" if "lever" in reason else None


def denied(experiment: Experiment) -> bool:
    """Whether it failed because the role may not."""
    code = str((experiment["state"].get("error") or {}).get("code", "")).lower()
    return any(word in code for word in ("denied", "unauthorized", "forbidden", "permission"))


def told(experiment: Experiment) -> str:
    """The experiment's and its actions' own words."""
    state = experiment["state"]
    error = state.get("error") or {}
    parts = [f"{experiment['id']} is {state['status']}"]
    parts += [str(text) for text in (state.get("reason"), error.get("code"), error.get("location")) if text]
    actions = experiment.get("actions", {})
    parts += [
        f"{name} {action['state']['status']}"
        + (f" ({action['state']['reason']})" if action["state"].get("reason") else "")
        for name, action in sorted(actions.items())
    ]
    return "; ".join(parts)[:1000]


def left(experiment: Experiment) -> list[str]:
    """What is not over yet: the experiment itself, and those of its actions that are not."""
    ended = ENDED | {"skipped"}
    unfinished = [
        name
        for name, action in experiment.get("actions", {}).items()
        if str(action["state"]["status"]) not in ended
    ]
    return unfinished if experiment["state"]["status"] in ENDED else [str(experiment["id"]), *unfinished]
