"""Quarantine, flaky tests and one test's history."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from crosswind.cli.errors import CliError
from crosswind.cli.quarantine import expiry
from tests.unit.cli.fake_api import NOW, RUN, FakeApi, Terminal, problem

HELD: dict[str, Any] = {
    "team": "demo",
    "suite": "shop",
    "test": "api",
    "name": "t.py::a",
    "mode": "mute",
    "owner": "ada",
    "reason": "times out on Mondays",
    "createdAt": "2026-01-31T08:00:00.000Z",
    "createdBy": "editor",
    "expiresAt": "2026-02-14T08:01:00.000Z",
    "active": True,
}
FLAKY: dict[str, Any] = {
    "id": "a" * 32,
    "suite": "shop",
    "test": "api",
    "variant": "browser=chrome",
    "name": "t.py::a",
    "state": "flaky",
    "reason": f"It failed and then passed in {RUN}.",
    "since": "2026-01-31T08:00:00.000Z",
    "outcomes": "pplpp",
    "failureRate": 0.0,
    "flakyOdds": 0.55,
}
ADD = (
    "quarantine",
    "add",
    "t.py::a",
    "--suite",
    "shop",
    "--job",
    "api",
    "--owner",
    "ada",
    "--reason",
    "slow",
)


def test_add_puts_the_test_into_quarantine_for_two_weeks(crosswind: Terminal, api: FakeApi) -> None:
    api.on("PUT /api/v1/quarantines", {"quarantine": HELD, "created": True, "known": True})
    result = crosswind(*ADD)
    assert result.stdout == "in quarantine  t.py::a  mute until 2026-02-14T08:01:00.000Z\n"
    assert not result.stderr
    (request,) = api.sent("PUT /api/v1/quarantines")
    assert json.loads(request.content) == {
        "suite": "shop",
        "test": "api",
        "name": "t.py::a",
        "mode": "mute",
        "owner": "ada",
        "reason": "slow",
        "expiresAt": "2026-02-14T08:01:00.000Z",
    }


def test_add_warns_of_a_test_that_nobody_has_seen(crosswind: Terminal, api: FakeApi) -> None:
    api.on("PUT /api/v1/quarantines", {"quarantine": HELD, "created": False, "known": False})
    result = crosswind(*ADD, "--mode", "skip", "--ticket", "SHOP-1", "--team", "demo")
    assert result.stdout.startswith("changed  t.py::a")
    assert "no run of shop has reported a test 't.py::a' of job api; is it spelled right?" in result.stderr
    (request,) = api.sent("PUT /api/v1/quarantines")
    assert json.loads(request.content).items() >= {"mode": "skip", "ticket": "SHOP-1", "team": "demo"}.items()


def test_add_needs_an_owner_and_a_reason(crosswind: Terminal, api: FakeApi) -> None:
    result = crosswind("quarantine", "add", "t.py::a", "--suite", "shop", "--job", "api")
    assert result.exit_code == 2
    assert "--owner" in result.stderr
    assert not api.requests


def test_add_names_the_option_that_is_wrong(crosswind: Terminal, api: FakeApi) -> None:
    result = crosswind(*ADD[:4], "No Suite", *ADD[5:])
    assert result.exit_code == 2
    assert "the options have faults" in result.stderr
    assert "suite" in result.stderr
    assert not api.requests


def test_add_shows_what_the_api_refuses(crosswind: Terminal, api: FakeApi) -> None:
    faults = [{"path": "expiresAt", "message": "is more than 30 days ahead", "expected": "sooner"}]
    api.on("PUT /api/v1/quarantines", problem(422, "The input is not valid", "no valid end", faults))
    result = crosswind(*ADD, "--expires", "60d")
    assert result.exit_code == 2
    assert "expiresAt: is more than 30 days ahead; expected sooner" in result.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14d", "2026-02-14T08:01:00.000Z"),
        ("12h", "2026-01-31T20:01:00.000Z"),
        ("30m", "2026-01-31T08:31:00.000Z"),
        ("2026-02-03", "2026-02-03T23:59:59.000Z"),
        ("2026-02-03T10:00+01:00", "2026-02-03T09:00:00.000Z"),
    ],
)
def test_an_expiry_is_a_duration_a_day_or_a_moment(text: str, expected: str) -> None:
    assert expiry(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "0d", "14", "2026-02-03T10:00", "2026-13-01"])
def test_an_expiry_that_is_none_of_these_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="no time to expire"):
        expiry(text, now=datetime(2026, 1, 1, tzinfo=UTC))


def test_list_shows_those_that_hold(crosswind: Terminal, api: FakeApi) -> None:
    over = {**HELD, "name": "t.py::old", "active": False}
    api.on("GET /api/v1/quarantines", {"items": [HELD, over]})
    assert crosswind("quarantine", "list").stdout == (
        "suite  job  test     mode  until                     owner  ticket  reason\n"
        "shop   api  t.py::a  mute  2026-02-14T08:01:00.000Z  ada            times out on Mondays\n"
    )
    assert "2026-02-14T08:01:00.000Z (expired)" in crosswind("quarantine", "list", "--expired").stdout
    (item,) = json.loads(crosswind("quarantine", "list", "--json", "--suite", "shop").stdout)["items"]
    assert item["name"] == "t.py::a"
    assert api.requests[-1].url.params["suite"] == "shop"


def test_an_empty_list_says_so(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/quarantines", {"items": []})
    assert crosswind("quarantine", "list").stdout == "no test is in quarantine\n"


def test_remove_names_what_gates_again(crosswind: Terminal, api: FakeApi) -> None:
    api.on("DELETE /api/v1/quarantines", httpx.Response(204))
    command = ("quarantine", "remove", "t.py::a[ü]", "--suite", "shop", "--job", "api")
    assert crosswind(*command).stdout == "removed  t.py::a[ü]\n"
    assert json.loads(crosswind(*command, "--json").stdout) == {"name": "t.py::a[ü]", "removed": True}
    assert dict(api.requests[0].url.params) == {"suite": "shop", "test": "api", "name": "t.py::a[ü]"}


def test_flaky_tests_are_shown_with_outcomes_odds_and_why(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/flaky", {"items": [{**FLAKY, "quarantine": HELD}], "total": 3})
    result = crosswind("flaky", "--suite", "shop")
    assert result.stdout == (
        "flaky   t.py::a  (shop/api/browser=chrome)\n"
        "        pplpp  next failure is chance: 55%, fails in 0% of its runs\n"
        f"        It failed and then passed in {RUN}.\n"
        "        in quarantine (mute) until 2026-02-14T08:01:00.000Z, owner ada\n"
    )
    assert result.stderr == "2 more; raise --limit\n"
    assert api.requests[0].url.params["suite"] == "shop"


def test_no_flaky_test_is_good_news(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/flaky", {"items": [], "total": 0})
    assert crosswind("flaky").stdout == "no test is flaky or broken\n"
    assert json.loads(crosswind("flaky", "--json").stdout) == {"items": [], "total": 0}


def history() -> dict[str, Any]:
    seen = {
        "executionId": RUN,
        "at": "2026-01-31T08:00:00.000Z",
        "outcome": "p",
        "seconds": 1.234,
        "commit": "c" * 40,
        "defaultBranch": True,
        "counted": True,
    }
    outage = {**seen, "outcome": "f", "seconds": None, "counted": False, "defaultBranch": False}
    first_seen = "2026-01-01T00:00:00.000Z"
    item = {"test": FLAKY, "firstSeen": first_seen, "failingSince": RUN, "observations": [outage, seen]}
    return {"items": [item]}


def test_a_history_is_a_line_for_each_run(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/history", history())
    result = crosswind("history", "t.py::a", "--suite", "shop")
    lines = result.stdout.splitlines()
    assert lines[3] == f"        failing on the default branch since {RUN}"
    assert lines[4].split() == ["run", "submitted", "outcome", "took", "branch", "commit"]
    assert lines[5].split()[:3] == [RUN, "2026-01-31T08:00:00.000Z", "failed"]
    assert lines[5].endswith("not counted: under chaos, or most tests failed")
    assert lines[6].split()[2:] == ["passed", "1.23", "s", "default", "cccccccccccc"]
    assert dict(api.requests[0].url.params) == {"suite": "shop", "name": "t.py::a"}
    assert json.loads(crosswind("history", "t.py::a", "--suite", "shop", "--json").stdout)["items"]


def test_a_history_is_found_by_id_too(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/history", history())
    assert crosswind("history", "a" * 32, "--suite", "shop", "--limit", "1").exit_code == 0
    assert dict(api.requests[0].url.params) == {"suite": "shop", "id": "a" * 32}
