"""How a job is planned. Input: a job and what the executor allows. Output: method, units, shards, reasons. Pure."""

from dataclasses import replace
from typing import Any

import pytest

from crosswind.contracts.suites import Distribution
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.planning.jobs import AUTO_TESTS_PER_SHARD, Job, expected, fewest, plan_job, uses_xdist
from crosswind.runs.planning.launching import FARGATE
from crosswind.runs.planning.splitting import Method
from tests.unit.runs.planning.samples import limits, make_job, make_test


def test_tests_of_pytest_are_pulled_from_one_list() -> None:
    plan = plan_job(make_job(shards=4), limits())
    assert plan.method is Method.PULL
    assert plan.shards == 4
    assert plan.reason is None
    assert [unit.test_ids for unit in plan.pull] == [(name,) for name in plan.job.test_ids or ()]


@pytest.mark.parametrize(
    ("changes", "seconds", "method", "words"),
    [
        ({"distribution": Distribution.STATIC}, 10.0, Method.BY_DURATION, None),
        (
            {"distribution": Distribution.STATIC},
            None,
            Method.BY_COUNT,
            "no test of it has a measured duration",
        ),
        ({"args": ("-n", "4")}, 10.0, Method.BY_DURATION, "pytest-xdist"),
        ({"shards": 1}, 10.0, Method.BY_DURATION, None),
        ({}, None, Method.PULL, "no test of it has a measured duration"),
    ],
)
def test_a_fallback_says_its_reason(
    changes: dict[str, Any], seconds: float | None, method: Method, words: str | None
) -> None:
    plan = plan_job(make_job(seconds=seconds, **{"shards": 4, **changes}), limits())
    assert plan.method is method
    assert (plan.reason or "").startswith(words or "")
    assert (plan.reason is None) == (words is None)


def test_a_history_that_cannot_be_read_is_told_as_the_reason() -> None:
    job = replace(make_job(seconds=None, shards=2), fault="the durations could not be read: throttled")
    assert plan_job(job, limits()).reason == "the durations could not be read: throttled"


def test_a_framework_that_lists_no_tests_runs_whole() -> None:
    job = Job(test=make_test(framework="command", shards=3), discovered=None)
    plan = plan_job(job, limits())
    assert plan.method is Method.WHOLE
    assert [share.test_ids for share in plan.shares] == [None, None, None]
    assert plan_job(replace(job, test=make_test(framework="command")), limits()).shards == 1


def test_quarantined_tests_are_left_out() -> None:
    skipped = "test_00001.py::test"
    plan = plan_job(make_job(3, shards=3, skips={skipped: "flaky"}), limits())
    assert [unit.test_ids[0] for unit in plan.units or ()] == ["test_00000.py::test", "test_00002.py::test"]
    assert plan.shards == 2
    only = plan_job(make_job(1, skips={"test_00000.py::test": "flaky"}), limits())
    assert only.shards == 0


def test_auto_follows_the_work_and_what_a_machine_takes_to_start() -> None:
    assert plan_job(make_job(60), limits()).shards == 10
    assert plan_job(make_job(60), limits(launching=FARGATE)).shards == 5
    unknown = make_job(AUTO_TESTS_PER_SHARD * 10, seconds=None)
    assert plan_job(unknown, limits()).shards == 10


def test_auto_is_bounded_and_says_by_what() -> None:
    assert "at most 4 run at once" in plan_job(make_job(600), limits(4)).shards_reason
    assert "maxParallel is 3" in plan_job(make_job(600, max_parallel=3), limits()).shards_reason
    serial = plan_job(make_job(600, anti_affinity="account"), limits())
    assert serial.shards == 1
    assert "'account'" in serial.shards_reason


def test_a_target_takes_the_fewest_shards_that_reach_it() -> None:
    plan = plan_job(make_job(600, target_seconds=400), limits(launching=FARGATE))
    assert expected(plan, limits(launching=FARGATE)).p90 <= 400
    fewer = plan_job(make_job(600, shards=plan.shards - 1), limits(launching=FARGATE))
    assert expected(fewer, limits(launching=FARGATE)).p90 > 400


def test_a_target_out_of_reach_takes_what_comes_nearest_and_says_so() -> None:
    plan = plan_job(make_job(20, seconds=60.0, target_seconds=30), limits())
    assert "targetTime 30 s is out of reach" in plan.shards_reason
    assert 0 < plan.shards <= 20


def test_a_test_that_is_listed_twice_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'a'"):
        plan_job(Job(test=make_test(), discovered=("a", "a")), limits())


@pytest.mark.parametrize(
    ("changes", "uses"),
    [
        ({}, False),
        ({"args": ("-n4",)}, True),
        ({"args": ("-n", "0")}, False),
        ({"args": ("--numprocesses=auto",)}, True),
        ({"args": ("-nothing", "--no-header")}, False),
        ({"command": "python -m pytest -n auto"}, True),
        ({"env": {"PYTEST_ADDOPTS": "-q -n logical"}}, True),
        ({"command": "pytest 'unbalanced"}, False),
    ],
)
def test_xdist_is_recognised(changes: dict[str, Any], uses: bool) -> None:
    assert uses_xdist(make_test(**changes)) is uses


@pytest.mark.parametrize(
    ("holds", "found"), [(range(7, 101), 7), (range(1, 101), 1), (range(101, 200), None)]
)
def test_the_fewest_is_found_by_bisection(holds: range, found: int | None) -> None:
    assert fewest(lambda count: count in holds, 100) == found


def test_the_fewest_is_found_where_more_would_be_slower() -> None:
    assert fewest(lambda count: 20 <= count <= 60, 100) == 20
