"""Runs that nobody submits: a schedule's alarm, and an event that triggers, on the embedded cloud."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, pack, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("schedules")]

REPORT = '<testsuite name="s"><testcase classname="c" name="one"/></testsuite>'
ALARM_SECONDS = 300.0
"""The emulator looks at its schedules each 10 s, and the backstop comes each minute; a busy machine is late for both."""


@pytest.fixture
def stored(api: Api) -> Iterator[str]:
    """A stored suite that passes at once."""
    name = f"timed-{time.time_ns()}"
    document = suite([command_job(f"echo '{REPORT}' > report.xml")], name=name)
    digest = api.upload(pack({"readme.txt": "nothing is needed"}))
    document["spec"]["stages"][0]["tests"][0]["source"] = {"archive": {"digest": digest}}
    answer = api.http.put(f"/api/v1/suites/{name}", json=document)
    assert answer.is_success, answer.text
    yield name
    api.http.delete(f"/api/v1/suites/{name}").raise_for_status()


def put(api: Api, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Store a schedule or a trigger."""
    document = {
        "apiVersion": "crosswind.dev/v1",
        "kind": kind,
        "metadata": {"name": name, "team": "demo"},
        "spec": spec,
    }
    answer = api.http.put(f"/api/v1/{kind.lower()}s/{name}", json=document)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def until(look: Callable[[], Any], *, seconds: float) -> Any:
    """Look until there is something to see."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(1)
    raise AssertionError(f"nothing came within {seconds} s")


def runs_of(api: Api, name: str) -> list[dict[str, Any]]:
    """Runs of a suite."""
    answer = api.http.get("/api/v1/tests", params={"team": "demo", "suite": name})
    answer.raise_for_status()
    return list(answer.json()["items"])


def firings_of(api: Api, name: str) -> list[dict[str, Any]]:
    """What became of a schedule's due runs."""
    answer = api.http.get(f"/api/v1/schedules/{name}", params={"team": "demo"})
    answer.raise_for_status()
    return list(answer.json()["firings"])


def test_a_schedule_starts_its_suite_by_an_alarm_and_a_trigger_follows_the_verdict(
    cloud: Cloud, api: Api, stored: str
) -> None:
    after = f"after-{stored}"
    document = api.http.get(f"/api/v1/suites/{stored}", params={"team": "demo"}).json()["spec"]
    document["metadata"]["name"] = after
    api.http.put(f"/api/v1/suites/{after}", json=document).raise_for_status()
    on = {"type": "runs.run.finished.v1", "suite": stored, "verdicts": ["passed"]}
    put(api, "Trigger", after, {"on": on, "suite": after})

    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20)  # the first call starts a Lambda
    answer = put(api, "Schedule", stored, {"suite": stored, "at": due.isoformat(), "priority": "P0"})
    assert answer["schedule"]["state"] == "active"

    (firing,) = until(lambda: firings_of(api, stored), seconds=ALARM_SECONDS)
    assert firing["outcome"] == "fired", firing
    view = api.finished(firing["executionId"])
    assert (view["verdict"]["kind"], view["priority"]) == ("passed", "P0")
    assert view["actor"] == f"schedule:{stored}"

    (row,) = until(lambda: runs_of(api, after), seconds=ALARM_SECONDS)
    followed = api.finished(row["executionId"])
    assert followed["verdict"]["kind"] == "passed"
    assert followed["trigger"].startswith(f"trigger {after} of ")
    assert len(runs_of(api, stored)) == 1
    api.http.delete(f"/api/v1/triggers/{after}", params={"team": "demo"}).raise_for_status()


def test_a_schedule_of_every_minute_fires_a_minute_once_until_it_is_paused(
    cloud: Cloud, api: Api, stored: str
) -> None:
    put(api, "Schedule", stored, {"suite": stored, "cron": "* * * * *", "overlap": "allow"})
    until(lambda: runs_of(api, stored), seconds=ALARM_SECONDS)
    paused = api.http.post(f"/api/v1/schedules/{stored}/pause", params={"team": "demo"})
    assert paused.json()["state"] == "paused"
    firings = firings_of(api, stored)
    assert len({each["due"] for each in firings}) == len(firings)
    fired = [each for each in firings if each["outcome"] == "fired"]
    assert {each["outcome"] for each in firings} <= {"fired", "missed"}  # a machine may be a minute late
    assert len({each["executionId"] for each in fired}) == len(fired) == len(runs_of(api, stored)) > 0
    api.http.delete(f"/api/v1/schedules/{stored}", params={"team": "demo"}).raise_for_status()


def test_a_deployment_starts_the_suite_that_waits_for_it(cloud: Cloud, api: Api, stored: str) -> None:
    on = {"type": "platform.deployment.recorded.v1", "service": "shop", "environment": "staging"}
    put(api, "Trigger", stored, {"on": on, "suite": stored})
    for environment in ("production", "staging"):
        words = ("shop", "--environment", environment, "--version", "1.2.3", "--team", "demo", "--json")
        done = cloud.crosswind(
            "deployed", *words, CROSSWIND_TOKEN=cloud.token("editor"), CROSSWIND_ENDPOINT=cloud.endpoint
        )
        assert done.returncode == 0, done.stderr
    (row,) = until(lambda: runs_of(api, stored), seconds=ALARM_SECONDS)
    assert api.finished(row["executionId"])["verdict"]["kind"] == "passed"
    api.http.delete(f"/api/v1/triggers/{stored}", params={"team": "demo"}).raise_for_status()


def test_faults_of_a_schedule_are_told_by_field(cloud: Cloud, api: Api, stored: str) -> None:
    document = {
        "apiVersion": "crosswind.dev/v1",
        "kind": "Schedule",
        "metadata": {"name": stored, "team": "demo"},
        "spec": {"suite": stored, "cron": "61 25 * * *", "timezone": "Mars/Base"},
    }
    answer = api.http.post("/api/v1/schedule-previews", json=document)
    assert answer.status_code == 422
    assert {each["path"] for each in answer.json()["errors"]} == {
        "spec.cron.minute",
        "spec.cron.hour",
        "spec.timezone",
    }
