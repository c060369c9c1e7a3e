"""Submitting, waiting and reading runs: what is printed, and the exit status."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.fake_api import RUN, FakeApi, Terminal, case, finished, problem, run_view

GET_RUN = f"GET /api/v1/tests/{RUN}"
RESULTS = f"GET /api/v1/tests/{RUN}/results"
ACCEPTED = httpx.Response(202, json={"executionId": RUN, "state": "accepted"})


@pytest.fixture
def submitted(api: FakeApi) -> FakeApi:
    api.on("POST /api/v1/tests", ACCEPTED)
    api.on(RESULTS, {"items": [], "complete": True})
    return api


def test_a_run_is_accepted_and_the_way_to_watch_it_is_shown(crosswind: Terminal, submitted: FakeApi) -> None:
    result = crosswind("run", "shop")
    assert result.exit_code == 0
    assert result.stdout == f"accepted  {RUN}\n  crosswind watch {RUN}\n"
    assert result.stderr == f"run {RUN}\n"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("passed", 0), ("failed", 1), ("inconclusive", 1), ("skipped", 1), ("error", 2), ("cancelled", 2)],
)
def test_the_verdict_decides_the_exit_status(
    crosswind: Terminal, submitted: FakeApi, verdict: str, status: int
) -> None:
    submitted.on(GET_RUN, finished(verdict, "for a reason"))
    assert crosswind("run", "shop", "--wait").exit_code == status


def test_waiting_shows_each_change_once_then_the_summary(crosswind: Terminal, submitted: FakeApi) -> None:
    going = run_view(
        tests={"total": 2, "passed": 1, "failed": 1}, shards={"total": 2, "done": 1, "running": 1}
    )
    bad = case("test_b[x]", message="AssertionError: 7 == 10\n  more")
    submitted.on(
        GET_RUN,
        run_view(state="accepted"),
        run_view(state="preparing"),
        run_view(state="preparing"),
        going,
        going,
        finished(
            "failed",
            "1 of 3 tests failed.",
            tests={"total": 3, "passed": 2, "failed": 1},
        ),
    )
    submitted.on(RESULTS, {"items": [bad], "complete": False})
    result = crosswind("run", "shop", "--wait")
    assert result.exit_code == 1
    assert result.stderr == (
        f"run {RUN}\n"
        "[   0 s] accepted\n"
        "[   1 s] preparing\n"
        "[   3 s] stage api: 1 of 2 shards done, 1 running, 0 waiting; 2 of 2 tests, 1 failed\n"
        "[   3 s] failed  test_b[x] (shard-00001): AssertionError: 7 == 10\n"
    )
    assert result.stdout == (
        f"FAILED  shop  {RUN}\n"
        "1 of 3 tests failed.\n"
        "\n"
        "total  passed  failed  error  flaky  skipped  missing\n"
        "3      2       1       0      0      0        0\n"
        "2 shards, 12.5 s\n"
        "\n"
        "Failures\n"
        "  failed  test_b[x]  (shard-00001)\n"
        "      AssertionError: 7 == 10\n"
        "        more\n"
        "\n"
        "Next\n"
        f"  crosswind results {RUN} --status failed\n"
        f"  crosswind logs {RUN} --shard shard-00001\n"
        f"  crosswind artifacts {RUN}\n"
    )


def test_a_failure_in_quarantine_is_shown_as_such(crosswind: Terminal, submitted: FakeApi) -> None:
    counted = {"total": 2, "passed": 1, "failed": 1, "muted": 1}
    submitted.on(GET_RUN, finished("passed", "1 test passed.", tests=counted))
    muted = case("test_b", message="AssertionError", muted="Muted by quarantine.")
    submitted.on(RESULTS, {"items": [muted], "complete": False})
    lines = crosswind("run", "shop", "--wait").stdout.splitlines()
    assert lines[3].split() == [
        "total",
        "passed",
        "failed",
        "error",
        "flaky",
        "skipped",
        "missing",
        "muted",
    ]
    assert "  failed (muted)  test_b  (shard-00001)" in lines
    assert "0.25 s, muted)" in crosswind("results", RUN).stdout


def test_a_paused_run_says_who_paused_it(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, run_view(pausedAt="2026-01-31T08:00:00.000Z", pausedBy="ada"))
    assert "waiting; 0 of 0 tests, paused by ada" in crosswind("get", RUN).stdout


def test_waiting_asks_every_second_while_things_move_and_slower_when_they_do_not(
    crosswind: Terminal, submitted: FakeApi
) -> None:
    submitted.on(GET_RUN, *[run_view()] * 14, finished("passed", "all passed"))
    crosswind("watch", RUN)
    assert crosswind.pauses[:3] == [1.0, 1.2, 1.44]
    assert crosswind.pauses[-1] == 5.0


def test_progress_counts_what_runners_tell_before_it_is_recorded(
    crosswind: Terminal, submitted: FakeApi
) -> None:
    shard = {"test": "api", "stage": 0, "state": "leased", "attempt": 1}
    work = [
        {**shard, "workId": "prepare-00000", "testsDone": 9},
        {**shard, "workId": "shard-00000", "testsDone": 30, "testsFailed": 2},
        {**shard, "workId": "shard-00001", "testsDone": 12},
    ]
    submitted.on(GET_RUN, run_view(work=work), finished("passed", "all passed"))
    assert "42 of 42 tests, 2 failed" in crosswind("watch", RUN).stderr


def test_a_lost_connection_is_told_and_waited_for(crosswind: Terminal, submitted: FakeApi) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    submitted.on(GET_RUN, run_view(), lost, lost, lost, lost, finished("passed", "all passed"))
    result = crosswind("watch", RUN)
    assert result.exit_code == 0
    assert "does not answer: refused; trying again" in result.stderr


def test_an_endpoint_that_struggles_is_waited_for(crosswind: Terminal, submitted: FakeApi) -> None:
    broken = problem(500, "Internal error", "try later")
    submitted.on(GET_RUN, run_view(), broken, *[httpx.Response(502)] * 4, finished("passed", "all passed"))
    result = crosswind("watch", RUN)
    assert result.exit_code == 0
    assert "Internal error — try later; trying again" in result.stderr


def test_a_refusal_ends_the_waiting_at_once(crosswind: Terminal, submitted: FakeApi) -> None:
    submitted.on(GET_RUN, problem(404, "Not found", "no such run"))
    result = crosswind("watch", RUN)
    assert (result.exit_code, result.stderr) == (2, "error: Not found — no such run\n")
    assert crosswind.pauses == []


def test_a_connection_that_stays_lost_ends_the_waiting(crosswind: Terminal, submitted: FakeApi) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    submitted.on(GET_RUN, lost)
    result = crosswind("watch", RUN)
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "error: http://127.0.0.1:8080 does not answer: refused\n"
        "Is it running? `crosswind status` tells for the embedded cloud, `crosswind up` starts it.\n"
    )
    assert sum(crosswind.pauses) < 200


def test_ctrl_c_says_that_the_run_goes_on_and_how_to_cancel_it(
    crosswind: Terminal, submitted: FakeApi
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    crosswind.sleep = interrupt
    submitted.on(GET_RUN, run_view())
    result = crosswind("run", "shop", "--wait")
    assert result.exit_code == 130
    assert f"stopped waiting; the run goes on: {RUN}\n" in result.stderr
    assert f"crosswind cancel {RUN}\n" in result.stderr


def test_json_has_stdout_to_itself(crosswind: Terminal, submitted: FakeApi) -> None:
    submitted.on(GET_RUN, run_view(), finished("failed", "1 of 3 tests failed."))
    result = crosswind("run", "shop", "--wait", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verdict"] == {"kind": "failed", "reason": "1 of 3 tests failed."}
    assert "stage api" in result.stderr


def test_faults_of_a_suite_are_listed_with_their_lines(
    crosswind: Terminal, api: FakeApi, tmp_path: Path
) -> None:
    (tmp_path / "suite.yaml").write_text("kind: TestSuite\n")
    faults: list[dict[str, Any]] = [
        {"path": "spec.stages[0].name", "message": "is missing", "expected": "a name", "line": 7},
        {"path": "spec.notify", "message": "notifications are not delivered yet"},
    ]
    api.on("POST /api/v1/tests", problem(422, "The input is not valid", "2 faults", faults))
    result = crosswind("run", "-f", str(tmp_path / "suite.yaml"))
    assert result.exit_code == 2
    assert result.stderr == (
        "error: The input is not valid — 2 faults\n"
        "  spec.stages[0].name (line 7): is missing; expected a name\n"
        "  spec.notify: notifications are not delivered yet\n"
    )
    assert result.stdout == ""


def test_parameters_are_sent_as_the_suite_declares_them(
    crosswind: Terminal, submitted: FakeApi, tmp_path: Path
) -> None:
    (tmp_path / "suite.yaml").write_text(
        "spec:\n  parameters:\n    count: {type: integer}\n    rate: {type: number}\n"
        "    dry: {type: boolean}\n    text: {default: a}\n    bad: {type: integer}\n"
    )
    given = ["count=3", "rate=0.5", "dry=true", "text=5", "bad=many", "other=a=b"]
    options = [part for item in given for part in ("--param", item)]
    crosswind("run", "-f", str(tmp_path / "suite.yaml"), *options)
    (request,) = submitted.sent("POST /api/v1/tests")
    assert json.loads(request.content)["parameters"] == {
        "count": 3,
        "rate": 0.5,
        "dry": True,
        "text": "5",
        "bad": "many",
        "other": "a=b",
    }


def test_parameters_of_a_stored_suite_are_typed_by_what_is_stored(
    crosswind: Terminal, submitted: FakeApi
) -> None:
    stored = {"name": "shop", "team": "demo", "digest": "d", "updatedAt": "t", "updatedBy": "editor"}
    spec = {"spec": {"parameters": {"count": {"type": "integer"}}}}
    submitted.on("GET /api/v1/suites/shop", {**stored, "spec": spec})
    crosswind("run", "shop", "--param", "count=3")
    (request,) = submitted.sent("POST /api/v1/tests")
    assert json.loads(request.content)["parameters"] == {"count": 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a suite, or give one with -f suite.yaml"),
        (["shop", "-f", "suite.yaml"], "name a suite, or give one with -f suite.yaml"),
        (["shop", "--param", "x"], "--param 'x' is not KEY=VALUE"),
        (["shop", "--param", "x=1", "--param", "x=2"], "--param x is given twice"),
        (["-f", "missing.yaml"], "missing.yaml cannot be read"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(crosswind: Terminal, arguments: list[str], message: str) -> None:
    result = crosswind("run", *arguments)
    assert result.exit_code == 2
    assert f"error: {message}" in result.stderr


def test_get_shows_the_shards_when_asked(crosswind: Terminal, api: FakeApi) -> None:
    work = [{"workId": "shard-00000", "test": "api", "stage": 1, "state": "done", "attempt": 2}]
    work[0] |= {"testsDone": 3, "outcome": "completed", "reason": "lease_lost once"}
    api.on(GET_RUN, finished("passed", "All 3 tests passed.", work=work))
    result = crosswind("get", RUN, "--detail")
    assert result.exit_code == 0
    assert result.stdout == (
        f"PASSED  shop  {RUN}\n"
        "All 3 tests passed.\n"
        "team demo, P1, by editor, 12.5 s\n"
        "\n"
        "total  passed  failed  error  flaky  skipped  missing\n"
        "3      3       0       0      0      0        0\n"
        "\n"
        "shard        test  state      attempt  tests  failed  reason\n"
        "shard-00000  api   completed  2        3      0       lease_lost once\n"
    )
    assert api.requests[0].url.params["detail"] == "true"


def test_get_shows_experiments_beside_stages(crosswind: Terminal, api: FakeApi) -> None:
    ran = {"stage": "load", "experiment": "slow", "experimentRun": "exp-1", "state": "Analyzed"}
    ran |= {"verdict": "falsified", "reason": "answers was within tolerance in 10% of its samples."}
    refused = {"stage": "soak", "experiment": "down", "reason": "everything is halted"}
    api.on(GET_RUN, finished("passed", "All 3 tests passed.", chaos=[ran, refused]))
    assert crosswind("get", RUN).stdout.splitlines()[-2:] == [
        "chaos beside stage load: slow exp-1 falsified: answers was within tolerance in 10% of its samples.",
        "chaos beside stage soak: down not started: everything is halted",
    ]


def test_list_goes_through_the_pages_up_to_the_limit(crosswind: Terminal, api: FakeApi) -> None:
    row = {"executionId": RUN, "team": "demo", "suite": "shop", "priority": "P1", "actor": "editor"}
    row |= {"state": "finished", "createdAt": "2026-01-31T08:00:00.000Z", "verdict": "passed"}
    api.on("GET /api/v1/tests", {"items": [row, row], "nextCursor": "c"}, {"items": [row], "nextCursor": "d"})
    result = crosswind("list", "--limit", "3", "--verdict", "passed")
    first, second = api.requests
    assert dict(first.url.params) == {"verdict": "passed", "limit": "3"}
    assert dict(second.url.params) == {"verdict": "passed", "limit": "1", "cursor": "c"}
    assert result.stdout.splitlines()[1] == (f"{RUN}  shop   demo  passed   2026-01-31T08:00:00.000Z  editor")
    assert result.stderr == "there are more; raise --limit\n"


def test_results_show_messages_and_traces_without_control_characters(
    crosswind: Terminal, api: FakeApi
) -> None:
    bad = case("test_a", message="\x1b[31mboom\x1b]0;title\x07", details="line 1\nline \x1b[2J2", attempts=2)
    api.on(RESULTS, {"items": [bad], "complete": True})
    result = crosswind("results", RUN, "--status", "failed", "--details")
    assert api.requests[0].url.params["status"] == "failed"
    assert result.stdout == (
        "failed  test_a  (api, shard-00001, 0.25 s, 2 attempts)\n"
        "        [31mboom]0;title\n"
        "        line 1\n"
        "        line [2J2\n"
    )


def test_an_unknown_status_is_a_usage_error(crosswind: Terminal) -> None:
    assert crosswind("results", RUN, "--status", "sad").exit_code == 2


def test_cancel_says_what_becomes_of_the_run(crosswind: Terminal, api: FakeApi) -> None:
    api.on(f"DELETE /api/v1/tests/{RUN}", httpx.Response(202, json=run_view(cancelRequested=True)))
    result = crosswind("cancel", RUN)
    assert (result.exit_code, result.stdout) == (0, f"cancelling\nexecuting  shop  {RUN}\n")


def test_cancelling_with_wait_ends_with_the_status_of_a_cancelled_run(
    crosswind: Terminal, submitted: FakeApi
) -> None:
    submitted.on(f"DELETE /api/v1/tests/{RUN}", httpx.Response(202, json=run_view()))
    submitted.on(GET_RUN, finished("cancelled", "cancelled by editor"))
    assert crosswind("cancel", RUN, "--wait").exit_code == 2


def test_the_summary_of_a_run_without_failures_points_at_the_shards(
    crosswind: Terminal, submitted: FakeApi
) -> None:
    submitted.on(GET_RUN, finished("error", "no runner took the shard in 30 min"))
    result = crosswind("watch", RUN)
    assert f"  crosswind get {RUN} --detail\n  crosswind logs {RUN}\n" in result.stdout
