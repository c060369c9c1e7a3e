"""Pulling, reruns, plans, history and pauses as a user meets them, on the embedded cloud with real runners."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

import pytest

from crosswind.kernel.clock import SystemClock, to_iso
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, pack, pytest_job, running, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("enforced")]

FILES = 12
PULLED = {
    **{
        f"tests/test_{number:02d}.py": "import time\ndef test_one(): time.sleep(0.3)\ndef test_two(): pass\n"
        for number in range(FILES)
    },
}
FAILS_ONCE = {
    "tests/test_mixed.py": (
        "import os, pathlib\n"
        "def test_good(): pass\n"
        "def test_bad():\n"
        "    assert pathlib.Path(os.environ['MARK']).exists(), 'not yet'\n"
    ),
    "tests/test_other.py": "def test_other(): pass\n",
}


def named(api: Api, run: str) -> dict[str, str]:
    return {case["name"]: case["status"] for case in api.cases(run)}


def test_a_killed_runner_gives_its_batch_back_and_every_test_counts_once(api: Api, cloud: Cloud) -> None:
    run = api.submit(suite([pytest_job(shards={"count": 2})], name="pulled"), files=PULLED)
    view = api.until(run, running)
    (victim, *_) = [work for work in view["work"] if work["state"] == "leased"]
    time.sleep(1.0)  # into its first batches
    os.kill(cloud.runner_pid(victim["runner"]), signal.SIGKILL)
    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view
    cases = api.cases(run)
    assert len(cases) == len({case["id"] for case in cases}) == 2 * FILES


def test_a_test_that_kills_its_process_fails_and_costs_no_other_test(api: Api) -> None:
    files = {**PULLED, "tests/test_99.py": "import os\ndef test_dies(): os._exit(7)\n"}
    run = api.submit(suite([pytest_job(shards={"count": 2})], name="dying"), files=files)
    view = api.finished(run)
    assert view["verdict"]["kind"] == "failed", view
    statuses = named(api, run)
    assert statuses.pop("tests/test_99.py::test_dies") == "error"
    assert set(statuses.values()) == {"passed"}
    assert len(statuses) == 2 * FILES


def test_rerunning_what_failed_keeps_what_passed_and_tells_that_it_is_flaky(
    api: Api, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mark = tmp_path_factory.mktemp("mark") / "there"
    job = pytest_job(shards={"count": 2}, env={"PYTHONPATH": ".deps", "MARK": str(mark)})
    run = api.submit(suite([job], name="rerun"), files=FAILS_ONCE)
    assert api.finished(run)["verdict"]["kind"] == "failed"
    why = api.http.get(f"/api/v1/tests/{run}/why").raise_for_status().json()
    assert "test_bad" in str(why)
    mark.touch()
    answer = api.http.post(f"/api/v1/tests/{run}/reruns", json={"failed": True})
    assert answer.status_code == 202, answer.text
    assert api.http.get(f"/api/v1/tests/{run}/why").is_success
    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view
    assert named(api, run) == {
        "tests/test_mixed.py::test_bad": "flaky",
        "tests/test_mixed.py::test_good": "passed",
        "tests/test_other.py::test_other": "passed",
    }
    assert api.http.post(f"/api/v1/tests/{run}/reruns", json={"failed": True}).status_code == 409


def test_the_history_learns_and_quarantine_keeps_a_failure_from_gating(api: Api) -> None:
    files = {"tests/test_q.py": "def test_bad(): assert False\ndef test_good(): pass\n"}
    spec = suite([pytest_job(shards={"count": 1})], name="quarantined")
    assert api.finished(api.submit(spec, files=files))["verdict"]["kind"] == "failed"
    until(lambda: history(api, "quarantined", "tests/test_q.py::test_bad"))
    body = {
        "team": "demo",
        "suite": "quarantined",
        "test": "unit",
        "name": "tests/test_q.py::test_bad",
        "mode": "mute",
        "owner": "ada",
        "reason": "the mail server is being replaced",
        "expiresAt": to_iso(SystemClock().now() + timedelta(days=7)),
    }
    answer = api.http.put("/api/v1/quarantines", json=body)
    assert answer.is_success, answer.text
    view = api.finished(api.submit(spec, files=files))
    assert view["verdict"]["kind"] == "passed", view
    assert "quarantine" in view["verdict"]["reason"]


def history(api: Api, name: str, test: str) -> bool:
    answer = api.http.get("/api/v1/history", params={"team": "demo", "suite": name, "name": test})
    return answer.is_success and bool(answer.json())


def test_a_plan_prints_the_curve_and_runs_nothing(api: Api) -> None:
    spec = suite([pytest_job(shards={"count": "auto", "targetTime": "1m"})], name="planned")
    digest = api.upload(pack(PULLED))
    spec["spec"]["stages"][0]["tests"][0]["source"] = {"archive": {"digest": digest}}
    answer = api.http.post("/api/v1/plans", json={"spec": spec})
    assert answer.status_code == 202, answer.text
    plan = answer.json()["planId"]
    view: dict[str, Any] = {}

    def ready() -> bool:
        view.update(api.http.get(f"/api/v1/plans/{plan}").raise_for_status().json())
        return bool(view.get("curve"))

    until(ready)
    assert view["curve"]
    listed = api.http.get("/api/v1/tests", params={"suite": "planned"}).raise_for_status().json()
    assert listed["items"] == []


def test_a_paused_run_starts_nothing_until_it_is_resumed(api: Api) -> None:
    report = "sleep 1; echo '<testsuite><testcase name=\"n\"/></testsuite>' > report.xml"
    run = api.submit(
        suite([command_job(report, shards={"count": 6})], name="paused", concurrency=1), files={"readme": "p"}
    )
    api.until(run, lambda view: view["shards"]["done"] >= 1)
    api.http.post(f"/api/v1/tests/{run}/pause").raise_for_status()
    time.sleep(3.0)  # what ran when it was paused has ended
    before = api.run(run)["shards"]
    assert before["done"] < 6
    time.sleep(3.0)
    assert api.run(run)["shards"] == before
    why = api.http.get(f"/api/v1/tests/{run}/why").raise_for_status().json()
    assert "pause" in str(why)
    api.http.post(f"/api/v1/tests/{run}/resume").raise_for_status()
    assert api.finished(run)["shards"]["done"] == 6


def test_fail_fast_ends_the_other_shards_as_failed_and_not_as_lost(api: Api) -> None:
    failing = '<testsuite><testcase name=\\"n$CROSSWIND_SHARD_INDEX\\"><failure/></testcase></testsuite>'
    command = f'test $CROSSWIND_SHARD_INDEX = 0 || sleep 60; echo "{failing}" > report.xml; exit 1'
    job = command_job(command, shards={"count": 4}, failFast=True)
    view = api.finished(api.submit(suite([job], name="fail-fast"), files={"readme": "f"}))
    assert view["verdict"]["kind"] == "failed", view


def test_a_stage_for_cleaning_up_runs_after_a_failure(api: Api) -> None:
    report = "echo '<testsuite><testcase name=\"n\"/></testsuite>' > report.xml"
    bad = "echo '<testsuite><testcase name=\"b\"><failure/></testcase></testsuite>' > report.xml; exit 1"
    spec = suite([command_job(bad, "bad")], [command_job(report, "never")], [command_job(report, "clean")])
    spec["spec"]["stages"][2]["when"] = "always"
    run = api.submit(spec, files={"readme": "s"})
    view = api.finished(run)
    assert view["verdict"]["kind"] == "failed", view
    assert {case["test"] for case in api.cases(run)} == {"bad", "clean"}


def until(reached: Any, *, seconds: float = 300.0) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not reached in {seconds:.0f} s"
        time.sleep(0.5)
