"""`crosswind cost`."""

import json
from typing import Any

from tests.unit.cli.fake_api import RUN, FakeApi, Terminal

PRICES = {"date": "2026-11-01", "region": "us-east-1", "source": "list prices", "currency": "USD"}
PARTS = {"tests": 1.5, "startup": 0.02, "lost": 0.3, "control": 0.001, "total": 1.821}
ONE: dict[str, Any] = {
    "executionId": RUN,
    "team": "demo",
    "suite": "shop",
    "complete": True,
    "prices": PRICES,
    "cost": PARTS,
}
JOB: dict[str, Any] = {
    "test": "api",
    "shards": 4,
    "tests": 9,
    "testSeconds": 80,
    "capacity": "spot",
    "cost": PARTS,
}
USED = {"cpuP95Millis": 300, "cpuMaxMillis": 900, "memoryMaxMib": 700, "samples": 300}
SIZE: dict[str, Any] = {
    "suite": "shop",
    "test": "api",
    "runs": 5,
    "cpuMillis": 2000,
    "memoryMib": 8192,
    "used": USED,
    "verdict": "less",
    "cpu": "500m",
    "memory": "1024Mi",
    "savingPerRun": 0.05,
    "savingPerMonth": 1.25,
    "reason": "it used 300m of CPU for 95% of the time, and 700 MiB at most",
}
TEAM: dict[str, Any] = {
    "team": "demo",
    "days": 30,
    "runs": 2,
    "leftOut": 3,
    "prices": PRICES,
    "cost": PARTS,
    "suites": [{"suite": "shop", "runs": 2, "cost": PARTS}],
    "sizes": [SIZE],
}


def test_a_runs_cost_is_told_by_its_parts_and_jobs(crosswind: Terminal, api: FakeApi) -> None:
    api.on(f"GET /api/v1/tests/{RUN}/cost", {**ONE, "jobs": [JOB]})
    result = crosswind("cost", RUN)
    lines = result.stdout.splitlines()
    assert lines[0] == f"$1.82  shop  {RUN}"
    assert lines[1] == "  testing $1.50, start-up $0.0200, lost attempts $0.3000, control plane $0.0010"
    assert lines[4].split() == ["api", "4", "9", "spot", "$0.0200", "$0.3000", "$1.50", "$1.82"]
    assert "prices of 2026-11-01, us-east-1" in result.stderr


def test_shards_and_tests_are_listed_on_demand(crosswind: Terminal, api: FakeApi) -> None:
    shard = {"workId": "shard-00001", "test": "api", "pods": 0, "seconds": 0.0, "cost": {"total": 0.00001}}
    api.on(f"GET /api/v1/tests/{RUN}/cost", {**ONE, "shards": [shard], "more": 7})
    result = crosswind("cost", RUN, "--by", "shard")
    assert "shard-00001  api  pool" in result.stdout
    assert "$1.00e-05" in result.stdout
    assert "7 more are not shown" in result.stderr
    case = {
        "id": "x",
        "test": "api",
        "name": "t.py::a",
        "workId": "shard-00001",
        "seconds": 3,
        "dollars": 0.2,
    }
    api.on(f"GET /api/v1/tests/{RUN}/cost", {**ONE, "tests": [case]})
    assert "$0.2000  3.0 s  shard-00001  t.py::a" in crosswind("cost", RUN, "--by", "test").stdout


def test_a_teams_cost_names_sizes_that_do_not_fit(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/costs", TEAM)
    result = crosswind("cost", "--team", "demo")
    assert "$1.82  demo: 2 finished runs of 30 days" in result.stdout
    assert "shop/api: resources {cpu: 500m, memory: 1024Mi} instead of 2000m, 8192Mi" in result.stdout
    assert "saves $0.0500 a run, $1.25 a month; in 5 runs it used 300m" in result.stdout
    assert "3 runs were not counted in time" in result.stderr
    (request,) = api.sent("GET /api/v1/costs")
    assert dict(request.url.params) == {"team": "demo", "days": "30"}


def test_a_tests_cost_is_told_run_by_run(crosswind: Terminal, api: FakeApi) -> None:
    run = {
        "executionId": RUN,
        "at": "2026-01-31T08:00:00.000Z",
        "outcome": "p",
        "seconds": 2,
        "estimated": True,
        "dollars": 0.004,
    }
    test = {"suite": "shop", "test": "api", "id": "x", "name": "t.py::a", "dollars": 0.004, "runs": [run]}
    api.on("GET /api/v1/costs", {**TEAM, "tests": [test]})
    result = crosswind("cost", "--test", "t.py::a")
    assert "$0.0040  t.py::a  (shop/api)" in result.stdout
    assert f"2026-01-31T08:00:00.000Z  $0.0040  about 2.0 s  {RUN}" in result.stdout
    api.on("GET /api/v1/costs", TEAM)
    assert "no run of these days has reported a test" in crosswind("cost", "--test", "none").stdout


def test_json_is_the_answer(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/costs", TEAM)
    assert json.loads(crosswind("cost", "--json").stdout)["suites"][0]["cost"]["total"] == 1.821


def test_options_that_do_not_go_together_are_refused(crosswind: Terminal) -> None:
    for options in (("cost", RUN, "--days", "3"), ("cost", RUN, "--team", "x"), ("cost", "--by", "job")):
        assert crosswind(*options).exit_code == 2
