"""Jobs for the tests of planning."""

from typing import Any

from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.resolved import ResolvedTest
from crosswind.runs.frameworks.catalogue import builtin
from crosswind.runs.history.model import Timing
from crosswind.runs.planning.jobs import Job, Limits
from crosswind.runs.planning.launching import POOL, Launching

_pytest = builtin("pytest")
assert _pytest is not None
PYTEST: FrameworkSpec = _pytest


def make_test(**changes: Any) -> ResolvedTest:
    """A pytest job that leaves everything to the planner."""
    values: dict[str, Any] = {
        "name": "unit",
        "stage": 0,
        "framework": "pytest",
        "args": (),
        "env": {},
        "secret_refs": {},
        "shards": "auto",
        "test_retries": 0,
        "infrastructure_retries": 3,
        "timeout_seconds": 60,
        "reports": (),
        "artifacts": (),
    }
    return ResolvedTest(**{**values, **changes})


def make_job(
    count: int = 100, *, seconds: float | None = 10.0, skips: dict[str, str] | None = None, **changes: Any
) -> Job:
    """So many tests in files of their own, each measured to take so long; None: never measured."""
    ids = tuple(f"test_{number:05d}.py::test" for number in range(count))
    timings = {} if seconds is None else {name: Timing(seconds, 0.0, 5) for name in ids}
    return Job(test=make_test(**changes), discovered=ids, timings=timings, skips=skips or {})


def limits(at_most: int = 100, launching: Launching = POOL) -> Limits:
    """What may run at once, and where."""
    return Limits(at_most=at_most, launching=launching, seed="test")
