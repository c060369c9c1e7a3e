"""What an answer means for an object."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from crosswind.contracts.custom_resources import ConditionType, ConditionView
from crosswind.contracts.problems import FieldProblem, Problem
from crosswind.controller.api import RefusedError, UnreachableError
from crosswind.controller.judging import (
    ACCEPTED,
    LONGEST_PAUSE,
    MOST_CHARACTERS,
    judge,
    pause_before,
    status_of,
    with_condition,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def refused(status: int, *faults: FieldProblem, retry_after: float | None = None) -> RefusedError:
    problem = Problem(type="t", title="Not valid", status=status, detail="two faults", errors=faults or None)
    return RefusedError(problem, retry_after_seconds=retry_after)


def test_a_fault_of_the_object_stands_and_tells_every_field() -> None:
    faults = (
        FieldProblem(path="spec.stages[0].name", message="is empty", expected="a name"),
        FieldProblem(path="spec.timeout", message="is `soon`"),
    )

    judgement = judge(refused(422, *faults))

    assert (judgement.status, judgement.reason, judgement.again) == ("False", "Refused", False)
    assert judgement.message.splitlines() == [
        "Not valid: two faults",
        "spec.stages[0].name: is empty; expected a name",
        "spec.timeout: is `soon`",
    ]


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_what_says_nothing_of_the_object_is_unknown_and_asked_again(status: int) -> None:
    judgement = judge(refused(status))

    assert (judgement.status, judgement.reason, judgement.again) == ("Unknown", "Unavailable", True)


@pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (404, "NotFound"), (409, "Conflict")])
def test_what_others_may_change_is_false_and_asked_again(status: int, reason: str) -> None:
    judgement = judge(refused(status))

    assert (judgement.status, judgement.reason, judgement.again) == ("False", reason, True)


def test_no_answer_is_unknown() -> None:
    judgement = judge(UnreachableError("https://api.example: timed out"))

    assert (judgement.status, judgement.reason) == ("Unknown", "Unreachable")
    assert judgement.again


def test_pauses_double_up_to_a_minute_unless_the_api_tells_one() -> None:
    unknown = judge(refused(503))

    assert [pause_before(attempt, unknown) for attempt in (0, 1, 2, 3)] == [2, 4, 8, 16]
    assert pause_before(500, unknown) == LONGEST_PAUSE
    assert pause_before(0, judge(refused(429, retry_after=120.0))) == 120


def test_a_condition_keeps_its_time_while_its_status_does_and_leaves_others_alone() -> None:
    foreign = {
        "type": "Watched",
        "status": "True",
        "reason": "x",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    first = with_condition([foreign], ConditionType.ACCEPTED, ACCEPTED, generation=1, now=NOW)
    later = with_condition(
        first, ConditionType.ACCEPTED, ACCEPTED, generation=2, now=NOW + timedelta(hours=1)
    )
    turned = with_condition(
        later, ConditionType.ACCEPTED, judge(refused(422)), generation=3, now=NOW + timedelta(hours=2)
    )

    assert foreign in turned
    assert later[0]["lastTransitionTime"] == "2026-11-23T09:00:00.000Z"
    assert later[0]["observedGeneration"] == 2
    assert turned[0]["lastTransitionTime"] == "2026-11-23T11:00:00.000Z"
    assert status_of(turned, ConditionType.ACCEPTED) == "False"
    assert status_of((), ConditionType.ACCEPTED) is None


def test_a_long_list_of_faults_fits_the_schema() -> None:
    faults = [FieldProblem(path=f"spec.stages[{number}]", message="x" * 500) for number in range(200)]

    judgement = judge(refused(422, *faults))
    made = with_condition([], ConditionType.ACCEPTED, judgement, generation=1, now=NOW)[0]

    assert len(judgement.message) == MOST_CHARACTERS
    ConditionView.model_validate_json(json.dumps(made))
