"""The shard protocol's model once more, with shards that pull: all that went wrong there, and batches on top of it.

A batch has no heartbeat of its own, so everything that takes a lease from a shard takes its batch: the machine below adds
no new fault, it looks at where the units are after each of the old ones.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import PullList, PullUnit, WorkOutcome
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs import protocol
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import LEASE_DURATION, Work, WorkKey, WorkState
from crosswind.runs.pulling.model import Batch, BatchState
from crosswind.runs.pulling.shortfall import PullShortfall
from crosswind.runs.usecases.pulling import MeasureShortfall
from tests.unit.runs.busy_stores import CrashError
from tests.unit.runs.test_protocol_model import INDEX, MOST_RUNS, ShardProtocol

PULL_ID = "00-api-1"
UNITS = st.integers(1, 12)
STRIPES = st.integers(1, 2)
Identity = tuple[str, int, int]


class PullProtocol(ShardProtocol):
    """Runners of a list die, stall and come back; whatever happens, each unit is in one place and done once at most."""

    def __init__(self) -> None:
        super().__init__()
        self.done: dict[Identity, Batch] = {}
        self.leases: list[tuple[Work, Batch]] = []  # all that runners were ever told of: some act on old ones
        self.attempts: dict[tuple[Identity, int], tuple[str, int]] = {}

    # --- runs -----------------------------------------------------------------------------------------------------

    @initialize(
        shards=st.integers(1, 4),
        concurrency=st.integers(1, 3),
        units=UNITS,
        stripes=STRIPES,
        started=st.booleans(),
    )
    def first_run(self, shards: int, concurrency: int, units: int, stripes: int, started: bool) -> None:
        pulled = work_list(units, runners=shards, stripes=stripes)
        self.world.submit(shards=shards, concurrency=concurrency, pulled=pulled)
        if started:
            self.everything_is_started(newest_first=False)

    @precondition(lambda self: len(self.world.tickets) < MOST_RUNS)
    @rule(shards=st.integers(1, 3), concurrency=st.integers(1, 2), units=UNITS)
    def another_run(self, shards: int, concurrency: int, units: int) -> None:
        pulled = work_list(units, runners=shards, stripes=1)
        self.world.submit(shards=shards, concurrency=concurrency, priority=Priority.P0, pulled=pulled)

    # --- runners: zombies among them act as the others do ----------------------------------------------------------

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX, twice=st.booleans())
    def a_runner_leases_a_batch(self, index: int, twice: bool) -> None:
        work, known = self._holder(index), self._leased()
        held = self._is_held(work) and self.world.works.meanwhile is None
        try:
            batch = self._lease(work)
        except LeaseLostError:
            assert not held
        except CrashError:
            pass
        else:
            if batch is not None:
                assert (batch.work_id, batch.epoch) == (work.key.work_id, work.epoch)
                assert batch in known or self._is_held(work)
            if twice and batch is not None and held:
                with suppress(CrashError):
                    assert self._lease(work) == batch

    @precondition(lambda self: self.leases)
    @rule(index=INDEX, failed=st.booleans())
    def a_batch_is_committed(self, index: int, failed: bool) -> None:
        work, batch = self.leases[-1 - index % len(self.leases)]
        known = self._identity(batch) in self.done
        held = self._is_held(work) and self.world.works.meanwhile is None
        try:
            committed = self.world.commit_batch(work, batch, failed=("a",) if failed else ())
        except LeaseLostError:
            assert known or not held
        except CrashError:
            pass
        else:
            assert known or self._is_held(work)
            assert self.world.commit_batch(work, batch) == committed

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX, failed=st.booleans())
    def a_runner_gives_its_shard_and_its_batch_back(self, index: int, failed: bool) -> None:
        work = self._holder(index)
        self._end_lease(work, failed=failed)
        self.world.return_batch(work)

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX, failed=st.booleans())
    def a_shard_comes_back_to_the_batch_that_it_left(self, index: int, failed: bool) -> None:
        work = self._holder(index)
        with suppress(LeaseLostError, CrashError):
            self._lease(work)
        self._end_lease(work, failed=failed)
        with suppress(CrashError):
            self.world.schedule()
        self.everything_is_started(newest_first=False)
        for holder in list(self.world.holders):
            with suppress(LeaseLostError, CrashError):
                self._lease(holder)

    @precondition(lambda self: self._active())
    @rule(index=INDEX)
    def a_shard_is_preempted(self, index: int) -> None:
        work = self._active()[index % len(self._active())]
        preempted = protocol.preempt(replace(work, borrowed=True), now=self.world.clock.now())
        assert preempted is not None
        with suppress(WriteConflictError):
            self.world.works.save(work, preempted.work)

    @precondition(lambda self: self._leased())
    @rule(index=INDEX)
    def a_runner_dies_with_its_batch(self, index: int) -> None:
        batch = self._leased()[index % len(self._leased())]
        dead = (batch.run_id, batch.work_id, batch.epoch)
        self.world.holders = [
            work for work in self.world.holders if (work.key.run_id, work.key.work_id, work.epoch) != dead
        ]
        self.world.clock.advance(LEASE_DURATION)
        for run_id in self.world.tickets:
            with suppress(CrashError):
                self.world.watch(run_id)

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX, other=INDEX)
    def two_runners_lease_at_once(self, index: int, other: int) -> None:
        rival = self._holder(other)

        def lease() -> None:
            with suppress(LeaseLostError, CrashError, WriteConflictError):
                self._lease(rival)

        self.world.works.meanwhile = lease
        with suppress(LeaseLostError, CrashError):
            self._lease(self._holder(index))

    @rule()
    def the_next_answer_is_lost(self) -> None:
        self.world.pulls.answer_is_lost = True

    def _active(self) -> list[Work]:
        active = {WorkState.ADMITTED, WorkState.LEASED}
        return [work for work in self.world.works.items.values() if work.state in active]

    def _holder(self, index: int) -> Work:
        return self.world.holders[index % len(self.world.holders)]

    def _lease(self, work: Work) -> Batch | None:
        batch = self.world.lease(work)
        if batch is not None:
            self.leases.append((work, batch))
        return batch

    def _end_lease(self, work: Work, *, failed: bool) -> None:
        self.world.holders.remove(work)
        with suppress(LeaseLostError, CrashError):
            if failed:
                self.world.fail_attempt(work, reason=InfrastructureReason.DISK_FULL, detail="disk full")
            else:
                self.world.hand_back(work)

    def _is_held(self, work: Work) -> bool:
        stored = self.world.works.items[work.key]
        return stored.state is WorkState.LEASED and stored.epoch == work.epoch

    def _leased(self) -> list[Batch]:
        return [batch for batch in self.world.pulls.batches if batch.state is BatchState.LEASED]

    def _identity(self, batch: Batch) -> Identity:
        return batch.run_id, batch.stripe, batch.number

    # --- what always holds ----------------------------------------------------------------------------------------

    @invariant()
    def every_unit_that_was_given_out_is_in_one_place(self) -> None:
        for run_id, listed in self.world.lists.items():
            places: Counter[tuple[int, int]] = Counter()
            stripes = range(len(listed.stripes))
            given_out = 0
            for head in self.world.pulls.heads(run_id, PULL_ID, stripes=stripes):
                given_out += head.next_unit
                for back in head.returned:
                    places.update((head.stripe, back.first + unit) for unit in range(back.count))
            for batch in self.world.pulls.batches:
                if batch.run_id == run_id:
                    places.update((batch.stripe, batch.first + unit) for unit in range(batch.count))
            assert all(count == 1 for count in places.values())
            assert len(places) == given_out

    @invariant()
    def a_committed_batch_never_changes(self) -> None:
        for batch in self.world.pulls.batches:
            if batch.state is BatchState.DONE:
                assert self.done.setdefault(self._identity(batch), batch) == batch
        assert len(self.done) == sum(b.state is BatchState.DONE for b in self.world.pulls.batches)

    @invariant()
    def a_shard_holds_one_batch_at_most(self) -> None:
        held = Counter((batch.run_id, batch.work_id) for batch in self._leased())
        assert all(count == 1 for count in held.values())

    @invariant()
    def a_lease_of_a_batch_has_an_attempt_of_its_own(self) -> None:
        for batch in self._leased():
            lease = (batch.work_id, batch.epoch)
            assert self.attempts.setdefault((self._identity(batch), batch.attempt), lease) == lease

    @invariant()
    def a_batch_is_taken_only_from_those_who_lost_their_lease(self) -> None:
        for work, batch in self.leases:
            if self._is_held(work):
                stored = [(*self._identity(b), b.work_id, b.epoch) for b in self.world.pulls.batches]
                assert (*self._identity(batch), batch.work_id, batch.epoch) in stored

    @invariant()
    def a_finished_shard_left_no_batch_behind(self) -> None:
        for batch in self._leased():
            work = self.world.works.items[WorkKey(batch.run_id, batch.work_id)]
            assert work.commit is None or work.commit.outcome is not WorkOutcome.COMPLETED

    def teardown(self) -> None:
        """Then everything is done, or what is not is told and has a reason."""
        super().teardown()
        self.a_committed_batch_never_changes()
        self.every_unit_that_was_given_out_is_in_one_place()
        for run_id, listed in self.world.lists.items():
            shortfall = MeasureShortfall(self.world.pulls)(run_id, listed)
            assert shortfall.units + self._units_done(run_id) == len(listed.pull_list.units)
            assert (shortfall.sentence() is None) == (shortfall.units == 0)
            assert shortfall.units == 0 or shortfall.lost or self._some_shard_failed(run_id), shortfall

    def _units_done(self, run_id: str) -> int:
        return sum(batch.count for batch in self.done.values() if batch.run_id == run_id)

    def _some_shard_failed(self, run_id: str) -> bool:
        commits = [work.commit for key, work in self.world.works.items.items() if key.run_id == run_id]
        stored = len(commits) == len(self.world.tickets[run_id])
        return not stored or any(c is None or c.outcome is not WorkOutcome.COMPLETED for c in commits)


def work_list(units: int, *, runners: int, stripes: int) -> PullList:
    """Short units, so that a batch may hold several."""
    return PullList(
        pull_id=PULL_ID,
        runners=runners,
        stripes=stripes,
        units=tuple(PullUnit(test_ids=(f"test_{number}",), estimate_seconds=0.1) for number in range(units)),
    )


def test_a_shortfall_says_where_the_units_are() -> None:
    shortfall = PullShortfall(not_given_out=7, lost=2)

    assert shortfall.units == 9
    assert shortfall.sentence() == (
        "9 units of the work list were not done: 2 given up, for their runners were lost again and again, "
        "7 never given out."
    )
    assert PullShortfall().sentence() is None


TestPullProtocol = PullProtocol.TestCase
TestPullProtocol.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
)
