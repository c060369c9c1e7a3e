"""The admission policy."""

from datetime import timedelta

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.model import Capacity, Decision, Reason, Usage
from crosswind.runs.admission.policy import admit
from crosswind.runs.ports import QueueEntry
from tests.fakes import START, make_entry


def decide(*queue: QueueEntry, active: tuple[QueueEntry, ...] = (), slots: int = 10) -> dict[str, Reason]:
    decisions = admit(queue, Usage(active), Capacity(slots), START)
    return {decision.entry.key.work_id: decision.reason for decision in decisions}


def admitted(decisions: tuple[Decision, ...]) -> list[str]:
    return [decision.entry.key.work_id for decision in decisions if decision.admitted]


def test_higher_priority_goes_first_whenever_it_came() -> None:
    late_p0 = make_entry(1, priority=Priority.P0, enqueued_at=START + timedelta(hours=1))
    early_p2 = make_entry(2, priority=Priority.P2)
    assert decide(early_p2, late_p0, slots=1) == {
        "shard-00001": Reason.ADMITTED,
        "shard-00002": Reason.NO_SLOT,
    }


def test_inside_a_priority_the_first_come_goes_first() -> None:
    late = make_entry(1, enqueued_at=START + timedelta(seconds=1))
    assert admitted(admit([late, make_entry(2)], Usage(()), Capacity(1), START)) == ["shard-00002"]


def test_slots_in_use_are_not_given_again() -> None:
    active = tuple(make_entry(number, run=9) for number in range(3))
    assert decide(make_entry(1), make_entry(2), active=active, slots=4) == {
        "shard-00001": Reason.ADMITTED,
        "shard-00002": Reason.NO_SLOT,
    }


def test_a_run_gets_no_more_than_its_concurrency_and_does_not_block_the_next() -> None:
    mine = [make_entry(number, concurrency=2) for number in range(1, 4)]
    other = make_entry(7, run=2, enqueued_at=START + timedelta(seconds=1))
    assert decide(*mine, other, active=(make_entry(0, concurrency=2),)) == {
        "shard-00001": Reason.ADMITTED,
        "shard-00002": Reason.RUN_LIMIT,
        "shard-00003": Reason.RUN_LIMIT,
        "shard-00007": Reason.ADMITTED,
    }


def test_an_entry_in_its_pause_waits_until_the_pause_is_over() -> None:
    early = make_entry(1, not_before=START + timedelta(seconds=4))
    due = make_entry(2, not_before=START)
    assert decide(early, due) == {"shard-00001": Reason.BACKOFF, "shard-00002": Reason.ADMITTED}


def test_less_capacity_than_usage_admits_nothing() -> None:
    assert decide(make_entry(1), active=(make_entry(5, run=2),), slots=0) == {"shard-00001": Reason.NO_SLOT}


def test_every_decision_has_a_sentence() -> None:
    decisions = admit(
        [make_entry(1), make_entry(2), make_entry(3, not_before=START + timedelta(seconds=9))],
        Usage(()),
        Capacity(1),
        START,
    )
    assert [decision.explanation for decision in decisions] == [
        "One of 1 free slots was its turn.",
        "All 1 slots are taken.",
        "It is tried again in 9 s, after a failure.",
    ]
