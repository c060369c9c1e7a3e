"""Load jobs in admission: one at a time gets its workers, and nothing else waits for that."""

from dataclasses import replace
from datetime import timedelta

from crosswind.runs.admission.model import Capacity, Queue, QueueEntry, Reason, Usage
from crosswind.runs.admission.policy import admit
from tests.fakes import START, make_entry


def workers(run: int, count: int, *, first: int = 0) -> list[QueueEntry]:
    found = []
    for number in range(first, first + count):
        entry = make_entry(number, run=run, enqueued_at=START + timedelta(seconds=run))
        found.append(replace(entry, group="load-shard-00000", group_size=count))
    return found


def admitted(queue: list[QueueEntry], active: list[QueueEntry], *, slots: int) -> dict[str, int]:
    decided = admit(Queue.of(queue), Usage(tuple(active)), Capacity(slots=slots), START)
    counts: dict[str, int] = {}
    for decision in decided.decisions:
        if decision.admitted:
            counts[decision.entry.key.run_id] = counts.get(decision.entry.key.run_id, 0) + 1
    return counts


def test_two_load_jobs_do_not_share_scarce_slots() -> None:
    one, two = workers(1, 3), workers(2, 3)

    first = admitted([*two, *one], [], slots=4)

    assert first == {one[0].key.run_id: 3, two[0].key.run_id: 1}  # the first is complete


def test_the_second_begins_in_the_round_after_the_first_is_complete() -> None:
    one, two = workers(1, 3), workers(2, 1)

    decided = admit(Queue.of([*two, *one]), Usage(()), Capacity(slots=4), START)
    assert decided.again_at in {None, START}
    assert admitted(two, one, slots=4) == {two[0].key.run_id: 1}


def test_while_one_is_being_filled_another_waits_and_says_why() -> None:
    one, two = workers(1, 3), workers(2, 2)

    decided = admit(Queue.of([*one[1:], *two]), Usage((one[0],)), Capacity(slots=2), START)

    reasons = {each.entry.key.run_id: each.reason for each in decided.decisions if not each.admitted}
    assert [each.entry.key for each in decided.decisions if each.admitted] == [one[1].key]
    assert reasons == {one[0].key.run_id: Reason.NO_SLOT, two[0].key.run_id: Reason.LOAD_FILLING}
    assert any("one at a time" in each.explanation for each in decided.decisions)


def test_other_work_passes_a_load_job_that_has_to_wait() -> None:
    one, two = workers(1, 3), workers(2, 2)
    held_up = [replace(entry, not_before=START + timedelta(minutes=1)) for entry in one[1:]]
    other = make_entry(0, run=3, enqueued_at=START + timedelta(seconds=9))

    assert admitted([*held_up, *two, other], [one[0]], slots=8) == {other.key.run_id: 1}


def test_a_load_job_whose_others_have_ended_holds_nobody_up() -> None:
    left, two = workers(1, 1), workers(2, 2)

    assert admitted(two, left, slots=8) == {two[0].key.run_id: 2}
