"""The queue, a team's part of it, and pausing."""

import json
from typing import Any

import pytest

from tests.unit.cli.fake_api import RUN, FakeApi, Terminal, finished, run_view

SETTINGS: dict[str, Any] = {"team": "demo", "weight": 2.0, "quota": 10, "mayBorrow": True}
QUEUE: dict[str, Any] = {
    "team": "demo",
    "slots": 40,
    "inUse": 40,
    "running": 12,
    "borrowed": 2,
    "waiting": 7,
    "usedShare": 0.3125,
    "settings": SETTINGS,
    "lanes": [
        {
            "executionId": RUN,
            "suite": "shop",
            "priority": "P1",
            "waiting": 7,
            "running": 12,
            "reason": "no_slot",
            "explanation": "All 40 slots are taken.",
            "since": "2026-01-31T08:00:00.000Z",
        }
    ],
}


def test_pause_says_what_runs_on_and_how_to_resume(crosswind: Terminal, api: FakeApi) -> None:
    api.on(f"POST /api/v1/tests/{RUN}/pause", run_view(pausedAt="2026-01-31T08:00:00.000Z", pausedBy="ada"))
    result = crosswind("pause", RUN)
    assert result.stdout == (
        f"paused  {RUN}  1 shards run on, the timeout goes on\nLet it go on: crosswind resume {RUN}\n"
    )


def test_resume_shows_the_run(crosswind: Terminal, api: FakeApi) -> None:
    api.on(f"POST /api/v1/tests/{RUN}/resume", run_view())
    result = crosswind("resume", RUN)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"resumed  {RUN}\n")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_both_print_the_run_as_json(crosswind: Terminal, api: FakeApi, command: str) -> None:
    api.on(f"POST /api/v1/tests/{RUN}/{command}", finished("passed", "all"))
    assert json.loads(crosswind(command, RUN, "--json").stdout)["executionId"] == RUN


def test_show_tells_what_waits_and_why(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/queue", QUEUE)
    result = crosswind("queue", "show", "--team", "demo")
    assert result.stdout.splitlines() == [
        "team demo, weight 2, quota 10, may borrow",
        "12 running (2 borrowed), 7 waiting; 40 of 40 slots are in use, 31% of what was used lately is its own",
        "",
        "run                             suite  prio  waiting  running  waits for  why",
        f"{RUN}  shop   P1    7        12       no_slot    All 40 slots are taken.",
    ]
    (request,) = api.sent("GET /api/v1/queue")
    assert request.url.params["team"] == "demo"


def test_show_as_json_is_the_answer(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/queue", QUEUE)
    assert json.loads(crosswind("queue", "show", "--json").stdout) == {
        **QUEUE,
        "settings": {**SETTINGS, "paused": False},
        "lanes": [{**QUEUE["lanes"][0], "paused": False}],
    }


def test_a_team_is_paused_with_a_reason_and_resumed(crosswind: Terminal, api: FakeApi) -> None:
    api.on("PUT /api/v1/teams/demo/queue", {**SETTINGS, "paused": True, "reason": "release"}, SETTINGS)

    paused = crosswind("queue", "pause", "demo", "--reason", "release")
    resumed = crosswind("queue", "resume", "demo")

    assert paused.stdout == "team demo, weight 2, quota 10, may borrow, paused: release\n"
    assert resumed.stdout == "team demo, weight 2, quota 10, may borrow\n"
    sent = [json.loads(request.content) for request in api.sent("PUT /api/v1/teams/demo/queue")]
    assert sent == [{"paused": True, "reason": "release"}, {"paused": False}]


def test_set_sends_only_what_is_given_and_none_takes_a_limit_away(crosswind: Terminal, api: FakeApi) -> None:
    api.on("PUT /api/v1/teams/demo/queue", SETTINGS)
    crosswind("queue", "set", "demo", "--weight", "2.5", "--quota", "none", "--no-borrow")
    crosswind("queue", "set", "demo", "--concurrency", "30")
    sent = [json.loads(request.content) for request in api.sent("PUT /api/v1/teams/demo/queue")]
    assert sent == [{"weight": 2.5, "quota": None, "mayBorrow": False}, {"concurrency": 30}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "nothing to set"), (("--quota", "many"), "--quota is 'many'; it takes a number of slots, or none")],
)
def test_set_refuses_what_it_cannot_send(
    crosswind: Terminal, api: FakeApi, arguments: tuple[str, ...], message: str
) -> None:
    result = crosswind("queue", "set", "demo", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not api.requests


def test_a_weight_out_of_bounds_is_refused_before_it_is_sent(crosswind: Terminal, api: FakeApi) -> None:
    result = crosswind("queue", "set", "demo", "--weight", "0")
    assert result.exit_code == 2
    assert "weight" in result.stderr
    assert not api.requests
