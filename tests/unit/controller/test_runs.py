"""A TestRun: what is submitted for it, and what its status and events tell."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crosswind.contracts.custom_resources import TestRunStatus
from crosswind.contracts.requests import (
    CaseCounts,
    RunState,
    RunView,
    ShardCounts,
    VerdictKind,
    VerdictView,
)
from crosswind.contracts.suites import Priority
from crosswind.controller import runs

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SUITE: dict[str, Any] = {"stages": [{"name": "all", "tests": []}]}


def view(state: RunState = RunState.EXECUTING, verdict: VerdictKind | None = None) -> RunView:
    return RunView(
        execution_id="run-1",
        team="shop",
        suite="checkout",
        priority=Priority.P1,
        state=state,
        actor="controller",
        created_at="2026-11-23T08:59:00.000Z",
        started_at="2026-11-23T08:59:10.000Z",
        finished_at="2026-11-23T09:00:00.000Z" if verdict else None,
        tests=CaseCounts(total=4, passed=1, failed=1, flaky=1),
        shards=ShardCounts(total=2),
        verdict=VerdictView(kind=verdict, reason="1 test failed") if verdict else None,
    )


def mirrored(status: dict[str, Any], shown: RunView) -> dict[str, Any]:
    return runs.mirrored_status(shown, status, generation=1, now=NOW)


def test_a_stored_suite_is_named_with_its_team() -> None:
    request = runs.request_of(
        {"name": "nightly-1"},
        {"suite": "checkout", "parameters": {"users": 3}, "priority": "P0"},
        team="shop",
    )

    assert (request.suite, request.team, request.spec) == ("checkout", "shop", None)
    assert (request.parameters, request.priority) == ({"users": 3}, Priority.P0)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"name": "smoke"}, "smoke"),
        ({"name": "smoke-x7k2p", "generateName": "smoke-"}, "smoke"),
    ],
)
def test_a_suite_of_its_own_has_the_team_of_the_namespace_and_a_name_that_stays(
    metadata: dict[str, Any], name: str
) -> None:
    request = runs.request_of(metadata, {"spec": SUITE}, team="shop")

    assert request.team is None
    assert request.spec == {
        "apiVersion": "crosswind.dev/v1",
        "kind": "TestSuite",
        "metadata": {"name": name, "team": "shop"},
        "spec": SUITE,
    }


def test_the_key_is_the_objects_own() -> None:
    assert runs.idempotency_key("u-1") == runs.idempotency_key("u-1") != runs.idempotency_key("u-2")


def test_status_follows_the_run_and_fits_the_schema() -> None:
    status = runs.accepted_status("run-1", "https://api.example", {}, generation=1, now=NOW)
    assert status["url"] == "https://api.example/api/v1/tests/run-1"

    status |= mirrored(status, view())
    assert status["counts"] == {"total": 4, "passed": 1, "failed": 1, "error": 0, "skipped": 0}
    assert runs.is_going_on(status)

    status |= mirrored(status, view(RunState.FINISHED, VerdictKind.FAILED))
    assert (status["verdict"], status["reason"]) == ("failed", "1 test failed")
    finished = next(each for each in status["conditions"] if each["type"] == "Finished")
    assert (finished["status"], finished["reason"]) == ("True", "Failed")
    assert not runs.is_going_on(status)
    TestRunStatus.model_validate(status)


def test_a_verdict_is_told_when_it_is_there_and_the_run_is_finished_when_it_is() -> None:
    judged = mirrored({}, view(RunState.JUDGING, VerdictKind.PASSED))

    assert judged["verdict"] == "passed"
    assert judged["conditions"][0]["status"] == "False"


def test_nothing_is_written_when_nothing_is_new() -> None:
    status = runs.accepted_status("run-1", "https://api.example", {}, generation=1, now=NOW)
    status |= mirrored(status, view())

    later = runs.mirrored_status(view(), status, generation=1, now=datetime(2026, 11, 23, 10, tzinfo=UTC))

    assert runs.changes(status, later) == {}


def test_events_tell_of_states_and_of_the_verdict_once() -> None:
    begun = runs.news_of({"state": "accepted"}, view())
    assert [(each.type, each.reason) for each in begun] == [("Normal", "Executing")]
    assert runs.news_of({"state": "executing"}, view()) == []

    ended = view(RunState.FINISHED, VerdictKind.FAILED)
    told = runs.news_of({"state": "executing"}, ended)
    assert [(each.type, each.reason, each.message) for each in told] == [
        ("Warning", "Failed", "1 test failed")
    ]
    assert runs.news_of({"state": "finished", "verdict": "failed"}, ended) == []
    passed = runs.news_of({}, view(RunState.FINISHED, VerdictKind.PASSED))
    assert passed[0].type == "Normal"


@pytest.mark.parametrize(
    ("status", "cancelled"),
    [
        ({"executionId": "run-1", "state": "executing"}, True),
        ({"executionId": "run-1", "state": "finished"}, False),
        ({}, True),  # the answer to its submission may have been lost
        ({"conditions": [{"type": "Accepted", "status": "Unknown"}]}, True),
        ({"conditions": [{"type": "Accepted", "status": "False", "reason": "NotFound"}]}, True),
        ({"conditions": [{"type": "Accepted", "status": "False", "reason": "Refused"}]}, False),
    ],
)
def test_deleting_cancels_what_may_run(status: dict[str, Any], cancelled: bool) -> None:
    assert runs.may_run(status) is cancelled


def test_a_run_that_the_api_does_not_show_is_unknown_and_not_over() -> None:
    status: dict[str, Any] = {"executionId": "run-1", "state": "executing"}

    told = runs.unknown_status(status, generation=1, now=NOW)

    assert told["conditions"][0]["status"] == "Unknown"
    assert runs.is_going_on(status | told)
