"""P0 within its quota takes borrowed slots back from P2: the newest, only where it helps, and no more than it needs."""

from typing import Any

from crosswind.runs.admission.model import Queue, QueueEntry, Round, TeamPolicy
from tests.fakes.samples import run_id
from tests.unit.runs.admission.samples import P0, P1, P2, at_work, held, look, names, short, waiting

TEAMS = {"demo": TeamPolicy(quota=2), "search": TeamPolicy(quota=2)}


def lent(count: int = 1, **changes: Any) -> list[QueueEntry]:
    """P2 work of team search beyond its quota."""
    return at_work(count, **{"team": "search", "priority": P2, "borrowed": True, "run": 91, **changes})


def owned(**changes: Any) -> list[QueueEntry]:
    """The two slots that are team search's own."""
    return at_work(2, **{"team": "search", "priority": P2, "run": 90, **changes})


def victims(round_: Round) -> list[str]:
    return [short(preemption.victim) for preemption in round_.preemptions]


def test_the_newest_borrowed_work_gives_its_slot_back() -> None:
    older, newer = lent(minutes_ago=9), lent(first=1, minutes_ago=2)
    result = look(waiting(priority=P0), active=owned() + older + newer, slots=4, teams=TEAMS)
    assert victims(result) == ["91/1"]
    assert result.admitted == ()
    assert held(result) == {
        "1/0": f"no_slot: Its slot is taken back from borrowed work: shard-00001 of {run_id(91)} (team search)."
    }
    assert result.preemptions[0].explanation == (
        f"shard-00000 of {run_id(1)} (P0 of team demo) takes back a slot that was lent:"
        " team search holds 4, its quota is 2."
    )


def test_no_more_than_needed_and_not_what_free_slots_give() -> None:
    result = look(waiting(2, priority=P0), active=owned() + lent(3), slots=6, teams=TEAMS)
    assert names(result.admitted) == ["1/0"]
    assert victims(result) == ["91/2"]


def test_only_within_the_quota_of_the_one_that_takes() -> None:
    result = look(waiting(2, priority=P0), active=owned() + lent(2) + at_work(run=92), slots=5, teams=TEAMS)
    assert len(result.preemptions) == 1
    past = look(waiting(priority=P0), active=owned() + lent(2) + at_work(2, run=92), slots=6, teams=TEAMS)
    assert past.preemptions == ()


def test_neither_p1_nor_aged_work_takes_anything_back() -> None:
    active = owned() + lent(2)
    assert look(waiting(priority=P1), active=active, slots=4, teams=TEAMS).preemptions == ()
    aged = look(waiting(priority=P1, minutes_ago=45), active=active, slots=4, teams=TEAMS)
    assert aged.preemptions == ()


def test_where_aged_work_stands_before_p0_nothing_is_taken_as_it_would_not_get_the_slot() -> None:
    result = look(
        waiting(run=1, priority=P0),
        waiting(run=2, priority=P2, minutes_ago=45),
        active=owned() + lent(2),
        slots=4,
        teams=TEAMS,
    )
    assert result.preemptions == ()


def test_p1_and_own_work_lose_nothing() -> None:
    active = owned() + lent(2, priority=P1)
    assert look(waiting(priority=P0), active=active, slots=4, teams=TEAMS).preemptions == ()


def test_what_was_borrowed_is_own_again_once_the_team_is_within_its_quota() -> None:
    active = lent(2) + at_work(2, run=92, team="other")
    assert look(waiting(priority=P0), active=active, slots=4, teams=TEAMS).preemptions == ()


def test_so_many_are_taken_that_the_room_is_enough_and_only_if_it_can_be() -> None:
    needs = waiting(priority=P0, cpu_millis=3000)
    active = owned() + lent(2) + lent(first=2, cpu_millis=500, minutes_ago=0.5)
    result = look(needs, active=active, slots=9, cpu_millis=5000, teams=TEAMS)
    assert victims(result) == ["91/2", "91/1", "91/0"]
    hopeless = look(
        waiting(priority=P0, cpu_millis=4000), active=active, slots=9, cpu_millis=5000, teams=TEAMS
    )
    assert hopeless.preemptions == ()


def test_a_victim_that_turns_out_not_to_be_needed_stays() -> None:
    small = lent(cpu_millis=100, minutes_ago=0.5)
    large = lent(first=1, cpu_millis=4000, minutes_ago=5)
    active = owned() + small + large
    result = look(waiting(priority=P0, cpu_millis=4000), active=active, slots=9, cpu_millis=6100, teams=TEAMS)
    assert victims(result) == ["91/1"]


def test_nothing_is_taken_that_cannot_be_launched() -> None:
    result = look(
        waiting(priority=P0),
        waiting(run=3, priority=P0, minutes_ago=5),
        active=owned() + lent(3),
        slots=6,
        teams=TEAMS,
        launches_per_second=1.0,
    )
    assert names(result.admitted) == ["3/0"]
    assert result.preemptions == ()


def test_the_order_of_the_lists_does_not_choose_the_victim() -> None:
    active = owned() + lent(3)
    entries = waiting(priority=P0)
    one = look(entries, active=active, slots=5, teams=TEAMS)
    other = look(entries, active=active[::-1], slots=5, teams=TEAMS)
    assert one == other
    assert Queue.of(entries) == Queue.of(entries[::-1])
