"""`crosswind rerun` and `crosswind why`: what is sent, what is printed, and the exit status."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.cli.fake_api import RUN, FakeApi, Terminal, finished, problem

GET_RUN = f"GET /api/v1/tests/{RUN}"
RERUN = f"POST /api/v1/tests/{RUN}/reruns"
WHY = f"GET /api/v1/tests/{RUN}/why"
FAILED = finished("failed", "2 of 4 tests failed.")
ACCEPTED: dict[str, Any] = {"executionId": RUN, "state": "executing", "round": 2, "tests": 2, "shards": 1}


@pytest.fixture
def over(api: FakeApi) -> FakeApi:
    api.on(GET_RUN, FAILED)
    api.on(RERUN, httpx.Response(202, json=ACCEPTED))
    api.on(f"GET /api/v1/tests/{RUN}/results", {"items": [], "complete": True})
    return api


def test_a_rerun_names_the_round_that_it_follows_and_tells_what_runs_again(
    crosswind: Terminal, over: FakeApi
) -> None:
    result = crosswind("rerun", "--failed", RUN)
    assert result.exit_code == 0
    assert result.stdout == f"accepted  {RUN}  round 2\n  crosswind watch {RUN}\n"
    assert result.stderr == "round 2: 2 tests in 1 shard\n"
    [sent] = over.sent(RERUN)
    assert json.loads(sent.content) == {"failed": True, "round": 1}


def test_a_rerun_that_is_waited_for_ends_with_the_new_verdict(crosswind: Terminal, over: FakeApi) -> None:
    over.on(GET_RUN, FAILED, finished("passed", "4 tests passed.", round=2))
    result = crosswind("rerun", "--failed", RUN, "--wait")
    assert (result.exit_code, "4 tests passed." in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tests": 0, "wholeShards": 1}, "round 2: a whole shard in 1 shard"),
        ({"tests": 1, "wholeShards": 2, "shards": 3}, "round 2: 1 test and 2 whole shards in 3 shards"),
        ({"tests": 0, "shards": 4}, "round 2: what never began in 4 shards"),
        ({"repeated": True}, "round 2: 2 tests in 1 shard (asked for before)"),
    ],
)
def test_what_runs_again_is_told(
    crosswind: Terminal, over: FakeApi, changes: dict[str, Any], words: str
) -> None:
    over.on(RERUN, httpx.Response(202, json={**ACCEPTED, **changes}))
    assert crosswind("rerun", "--failed", RUN).stderr == f"{words}\n"


def test_a_rerun_as_json_is_the_answer(crosswind: Terminal, over: FakeApi) -> None:
    assert json.loads(crosswind("rerun", "--failed", RUN, "--json").stdout)["round"] == 2


def test_a_rerun_has_to_say_what_of(crosswind: Terminal, over: FakeApi) -> None:
    result = crosswind("rerun", RUN)
    assert result.exit_code == 2
    assert "crosswind rerun --failed RUN" in result.stderr
    assert not over.requests


def test_a_refused_rerun_says_why(crosswind: Terminal, over: FakeApi) -> None:
    over.on(RERUN, problem(409, "Conflict", "no test of it failed or lacks a result"))
    result = crosswind("rerun", "--failed", RUN)
    assert (result.exit_code, "no test of it failed" in result.stderr) == (2, True)


def test_why_prints_the_answer_and_the_failures_with_their_past(crosswind: Terminal, api: FakeApi) -> None:
    failing = {"id": "1", "test": "unit", "status": "failed", "workId": "shard-00001"}
    known = {
        "sinceRun": "run-7",
        "since": "2026-01-29T08:00:00.000Z",
        "failures": 3,
        "onDefaultBranch": True,
    }
    api.on(
        WHY,
        {
            "executionId": RUN,
            "state": "finished",
            "verdict": {"kind": "failed", "reason": "3 of 4 tests failed."},
            "cause": "tests",
            "answer": ["Tests failed; infrastructure is not to blame.", "3 of 4 tests failed."],
            "failures": [
                {**failing, "name": "t.py::a", "new": True, "flakyOdds": 0.1},
                {**failing, "name": "t.py::b", "new": False, "known": known, "muted": "Muted."},
                {**failing, "name": "t.py::c", "variant": "os=x"},
            ],
            "moreFailures": 4,
        },
    )
    assert crosswind("why", RUN).stdout == (
        f"FAILED  {RUN}\n"
        "Tests failed; infrastructure is not to blame.\n"
        "3 of 4 tests failed.\n"
        "\n"
        "status  test            known        chance  shard\n"
        "failed  t.py::a         new          10%     shard-00001\n"
        "muted   t.py::b         since run-7          shard-00001\n"
        "failed  t.py::c [os=x]  no history           shard-00001\n"
        "and 4 more\n"
        "\n"
        f"Run what failed again: crosswind rerun --failed {RUN}\n"
    )
    assert json.loads(crosswind("why", RUN, "--json").stdout)["cause"] == "tests"


def test_why_of_a_waiting_run_prints_sentences_only(crosswind: Terminal, api: FakeApi) -> None:
    api.on(WHY, {"executionId": RUN, "state": "executing", "answer": ["All 100 slots are taken."]})
    assert crosswind("why", RUN).stdout == f"executing  {RUN}\nAll 100 slots are taken.\n"
