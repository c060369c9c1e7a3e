"""`crosswind schedule`, `crosswind trigger`, `crosswind deployed`."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.fake_api import FakeApi, Terminal, problem

SCHEDULE = """\
apiVersion: crosswind.dev/v1
kind: Schedule
metadata: {name: nightly, team: demo}
spec:
  suite: shop
  cron: "30 2 * * 1-5"
  timezone: Europe/Berlin
"""
TRIGGER = """\
apiVersion: crosswind.dev/v1
kind: Trigger
metadata: {name: smoke-it, team: demo}
spec:
  on: {type: platform.deployment.recorded.v1, service: shop}
  suite: smoke
"""
NEXT = [{"at": "2027-01-04T01:30:00.000Z", "local": "2027-01-04T02:30+01:00"}]
STORED: dict[str, Any] = {
    "name": "nightly",
    "team": "demo",
    "state": "active",
    "owner": "editor",
    "updatedAt": "2026-01-31T08:00:00.000Z",
    "spec": {"suite": "shop", "cron": "30 2 * * 1-5", "timezone": "Europe/Berlin"},
    "next": NEXT,
    "firings": [
        {
            "due": "2026-01-30T01:30:00.000Z",
            "at": "2026-01-30T01:30:01.000Z",
            "outcome": "skipped",
            "reason": "run-1, the run before, had not finished.",
        }
    ],
}
STORED_TRIGGER: dict[str, Any] = {
    "name": "smoke-it",
    "team": "demo",
    "owner": "editor",
    "updatedAt": "2026-01-31T08:00:00.000Z",
    "spec": {"on": {"type": "platform.deployment.recorded.v1", "service": "shop"}, "suite": "smoke"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "document.yaml"
    made.write_text(SCHEDULE)
    return made


def test_apply_stores_the_schedule_and_shows_its_next_runs(
    crosswind: Terminal, api: FakeApi, file: Path
) -> None:
    api.on("PUT /api/v1/schedules/nightly", {"created": True, "schedule": STORED})
    result = crosswind("schedule", "apply", "-f", str(file))
    assert result.stdout == (
        "stored  nightly  team demo  active\n"
        "next runs\n"
        "  2027-01-04T02:30+01:00  Europe/Berlin  (2027-01-04T01:30:00.000Z)\n"
    )
    (request,) = api.sent("PUT /api/v1/schedules/nightly")
    assert json.loads(request.content)["spec"]["cron"] == "30 2 * * 1-5"


def test_a_document_with_faults_is_told_with_its_lines_and_not_sent(
    crosswind: Terminal, api: FakeApi, file: Path
) -> None:
    file.write_text(SCHEDULE.replace("suite: shop", "suites: shop"))
    result = crosswind("schedule", "apply", "-f", str(file))
    assert result.exit_code == 2
    assert "spec.suites (line 5): there is no such field" in result.stderr
    assert not api.requests


def test_a_fault_of_a_cron_field_is_shown_under_its_name(
    crosswind: Terminal, api: FakeApi, file: Path
) -> None:
    faults = [{"path": "spec.cron.hour", "message": "`25` is not from 0 to 23", "expected": "0 to 23"}]
    api.on("POST /api/v1/schedule-previews", problem(422, "The input is not valid", "a fault", faults))
    result = crosswind("schedule", "next", "-f", str(file))
    assert result.exit_code == 2
    assert "  spec.cron.hour: `25` is not from 0 to 23; expected 0 to 23\n" in result.stderr


def test_get_shows_when_it_runs_and_what_became_of_the_last_ones(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/schedules/nightly", STORED)
    text = crosswind("schedule", "get", "nightly", "--team", "demo").stdout
    assert "30 2 * * 1-5 Europe/Berlin, overlap skip, owner editor" in text
    assert "2026-01-30T01:30:00.000Z  skipped  run-1, the run before, had not finished." in text
    assert json.loads(crosswind("schedule", "get", "nightly", "--json").stdout)["state"] == "active"


def test_next_shows_the_runs_of_a_stored_schedule_or_of_a_file_but_not_of_both(
    crosswind: Terminal, api: FakeApi, file: Path
) -> None:
    api.on("GET /api/v1/schedules/nightly", STORED)
    api.on("POST /api/v1/schedule-previews", {"next": NEXT})
    stored = crosswind("schedule", "next", "nightly", "--json")
    previewed = crosswind("schedule", "next", "-f", str(file), "--json")
    assert json.loads(stored.stdout) == json.loads(previewed.stdout) == {"next": NEXT}
    assert crosswind("schedule", "next").exit_code == 2


def test_list_goes_through_all_pages(crosswind: Terminal, api: FakeApi) -> None:
    row = {name: STORED[name] for name in ("name", "team", "state", "owner")}
    row |= {"suite": "shop", "when": "30 2 * * 1-5", "timezone": "Europe/Berlin", "next": NEXT[0]["at"]}
    api.on("GET /api/v1/schedules", {"items": [row], "nextCursor": "c"}, {"items": [row]})
    lines = crosswind("schedule", "list").stdout.splitlines()
    assert len(lines) == 3
    assert "30 2 * * 1-5 Europe/Berlin" in lines[1]


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("resume", "active")])
def test_pause_and_resume_tell_the_state(crosswind: Terminal, api: FakeApi, verb: str, state: str) -> None:
    after = {**STORED, "state": state, "next": [] if state == "paused" else NEXT}
    api.on(f"POST /api/v1/schedules/nightly/{verb}", after)
    told = crosswind("schedule", verb, "nightly").stdout.splitlines()
    assert told[:2] == [
        f"{state}  nightly",
        "no runs until it is resumed" if state == "paused" else "next runs",
    ]


def test_delete_names_what_is_gone(crosswind: Terminal, api: FakeApi) -> None:
    api.on("DELETE /api/v1/schedules/nightly", httpx.Response(204))
    api.on("DELETE /api/v1/triggers/smoke-it", httpx.Response(204))
    assert crosswind("schedule", "delete", "nightly").stdout == "deleted  nightly\n"
    assert crosswind("trigger", "delete", "smoke-it").stdout == "deleted  smoke-it\n"


def test_a_trigger_is_stored_and_listed_with_what_it_waits_for(
    crosswind: Terminal, api: FakeApi, file: Path
) -> None:
    file.write_text(TRIGGER)
    api.on("PUT /api/v1/triggers/smoke-it", {"created": False, "trigger": STORED_TRIGGER})
    api.on("GET /api/v1/triggers", {"items": [STORED_TRIGGER]})
    api.on("GET /api/v1/triggers/smoke-it", STORED_TRIGGER)
    assert crosswind("trigger", "apply", "-f", str(file)).stdout == "replaced  smoke-it  team demo\n"
    assert "platform.deployment.recorded.v1 (service shop)  smoke" in crosswind("trigger", "list").stdout
    assert "suite smoke" in crosswind("trigger", "get", "smoke-it").stdout


def test_a_deployment_with_a_fault_is_not_sent(crosswind: Terminal, api: FakeApi) -> None:
    result = crosswind("deployed", "shop", "--environment", "s", "--version", "1", "--commit", "xyz")
    assert result.exit_code == 2
    assert "commit: 'xyz' does not have the right form; expected 7 to 64 hexadecimal digits" in result.stderr
    assert not api.requests


def test_a_deployment_is_told_under_a_key(crosswind: Terminal, api: FakeApi) -> None:
    api.on("POST /api/v1/deployments", {"eventId": "deploy-1", "repeated": True})
    words = ("deployed", "shop", "--environment", "staging", "--version", "1.2", "--idempotency-key", "k")
    result = crosswind(*words)
    assert result.stdout == "recorded  deploy-1 (this key was used before: the same deployment)\n"
    (request,) = api.sent("POST /api/v1/deployments")
    assert request.headers["Idempotency-Key"] == "k"
    assert json.loads(request.content) == {"service": "shop", "environment": "staging", "version": "1.2"}
