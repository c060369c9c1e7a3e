"""Who is taken for gone, and when: the run's moves and the monitor's words are all that counts."""

from datetime import timedelta
from typing import Any

import pytest

from crosswind.chaos.engine.liveness import stranded
from crosswind.chaos.model import Abort
from crosswind.chaos.ports import MonitorState
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from tests.fakes import START
from tests.unit.chaos.engine.world import make_run, make_spec

_SPEC = make_spec()


def _monitor(*told: str, at: float = 0, ended: str | None = None) -> MonitorState:
    return MonitorState(
        leased=ended is None,
        done=ended is not None,
        last_beat_expires_at=None,
        announcements=told,
        ended_as=ended,
        moved_at=START + timedelta(seconds=at) if told or ended else None,
    )


def _cause(state: RunState, after: float, monitor: MonitorState | None = None, **fields: Any) -> str | None:
    run = make_run(_SPEC, state=state, moved_at=START, **fields)
    found = stranded(run, monitor, now=START + timedelta(seconds=after))
    return found.cause.value if found else None


@pytest.mark.parametrize(
    ("state", "last_fine", "first_late"),
    [
        (RunState.SCHEDULED, 179, 180),
        (RunState.PREFLIGHT_CHECK, 149, 150),
        (RunState.RUNNING, 149, 150),
        (RunState.COMPLETED, 19, 20),
        (RunState.ABORTED, 19, 20),
        (RunState.RECOVERY, 149, 150),
        (RunState.RECOVERY_UNVERIFIED, 49, 50),
    ],
)
def test_a_state_that_lasts_too_long_is_stranded(state: RunState, last_fine: int, first_late: int) -> None:
    assert _cause(state, last_fine) is None
    assert _cause(state, first_late) == "engine"


@pytest.mark.parametrize("state", [RunState.ANALYZED, RunState.BLOCKED])
def test_a_run_that_waits_for_nobody_is_left_alone(state: RunState) -> None:
    assert _cause(state, 10_000_000) is None


def test_a_step_may_be_watched_as_long_as_the_monitor_has_not_told() -> None:
    assert _cause(RunState.MONITORING, 3_000, _monitor("live"), step=1) is None


def test_what_the_monitor_told_is_picked_up_within_20_s() -> None:
    told = _monitor("live", "step-over", at=100)
    assert _cause(RunState.MONITORING, 119, told, step=1) is None
    assert _cause(RunState.MONITORING, 120, told, step=1) == "engine"


def test_a_breach_that_nobody_heard_is_still_the_cause() -> None:
    told = _monitor("live", "breach", at=100)
    assert _cause(RunState.MONITORING, 120, told, step=1) == "slo"
    assert _cause(RunState.PREFLIGHT_CHECK, 120, _monitor("unsteady", at=100)) == "steady-state"


def test_an_engine_that_began_to_act_has_its_own_time() -> None:
    told = _monitor("live", "step-over", at=-1)
    assert _cause(RunState.MONITORING, 149, told, step=1) is None
    assert _cause(RunState.MONITORING, 150, told, step=1) == "engine"


def test_a_monitor_that_ended_alone_is_silent() -> None:
    assert _cause(RunState.MONITORING, 40, _monitor("live", at=10, ended="error"), step=1) == "monitor-silent"
    assert _cause(RunState.MONITORING, 1, None, step=1) == "monitor-silent"


def test_an_abort_that_nobody_acts_on_is_acted_on() -> None:
    abort = Abort(AbortCause.ACTOR, "enough", "ada", START)
    assert _cause(RunState.RUNNING, 19, _monitor("live"), step=1, abort=abort) is None
    assert _cause(RunState.RUNNING, 20, _monitor("live"), step=1, abort=abort) == "engine"


def test_the_deadline_counts_whoever_works() -> None:
    deadline = START + timedelta(seconds=5)
    assert _cause(RunState.MONITORING, 5, _monitor("live"), step=1, deadline=deadline) == "timeout"


def test_a_proven_recovery_waits_for_the_monitor_and_then_for_nobody() -> None:
    assert _cause(RunState.RECOVERY, 60, _monitor("live"), undone_at=START) is None
    assert _cause(RunState.RECOVERY, 60, _monitor("live", at=50, ended="completed"), undone_at=START) is None
    assert (
        _cause(RunState.RECOVERY, 70, _monitor("live", at=50, ended="completed"), undone_at=START) == "engine"
    )
