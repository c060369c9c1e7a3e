"""Histories from letters: one letter is one run of the test, an hour after the one before."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from crosswind.runs.history.model import Observation, Quarantine, QuarantineMode, TestHistory
from crosswind.runs.history.observing import observe
from tests.fakes.samples import run_id
from tests.fakes.time import START

STEP = timedelta(hours=1)


def seen(number: int, outcome: str, **changes: Any) -> Observation:
    """The n-th run, on the default branch, at a commit of its own."""
    values: dict[str, Any] = {
        "run_id": run_id(number),
        "at": START + number * STEP,
        "outcome": outcome,
        "seconds": 1.0,
        "commit": f"{number:040x}",
        "default_branch": True,
    }
    return Observation(**{**values, **changes})


def runs(outcomes: str, *, first: int = 0, **changes: Any) -> list[Observation]:
    """One run for each letter."""
    return [seen(first + number, outcome, **changes) for number, outcome in enumerate(outcomes)]


def told(
    observations: Iterable[Observation], history: TestHistory | None = None, *, late: timedelta = timedelta()
) -> TestHistory:
    """The history after some runs, each told as soon as it was submitted, or `late` by so much."""
    for each in observations:
        history = observe(history, case_id="id", name="t.py::a", observation=each, now=each.at + late)
    assert history is not None
    return history


def after(observations: Sequence[Observation]) -> datetime:
    """A minute after the last of some runs."""
    return observations[-1].at + timedelta(minutes=1)


def quarantine(**changes: Any) -> Quarantine:
    """Test `t.py::a` of job api, muted for two weeks."""
    values: dict[str, Any] = {
        "team": "demo",
        "suite": "shop",
        "test": "api",
        "name": "t.py::a",
        "mode": QuarantineMode.MUTE,
        "owner": "ada",
        "reason": "times out on Mondays",
        "ticket": "SHOP-1",
        "created_at": START,
        "created_by": "ada",
        "expires_at": START + timedelta(days=14),
    }
    return Quarantine(**{**values, **changes})
