"""`crosswind plan` and `crosswind simulate`: what is asked for, what is printed, and the exit status."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.fake_api import FakeApi, Terminal, problem

PLAN = "plan-01k0000000000000000000000a"
GET_PLAN = f"GET /api/v1/plans/{PLAN}"


def view(state: str = "ready", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "planId": PLAN,
        "team": "demo",
        "suite": "shop",
        "state": state,
        "createdAt": "2026-01-31T08:00:00.000Z",
    }
    return {**made, **changes}


def point(shards: int, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "shards": shards,
        "p50Seconds": 600 / shards,
        "p90Seconds": 660 / shards,
        "dollars": 0.01 * shards,
        "computeDollars": 0.0098 * shards,
        "controlDollars": 0.0002 * shards,
        "binds": "work",
    }
    return {**made, **changes}


def ready(**changes: Any) -> dict[str, Any]:
    job = {
        "stage": 0,
        "test": "unit",
        "method": "pull",
        "shards": 5,
        "shardsReason": "60 s of tests for each shard",
        "reason": "no test of it has a measured duration yet",
        "estimateSeconds": 600,
        "longestSeconds": 30,
    }
    made = {
        "tests": 120,
        "knownDurations": 80,
        "jobs": [job],
        "executor": "fargate",
        "prices": "list prices",
        "curve": [point(1), point(5), point(10)],
        "chosen": point(5),
        "goal": {"targetSeconds": 480},
        "queue": {
            "position": 3,
            "expectedStart": "2026-01-31T08:05:00.000Z",
            "reason": "no_slot",
            "explanation": "All 4 slots are taken.",
        },
    }
    return view(**{**made, **changes})


@pytest.fixture
def planned(api: FakeApi) -> FakeApi:
    api.on("POST /api/v1/plans", httpx.Response(202, json={"planId": PLAN, "state": "accepted"}))
    return api


def test_the_curve_the_choice_and_the_start_are_shown(crosswind: Terminal, planned: FakeApi) -> None:
    planned.on(GET_PLAN, view("accepted"), view("preparing"), ready())
    result = crosswind("plan", "shop", "--team", "demo", "--target", "8m")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "120 tests, 80 with measured durations, on fargate",
        "  unit: 10 min 00 s of tests, the longest unit 30.0 s; 5 shards (60 s of tests for each shard), pull",
        "    no test of it has a measured duration yet",
        "",
        "shards  p50          p90          cost     binds",
        "1       10 min 00 s  11 min 00 s  $0.0100  work",
        "5       2 min 00 s   2 min 12 s   $0.0500  work   <-",
        "10      1 min 00 s   1 min 06 s   $0.1000  work",
        "prices: list prices",
        "",
        "pick: 5 shards, 2 min 00 s (p90 2 min 12 s), $0.0500",
        "place 3 in the queue, expected start 2026-01-31T08:05:00.000Z: All 4 slots are taken.",
    ]
    assert "the tests are being discovered" in result.stderr
    sent = json.loads(planned.requests[0].content)
    assert (sent["suite"], sent["target"], sent.get("budget")) == ("shop", "8m", None)


def test_json_prints_the_plan_whole(crosswind: Terminal, planned: FakeApi) -> None:
    planned.on(GET_PLAN, ready())
    result = crosswind("plan", "shop", "--json", "--budget", "2.00")
    assert json.loads(result.stdout)["chosen"]["shards"] == 5
    assert json.loads(planned.requests[0].content)["budget"] == 2.0


def test_a_plan_that_cannot_be_made_says_why_and_fails(crosswind: Terminal, planned: FakeApi) -> None:
    failed = view("failed", reason="test job 'unit': t.py: SyntaxError (and 1 more)", errors=["a", "u.py: b"])
    planned.on(GET_PLAN, failed)
    result = crosswind("plan", "shop")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "no plan: test job 'unit': t.py: SyntaxError (and 1 more)",
        "  u.py: b",
    ]


def test_an_outage_while_waiting_is_borne(crosswind: Terminal, planned: FakeApi) -> None:
    planned.on(GET_PLAN, *[problem(503, "away", "the API is away")] * 5, ready())
    assert crosswind("plan", "shop").exit_code == 0


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--target", "8x", "target: '8x' does not have the right form; expected a duration"),
        ("--budget", "0", "budget: is out of bounds; expected more than 0"),
        ("--team", "No Team", "team: "),
    ],
)
def test_a_wrong_option_is_told_by_its_name_before_anything_is_asked(
    crosswind: Terminal, planned: FakeApi, option: str, value: str, told: str
) -> None:
    result = crosswind("plan", "shop", option, value)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not planned.requests


def test_a_queue_without_a_place_and_a_start_at_once_are_told_as_such(
    crosswind: Terminal, planned: FakeApi
) -> None:
    held = {"reason": "team_paused", "explanation": "Team demo is paused."}
    planned.on(GET_PLAN, ready(queue=held))
    told = crosswind("plan", "shop").stdout.splitlines()[-1]
    assert told == "queue, expected start not to be foreseen: Team demo is paused."
    free = {"position": 1, "reason": "admitted", "explanation": "Slot 1 of 4.", "expectedStart": "now"}
    planned.on(GET_PLAN, ready(queue=free, chosen=point(1)))
    *_, chosen, told = crosswind("plan", "shop").stdout.splitlines()
    assert (chosen.split(",")[0], told) == ("pick: 1 shard", "submitted now, it would start at once")


def test_a_suite_must_be_named_or_given(crosswind: Terminal, planned: FakeApi, tmp_path: Path) -> None:
    assert crosswind("plan").exit_code == 2
    assert crosswind("plan", "shop", "-f", str(tmp_path / "suite.yaml")).exit_code == 2


def test_a_simulation_prints_every_policy(crosswind: Terminal) -> None:
    result = crosswind("simulate", "--tests", "60", "--runners", "4", "--seeds", "3")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[2:]] == [
        "count-split",
        "static-longest-first",
        "pull-arrival-order",
        "pull-longest-first",
    ]


def test_a_simulation_as_json_has_the_ratios_by_policy(crosswind: Terminal) -> None:
    result = crosswind("simulate", "--tests", "60", "--runners", "4", "--seeds", "3", "--json")
    policies = json.loads(result.stdout)["policies"]
    assert set(policies["pull-longest-first"]["ratio"]) == {"p50", "p90"}
    assert policies["pull-longest-first"]["ratio"]["p50"] >= 1
