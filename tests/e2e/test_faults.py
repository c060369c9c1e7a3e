"""Promises of recovery, kept by killing things for real: nothing is lost, counted twice, green by absence or left waiting."""

import os
import signal
import time
from typing import Any

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, pytest_job, running, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("faults")]

SLOW = {
    "tests/test_slow.py": """
import time
import pytest

@pytest.mark.parametrize("n", range(16))
def test_slow(n):
    time.sleep(0.5)
""",
}
FAILS_THEN_SLOW = {
    "tests/test_it.py": """
import os, pathlib, time

def test_good(): pass

def test_bad():
    assert pathlib.Path(os.environ['MARK']).exists(), 'not yet'
    time.sleep(6)
""",
}
SLEEPS = "sleep 20; echo '<testsuite><testcase name=\"n\"/></testsuite>' > report.xml"


def assert_each_test_once(api: Api, run: str, view: dict[str, Any], *, total: int) -> None:
    assert view["verdict"]["kind"] == "passed", view
    assert view["tests"]["total"] == total
    cases = api.cases(run)
    assert len(cases) == len({case["id"] for case in cases}) == total


def test_a_shard_whose_runner_was_killed_runs_again_and_counts_once(api: Api, cloud: Cloud) -> None:
    run = api.submit(suite([pytest_job(shards={"count": 2})], name="killed-runner"), files=SLOW)
    view = api.until(run, running)
    (victim, *_) = [work for work in view["work"] if work["state"] == "leased"]
    killed_at = time.monotonic()
    os.kill(cloud.runner_pid(victim["runner"]), signal.SIGKILL)

    def taken_again(view: dict[str, Any]) -> bool:
        return any(
            work["workId"] == victim["workId"] and work["attempt"] > 1 and work["state"] in {"leased", "done"}
            for work in view["work"]
        )

    api.until(run, taken_again, seconds=120)
    assert time.monotonic() - killed_at < 120
    assert_each_test_once(api, run, api.finished(run), total=16)


def test_an_execution_stopped_behind_the_platforms_back_is_recovered(api: Api, cloud: Cloud) -> None:
    run = api.submit(suite([pytest_job(shards={"count": 2})], name="stopped"), files=SLOW)
    api.until(run, running)
    cloud.stop_execution(run)
    assert_each_test_once(api, run, api.finished(run), total=16)


def test_a_stopped_execution_of_a_rerun_is_recovered_and_keeps_what_passed(
    api: Api, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mark = tmp_path_factory.mktemp("mark") / "there"
    job = pytest_job(env={"PYTHONPATH": ".deps", "MARK": str(mark)})
    run = api.submit(suite([job], name="stopped-rerun"), files=FAILS_THEN_SLOW)
    assert api.finished(run)["verdict"]["kind"] == "failed"
    mark.touch()
    answer = api.http.post(f"/api/v1/tests/{run}/reruns", json={"failed": True})
    assert answer.status_code == 202, answer.text
    api.until(run, running)
    cloud.stop_execution(f"{run}-a2")
    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view
    assert {case["name"]: case["status"] for case in api.cases(run)} == {
        "tests/test_it.py::test_good": "passed",
        "tests/test_it.py::test_bad": "flaky",
    }


def test_killed_lambda_workers_lose_nothing(api: Api, cloud: Cloud) -> None:
    run = api.submit(suite([pytest_job(shards={"count": 4})], name="killed-lambdas"), files=SLOW)
    api.until(run, running)
    assert cloud.kill_lambda_workers() > 0
    assert_each_test_once(api, run, api.finished(run), total=16)


def test_a_killed_emulator_comes_back_and_the_run_goes_on(api: Api, cloud: Cloud) -> None:
    run = api.submit(suite([pytest_job(shards={"count": 2})], name="killed-emulator"), files=SLOW)
    api.until(run, running)
    time.sleep(5)  # older than the snapshot's interval, so the run itself is kept
    cloud.kill_emulator()
    cloud.up()
    assert_each_test_once(api, run, api.finished(run), total=16)


@pytest.mark.parametrize("when", ["at-once", "preparing", "executing"])
def test_a_run_cancelled_at_any_step_ends_cancelled_and_frees_what_it_held(
    api: Api, cloud: Cloud, when: str
) -> None:
    setup: dict[str, Any] = {"setup": ["sleep 20"]} if when == "preparing" else {}
    run = api.submit(suite([command_job(SLEEPS, **setup)], name=f"cancel-{when}"), files={"readme": when})
    if when == "preparing":
        api.until(run, lambda view: any(work["state"] == "leased" for work in view["work"]))
    elif when == "executing":
        api.until(run, running)
    answer = api.http.delete(f"/api/v1/tests/{run}")
    assert answer.status_code == 202
    view = api.finished(run)
    assert view["verdict"]["kind"] == "cancelled", view
    assert all(work["state"] == "done" for work in view["work"])
    assert cloud.active_entries(run) == []
    assert api.http.delete(f"/api/v1/tests/{run}").status_code in {202, 409}


def test_a_run_that_reaches_its_timeout_ends_with_that_reason(api: Api) -> None:
    run = api.submit(suite([command_job(SLEEPS)], name="run-timeout", timeout="5s"), files={"readme": "x"})
    view = api.finished(run)
    assert view["verdict"]["kind"] == "error", view
    assert "5s" in view["verdict"]["reason"] or "timeout" in view["verdict"]["reason"]
