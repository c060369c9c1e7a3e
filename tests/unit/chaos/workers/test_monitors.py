"""A run's monitor as the shard protocol keeps it, as the engine sees it."""

from datetime import timedelta

from crosswind.adapters.monitors import LeasedMonitors
from crosswind.chaos.engine import planning
from crosswind.runs import protocol
from crosswind.runs.model import WorkKey
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.watching import WatchWork
from tests.fakes import MemoryQueues, MemoryTaskTokens, MemoryWorkStore, SettableClock
from tests.unit.chaos.engine.stand_ins import RUN_ID
from tests.unit.chaos.engine.world import make_run, make_spec


class Rig:
    """The use cases of leased work around one monitor."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.works = MemoryWorkStore()
        self.tokens = MemoryTaskTokens()
        queues = MemoryQueues()
        perform = PerformEffects(queues=queues, tokens=self.tokens)
        self.change = ChangeWork(works=self.works, perform=perform, pause=lambda _: None)
        watch = WatchWork(works=self.works, queues=queues, change=self.change, clock=self.clock)
        self.monitors = LeasedMonitors(
            works=self.works, change=self.change, watch_work=watch, clock=self.clock
        )
        self.key = WorkKey(run_id=RUN_ID, work_id="monitor-00000")

    def enqueue(self, awaits: int | None, token: str) -> None:
        """What the admission worker does with the ticket of a wait."""
        ticket = planning.monitor_ticket(make_run(make_spec()), awaits=awaits)
        now = self.clock.advance(1)
        self.change(
            self.key,
            lambda work: protocol.enqueue(work, ticket, token, token_at=now, now=now, closed=None),
        )

    def lease(self) -> None:
        """What scheduler and runner do."""
        now = self.clock.advance(1)
        self.change(self.key, lambda work: protocol.admit(work, now=now) if work else None)
        self.change(
            self.key,
            lambda work: protocol.claim(work, attempt=1, runner_id="runner", now=now) if work else None,
        )

    def announce(self, number: int, name: str) -> None:
        """What the monitor does."""
        now = self.clock.advance(1)
        self.change(
            self.key,
            lambda work: (
                protocol.announce(work, epoch=work.epoch, number=number, name=name, detail=None, now=now)
                if work
                else None
            ),
        )


def test_nobody_knows_of_a_monitor_before_it_was_enqueued() -> None:
    assert Rig().monitors.state(RUN_ID) is None


def test_one_monitor_answers_the_waits_of_the_machine_in_turn() -> None:
    rig = Rig()
    rig.enqueue(1, "first")
    rig.lease()
    rig.announce(1, "live")
    rig.enqueue(2, "second")
    rig.announce(2, "step-over")
    state = rig.monitors.state(RUN_ID)
    assert state is not None
    assert (state.leased, state.done, state.announcements) == (True, False, ("live", "step-over"))
    assert state.moved_at == rig.clock.now()
    assert list(rig.tokens.answers) == ["first", "second"]


def test_silence_ends_the_monitor_and_answers_the_machine() -> None:
    rig = Rig()
    rig.enqueue(1, "first")
    rig.lease()
    rig.clock.advance(timedelta(seconds=31))
    state = rig.monitors.watch(RUN_ID)
    assert state is not None
    assert (state.done, state.ended_as) == (True, "error")
    assert list(rig.tokens.answers) == ["first"]


def test_a_cancel_answers_the_machine_and_may_be_repeated() -> None:
    rig = Rig()
    rig.monitors.cancel(RUN_ID, reason="none there")
    rig.enqueue(1, "first")
    rig.monitors.cancel(RUN_ID, reason="enough")
    rig.monitors.cancel(RUN_ID, reason="again")
    state = rig.monitors.state(RUN_ID)
    assert state is not None
    assert (state.ended_as, state.reason) == ("cancelled", "enough")
    assert len(rig.tokens.answers) == 1
