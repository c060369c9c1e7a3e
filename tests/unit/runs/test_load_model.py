"""The shard protocol's model once more, with the workers of load jobs: all that went wrong there, and a barrier on top of it.

The barrier hangs on the shards' own leases and adds no fault of its own: the machine below lets workers be there, be ready
and look at any moment, in any order, dead or alive, and looks at who begins.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from crosswind.contracts.load import LoadOrder
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.errors import LeaseLostError
from crosswind.runs import layout
from crosswind.runs.load.barrier import Decision, Start, Stop, may_begin
from crosswind.runs.model import Progress, Work, WorkKey, WorkState
from crosswind.runs.usecases.load_barrier import JoinBarrier
from tests.fakes import MemoryBarrierStore
from tests.unit.runs.busy_stores import BusyWorkStore, CrashError
from tests.unit.runs.test_protocol_model import INDEX, MOST_RUNS, ShardProtocol
from tests.unit.runs.world import World

GROUP = "load-shard-00000"
WITHIN = 60


class BusyBarrierStore(MemoryBarrierStore):
    """Lets another writer in just before a decision, and looks whether a start is right when it is made."""

    def __init__(self, works: BusyWorkStore) -> None:
        super().__init__(works)
        self.busy = works

    def start(self, run_id: str, group: str, start: Start) -> None:
        self.busy.let_others_in()
        super().start(run_id, group, start)
        for work_id, epoch in start.epochs.items():
            work = self.busy.items[WorkKey(run_id, work_id)]
            assert (work.state, work.epoch) == (WorkState.LEASED, epoch)

    def stop(self, run_id: str, group: str, stop: Stop) -> None:
        self.busy.let_others_in()
        super().stop(run_id, group, stop)


class LoadWorld(World):
    """A control plane whose shards are workers of load jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.barriers = BusyBarrierStore(self.works)
        self.join = JoinBarrier(self.barriers, self.clock)
        self.begun: dict[str, list[tuple[str, int, datetime]]] = {}

    def load(self, work: Work) -> LoadOrder:
        """What the worker was told."""
        workers = tuple(ticket.work_id for ticket in self.tickets[work.key.run_id])
        return LoadOrder(group=GROUP, workers=workers, ready_within_seconds=WITHIN)

    def finish_work(self, work: Work) -> Work:
        """A worker goes as far as it can: it waits on among the holders, begins and ends, or gives up."""
        load = self.load(work)
        decision = self.join.open(work, load)
        if decision is None:
            self.join.say_ready(work, load, said_at=None)
            decision = self.join.look(work, load)
        if decision is None:
            if work not in self.holders:
                self.holders.append(work)
            return work
        prefix = layout.attempt_prefix(work)
        if isinstance(decision, Start):
            why = may_begin(decision, work.key.work_id, epoch=work.epoch, now=decision.at)
            if why is None:
                self.begun.setdefault(work.key.run_id, []).append((work.key.work_id, work.epoch, decision.at))
                return self.commit(work, outcome=WorkOutcome.COMPLETED, prefix=prefix)
        else:
            why = decision.reason
        return self.commit(work, outcome=WorkOutcome.ERROR, prefix=prefix, reason=f"not_started: {why}")

    def _deliver_all(self) -> None:
        """Those that wait say so again, all of them before the first one looks."""
        super()._deliver_all()
        holders, self.holders = self.holders, []
        alive = []
        for work in holders:
            with suppress(LeaseLostError):
                alive.append(self.beat(work, Progress()))
                self.join.say_ready(alive[-1], self.load(work), said_at=None)
        for work in alive:
            with suppress(LeaseLostError):
                self.finish_work(work)


class LoadProtocol(ShardProtocol):
    """Workers die, stall and come back; whatever happens, they begin together or not at all."""

    world: LoadWorld

    def __init__(self) -> None:
        super().__init__()
        self.world = LoadWorld()
        self.decisions: dict[str, Decision] = {}

    @initialize(shards=st.integers(1, 4), concurrency=st.integers(1, 4), started=st.booleans())
    def first_run(self, shards: int, concurrency: int, started: bool) -> None:
        self.world.submit(shards=shards, concurrency=concurrency, group=GROUP)
        if started:
            self.everything_is_started(newest_first=False)

    @precondition(lambda self: len(self.world.tickets) < MOST_RUNS)
    @rule(shards=st.integers(1, 3), concurrency=st.integers(1, 3))
    def another_run(self, shards: int, concurrency: int) -> None:
        self.world.submit(shards=shards, concurrency=concurrency, priority=Priority.P0, group=GROUP)

    # --- workers: zombies among them act as the others do ----------------------------------------------------------

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX)
    def a_worker_is_there(self, index: int) -> None:
        work = self._holder(index)
        self.world.join.open(work, self.world.load(work))

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX)
    def a_worker_says_that_it_is_ready(self, index: int) -> None:
        work = self._holder(index)
        held = self._is_held(work)
        self.world.join.open(work, self.world.load(work))
        try:
            self.world.join.say_ready(work, self.world.load(work), said_at=None)
        except LeaseLostError:
            assert not held
        else:
            assert held

    @precondition(lambda self: self.world.holders)
    @rule()
    def all_that_hold_a_lease_are_ready(self) -> None:
        for work in self.world.holders:
            self.world.join.open(work, self.world.load(work))
            with suppress(LeaseLostError):
                self.world.join.say_ready(work, self.world.load(work), said_at=None)

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX)
    def a_worker_looks(self, index: int) -> None:
        work = self._holder(index)
        with suppress(CrashError):
            self.world.join.look(work, self.world.load(work))

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX)
    def a_worker_cannot_run_the_script(self, index: int) -> None:
        work = self._holder(index)
        with suppress(CrashError):
            self.world.join.refuse(work, self.world.load(work), reason="k6 cannot run the script")

    @precondition(lambda self: self.world.holders)
    @rule()
    def everybody_goes_on(self) -> None:
        for work in list(self.world.holders):
            with suppress(LeaseLostError, CrashError):
                self.world.finish_work(work)

    def _holder(self, index: int) -> Work:
        return self.world.holders[index % len(self.world.holders)]

    def _is_held(self, work: Work) -> bool:
        stored = self.world.works.items[work.key]
        return stored.state is WorkState.LEASED and stored.epoch == work.epoch

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def a_decision_is_made_once_and_never_changes(self) -> None:
        for (run_id, _), barrier in self.world.barriers.barriers.items():
            if barrier.decision is not None:
                assert self.decisions.setdefault(run_id, barrier.decision) == barrier.decision
            else:
                assert run_id not in self.decisions

    @invariant()
    def workers_begin_at_one_instant_and_only_where_all_were_ready(self) -> None:
        for run_id, begun in self.world.begun.items():
            decision = self.decisions[run_id]
            assert isinstance(decision, Start)
            assert set(decision.epochs) == {ticket.work_id for ticket in self.world.tickets[run_id]}
            assert {at for _, _, at in begun} == {decision.at}
            assert all(decision.epochs[work_id] == epoch for work_id, epoch, _ in begun)

    @invariant()
    def what_has_not_begun_is_never_complete(self) -> None:
        for key, work in self.world.works.items.items():
            if work.commit is not None and work.commit.outcome is WorkOutcome.COMPLETED:
                assert (key.work_id, work.commit.epoch) in {
                    (work_id, epoch) for work_id, epoch, _ in self.world.begun[key.run_id]
                }

    def teardown(self) -> None:
        """Everything ends, and what was not decided is decided then."""
        super().teardown()
        self.a_decision_is_made_once_and_never_changes()
        self.workers_begin_at_one_instant_and_only_where_all_were_ready()
        self.what_has_not_begun_is_never_complete()


def test_all_begin_where_nothing_goes_wrong() -> None:
    world = LoadWorld()
    run_id = world.submit(shards=2, concurrency=2, group=GROUP)

    world.settle(patient=frozenset())

    assert len(world.begun[run_id]) == 2
    assert {work.commit.outcome for work in world.works.items.values() if work.commit} == {
        WorkOutcome.COMPLETED
    }


def test_more_workers_than_slots_stop_after_their_time_and_none_begins() -> None:
    world = LoadWorld()
    world.submit(shards=3, concurrency=2, group=GROUP)

    world.settle(patient=frozenset())

    assert not world.begun
    reasons = {work.commit.reason for work in world.works.items.values() if work.commit}
    assert reasons == {f"not_started: 2 of 3 workers were ready within {WITHIN} s"}
    opened = next(iter(world.barriers.barriers.values())).opened_at
    assert opened is not None
    assert world.clock.now() - opened < timedelta(minutes=3)


TestLoadProtocol = LoadProtocol.TestCase
TestLoadProtocol.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
)
