"""Who goes first, who makes room, and how fast, over stores in memory."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.suites import Priority
from crosswind.kernel.errors import LeaseLostError
from crosswind.runs.admission.lanes import Lanes
from crosswind.runs.admission.model import Reason, TeamPolicy
from crosswind.runs.admission.ports import ExecutorCapacity, Heads, TeamSettings
from crosswind.runs.model import Work, WorkState
from tests.fakes import (
    START,
    MemoryQueueStore,
    MemoryWorkStore,
    make_work,
)
from tests.unit.runs.scheduling_world import tickets, world_with
from tests.unit.runs.world import World


class TestLanes:
    def test_a_lane_that_was_emptied_is_closed_and_opened_by_the_next_entry(self) -> None:
        world = world_with()
        world.works.save(None, make_work(1))
        world.schedule()
        assert world.queue.lines == {}

        world.works.save(None, make_work(2))
        assert world.schedule() == 1

    def test_an_entry_that_joins_while_its_lane_is_being_closed_is_not_lost(self) -> None:
        """Between the look that found the lane empty and its closing."""
        queue = MemoryQueueStore()
        works = MemoryWorkStore(queue)
        first = works.save(None, make_work(1))
        works.save(first, replace(first, state=WorkState.ADMITTED))
        lines = queue.lanes()
        heads = queue.heads

        def heads_and_then_somebody_joins(limits: Mapping[str, int]) -> Mapping[str, Heads]:
            found = heads(limits)
            works.save(None, make_work(2))
            return found

        queue.heads = heads_and_then_somebody_joins  # type: ignore[method-assign]  # a race, made certain
        lanes = Lanes(queue)
        lanes.refresh(lines)
        queue.heads = heads  # type: ignore[method-assign]

        lanes.refresh(queue.lanes())
        (lane,) = lanes.queue(paused=()).lanes
        assert [entry.key.work_id for entry in lane.entries] == ["shard-00002"]

    def test_a_lane_is_read_again_only_when_an_entry_has_joined(self) -> None:
        queue = CountingQueueStore()
        works = MemoryWorkStore(queue)
        for number in range(5):
            works.save(None, make_work(number))
        lanes = Lanes(queue)
        for _ in range(3):
            lanes.refresh(queue.lanes())
        assert queue.read == 1

        works.save(None, make_work(9))
        lanes.refresh(queue.lanes())
        assert queue.read == 2

    def test_a_run_gets_all_that_is_its_turn_before_a_younger_one(self) -> None:
        """Also where more than a first look lists is its turn."""
        world = world_with(slots=30)
        for number in range(40):
            world.works.save(None, make_work(number))
        for number in range(40):
            world.works.save(None, make_work(number, run=2, enqueued_at=START + timedelta(seconds=1)))
        world.schedule()
        assert {message.run_id[-1] for message in world.bag.dispatched} == {"1"}
        assert len(world.bag.dispatched) == 30

    def test_why_a_run_waits_is_kept_and_written_only_when_it_changes(self) -> None:
        world = world_with(slots=1)
        world.admit(tickets(2))
        (line,) = world.queue.lanes()
        assert line.waiting is not None
        assert line.waiting.reason is Reason.NO_SLOT

        world.clock.advance(60)
        world.schedule()

        assert world.queue.lanes() == (line,)

    def test_an_admission_says_why(self) -> None:
        world = world_with()
        world.admit(tickets(1))
        (work,) = world.works.items.values()
        assert work.decision


class TestPreemption:
    def test_borrowed_work_gives_its_slot_to_p0_and_waits_again(self) -> None:
        world, borrower = self.borrowed()
        urgent = make_work(0, run=2, team="urgent", priority=Priority.P0)
        world.works.save(None, urgent)

        assert world.schedule() == 1

        stored = world.works.items[urgent.key]
        assert stored.state is WorkState.ADMITTED
        (victim,) = (work for work in world.works.items.values() if work.preemptions)
        assert (victim.state, victim.attempt, victim.failures) == (WorkState.WAITING, 1, ())
        assert victim.epoch == borrower.epoch + 1
        with pytest.raises(LeaseLostError):
            world.finish_work(borrower)

    def test_preempted_work_runs_again_when_there_is_room(self) -> None:
        world, _ = self.borrowed()
        world.works.save(None, make_work(0, run=2, team="urgent", priority=Priority.P0))
        world.schedule()
        (victim,) = (work for work in world.works.items.values() if work.preemptions)
        for message in world.bag.dispatched[2:]:
            work = world.take(message)
            assert work is not None
            world.finish_work(work)

        world.clock.advance(1)
        world.schedule()

        again = world.take(world.bag.dispatched[-1])
        assert again is not None
        assert again.key == victim.key
        world.finish_work(again)
        assert world.works.items[victim.key].state is WorkState.DONE

    @staticmethod
    def borrowed() -> tuple[World, Work]:
        """Two slots, both of a team that has a quota of one; the newer one is borrowed, and on a runner."""
        world = world_with(slots=2)
        world.queue.save_team(TeamSettings("demo", TeamPolicy(quota=1)))
        world.queue.save_team(TeamSettings("urgent", TeamPolicy(quota=1)))
        for number in range(2):
            world.works.save(None, make_work(number, priority=Priority.P2))
        world.schedule()
        works = [world.take(message) for message in world.bag.dispatched]
        (borrower,) = (work for work in works if work is not None and work.borrowed)
        return world, borrower


class TestPacing:
    def test_launches_come_no_faster_than_the_executor_takes_them(self) -> None:
        world = world_with()
        world.queue.register_capacity(ExecutorCapacity(slots=100, launches_per_second=20, launch_burst=10))
        began = world.clock.now()
        assert world.admit(tickets(50)) == []
        assert len(world.bag.dispatched) == 50
        assert world.clock.now() - began >= timedelta(seconds=2)

    def test_a_sitting_ends_in_order_and_another_goes_on(self) -> None:
        world = world_with()
        world.queue.register_capacity(ExecutorCapacity(slots=100, launches_per_second=2, launch_burst=1))
        world.admit(tickets(50))
        first = len(world.bag.dispatched)
        assert 10 <= first < 50
        assert world.bag.wakes == 1

        world.schedule()

        assert len(world.bag.dispatched) > first


class TestAdmitWork:
    def test_an_unforeseen_fault_of_one_ticket_is_that_tickets_own(self) -> None:
        world = world_with()
        bad = tickets(3)[1]

        def break_down() -> None:
            raise ZeroDivisionError

        world.works.meanwhile = break_down
        assert world.admit([bad, *tickets(1)]) == []  # it is tried again after the round
        assert len(world.bag.dispatched) == 2


class CountingQueueStore(MemoryQueueStore):
    """Counts the lanes that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def heads(self, limits: Mapping[str, int]) -> Mapping[str, Heads]:
        self.read += len(limits)
        return super().heads(limits)
