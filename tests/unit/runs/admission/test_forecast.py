"""What a waiting run can expect."""

from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.forecast import Forecast, expected_end, forecast
from crosswind.runs.admission.model import Capacity, Lane, Queue, QueueEntry, Reason, TeamPolicy, Usage
from tests.fakes import START, make_entry
from tests.fakes.samples import run_id
from tests.unit.runs.admission.samples import P0, P2, at_work, waiting


def outlook(
    run: int, *queue: list[QueueEntry], active: list[QueueEntry] | None = None, **changes: Any
) -> Forecast:
    """The forecast of a run, with two slots unless told otherwise."""
    entries = [entry for part in queue for entry in part]
    paused = changes.pop("paused", ())
    found = forecast(
        Queue.of(entries, paused=paused),
        Usage(tuple(active or ())),
        Capacity(**{"slots": 2, **changes}),
        START,
        run_id=run_id(run),
    )
    assert found is not None
    return found


def minutes(found: Forecast) -> float | None:
    """From now to the expected start."""
    return None if found.expected_start is None else (found.expected_start - START).total_seconds() / 60


def test_a_run_that_fits_starts_now() -> None:
    found = outlook(1, waiting())
    assert (found.position, minutes(found), found.binding, found.must_finish) == (1, 0, Reason.ADMITTED, 0)


def test_a_run_starts_when_enough_before_it_has_ended() -> None:
    busy = at_work(1, minutes_ago=1, estimate_seconds=300) + at_work(
        1, run=91, team="search", minutes_ago=1, estimate_seconds=600
    )
    queue = waiting(run=1, minutes_ago=2, estimate_seconds=120), waiting(run=2, estimate_seconds=60)
    first, second = outlook(1, *queue, active=busy), outlook(2, *queue, active=busy)
    assert (first.position, minutes(first), first.must_finish) == (1, 4, 1)
    assert (second.position, minutes(second), second.must_finish) == (2, 6, 2)
    assert second.binding is Reason.NO_SLOT
    assert second.holders == (("demo", 1), ("search", 1))
    assert second.explanation == "2 of 2 slots are taken: demo 1, search 1."


def test_the_limit_of_its_own_says_how_many_of_its_own_must_finish() -> None:
    mine = at_work(3, run=1, concurrency=2, minutes_ago=1, estimate_seconds=180)
    others = at_work(5, run=91, team="search")
    found = outlook(1, waiting(first=7, concurrency=2), active=mine + others, slots=20)
    assert found.binding is Reason.RUN_LIMIT
    assert found.holders == (("demo", 3),)
    assert (found.position, found.must_finish, minutes(found)) == (None, 2, 2)


def test_the_quota_of_a_team_that_may_not_borrow_counts_its_own_slots() -> None:
    active = at_work(2, minutes_ago=0, estimate_seconds=600) + at_work(3, run=91, team="search")
    found = outlook(
        1, waiting(), active=active, slots=20, teams={"demo": TeamPolicy(quota=2, may_borrow=False)}
    )
    assert (found.binding, found.holders, found.must_finish) == (Reason.TEAM_QUOTA, (("demo", 2),), 1)
    assert minutes(found) == 10


def test_nobody_can_say_when_a_paused_run_starts() -> None:
    found = outlook(1, waiting(), active=at_work(), paused=(run_id(1),))
    assert (found.position, found.expected_start, found.binding) == (None, None, Reason.RUN_PAUSED)
    assert (found.holders, found.must_finish) == ((), 0)


def test_a_backoff_and_a_launch_rate_end_by_themselves() -> None:
    due = START + timedelta(minutes=3)
    assert minutes(outlook(1, waiting(not_before=due))) == 3
    paced = outlook(2, waiting(9, run=1, minutes_ago=1), waiting(run=2), slots=50, launches_per_second=0.1)
    assert paced.binding is Reason.LAUNCH_RATE
    assert minutes(paced) == pytest.approx(1.5, abs=0.1)


def test_what_never_fits_never_starts() -> None:
    assert outlook(1, waiting(cpu_millis=9000), cpu_millis=4000).expected_start is None


def test_p0_that_takes_a_borrowed_slot_back_starts_now() -> None:
    lent = at_work(2, team="search", priority=P2, borrowed=True, estimate_seconds=900)
    teams = {"search": TeamPolicy(quota=1), "demo": TeamPolicy(quota=1)}
    found = outlook(1, waiting(priority=P0), active=lent, teams=teams)
    assert minutes(found) == 0
    assert found.explanation.startswith("Its slot is taken back from borrowed work")


def test_the_unlisted_rest_of_a_lane_is_waited_for_too() -> None:
    cut = Lane(run_id(1), tuple(waiting(2, minutes_ago=1, estimate_seconds=60)), waiting=10)
    mine = Lane(run_id(2), tuple(waiting(run=2)), waiting=1)
    found = forecast(Queue((cut, mine)), Usage(()), Capacity(2), START, run_id=run_id(2))
    assert found is not None
    assert found.expected_start == START + timedelta(minutes=5)


def test_a_run_of_which_nothing_waits_has_no_forecast() -> None:
    assert forecast(Queue(()), Usage(()), Capacity(2), START, run_id=run_id(1)) is None


def test_overdue_work_is_expected_to_take_another_tenth() -> None:
    (entry,) = at_work(minutes_ago=10, estimate_seconds=60)
    assert expected_end(entry, START) == START + timedelta(minutes=1)
    assert expected_end(make_entry(), START) == START + timedelta(seconds=1)


def test_a_long_queue_is_foreseen_to_a_tenth() -> None:
    queue = [
        entry
        for run in range(1, 51)
        for entry in waiting(
            100, run=run, minutes_ago=2 - run / 100, priority=tuple(Priority)[run % 3], estimate_seconds=30
        )
    ]
    last = 50  # P2, the latest
    found = outlook(last, queue, active=at_work(100, estimate_seconds=60, minutes_ago=0.5), slots=100)
    exact = 0.5 + 49 * 0.5
    assert minutes(found) == pytest.approx(exact, rel=0.1)
    assert found.position == 50
