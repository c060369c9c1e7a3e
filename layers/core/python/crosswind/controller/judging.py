"""What an answer of the API means for an object: its condition, and whether the same is to be asked again. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from crosswind.contracts.custom_resources import ConditionType
from crosswind.contracts.problems import FieldProblem, Problem
from crosswind.controller.api import RefusedError, UnreachableError
from crosswind.kernel.clock import to_iso

MOST_CHARACTERS = 32_768  # of a condition's message, as its schema has it
SHORTEST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
_SERVER_FAULT = 500
_UNAVAILABLE = frozenset({401, 408, 425, 429})
_MAY_CHANGE = {403: "Forbidden", 404: "NotFound", 409: "Conflict"}
"""Refusals that are no fault of the object: rights are given, a suite is stored a moment later, a review ends."""

_REFUSED = "Refused"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`again`: the same may be answered otherwise later, without a change of the object."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    again: bool = False
    pause_seconds: float | None = None


ACCEPTED = Judgement("True", "Accepted", "")


def no_team(namespace: str, label: str) -> Judgement:
    """Nobody's namespace: its label is an administrator's to give."""
    return Judgement("False", "NoTeam", f"namespace {namespace} has no label {label}", again=True)


def judge(error: RefusedError | UnreachableError) -> Judgement:
    """A refusal of the object itself stands until its spec changes; everything else is asked again."""
    if isinstance(error, UnreachableError):
        return Judgement("Unknown", "Unreachable", str(error)[:MOST_CHARACTERS], again=True)
    problem, message = error.problem, faults_of(error.problem)
    if problem.status >= _SERVER_FAULT or problem.status in _UNAVAILABLE:
        return Judgement(
            "Unknown", "Unavailable", message, again=True, pause_seconds=error.retry_after_seconds
        )
    if problem.status in _MAY_CHANGE:
        return Judgement("False", _MAY_CHANGE[problem.status], message, again=True)
    return Judgement("False", _REFUSED, message)


def faults_of(problem: Problem) -> str:
    """Every fault, one a line, after what the problem is."""
    lines = [f"{problem.title}: {problem.detail}", *(_fault(each) for each in problem.errors or ())]
    return "\n".join(lines)[:MOST_CHARACTERS]


def pause_before(attempt: int, judgement: Judgement) -> float:
    """Doubling, from two seconds to a minute; what the API asks for goes first."""
    if judgement.pause_seconds is not None:
        return max(SHORTEST_PAUSE, judgement.pause_seconds)
    return min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(attempt, 10))


def with_condition(
    conditions: Sequence[Mapping[str, Any]],
    type_: ConditionType,
    judgement: Judgement,
    *,
    generation: int,
    now: datetime,
) -> list[Json]:
    """The conditions with this one; its time of transition stays where its status does."""
    before = next((each for each in conditions if each.get("type") == type_.value), None)
    same = before is not None and before.get("status") == judgement.status
    made = {
        "type": type_.value,
        "status": judgement.status,
        "reason": judgement.reason,
        "message": judgement.message,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else to_iso(now),
        "observedGeneration": generation,
    }
    others = [dict(each) for each in conditions if each.get("type") != type_.value]
    return sorted([*others, made], key=lambda each: str(each["type"]))


def status_of(conditions: Sequence[Mapping[str, Any]], type_: ConditionType) -> str | None:
    """True, False, Unknown, or None where nothing was told yet."""
    return next((str(each.get("status")) for each in conditions if each.get("type") == type_.value), None)


def was_refused(conditions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the API refused the object itself, for good."""
    return any(
        (each.get("type"), each.get("status"), each.get("reason"))
        == (ConditionType.ACCEPTED.value, "False", _REFUSED)
        for each in conditions
    )


def _fault(fault: FieldProblem) -> str:
    expected = f"; expected {fault.expected}" if fault.expected else ""
    return f"{fault.path or 'the whole'}: {fault.message}{expected}"
