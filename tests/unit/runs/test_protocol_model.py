"""The shard protocol under everything that goes wrong, checked over random histories (hypothesis, stateful)."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crosswind.contracts.requests import RunState
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import DispatchMessage, WorkOutcome
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs import lifecycle, protocol
from crosswind.runs.model import LEASE_DURATION, Commit, Progress, Work, WorkKey, WorkState
from crosswind.runs.usecases.scheduling import TERM
from crosswind.runs.usecases.watching import DeadLetter
from tests.unit.runs.busy_stores import CrashError
from tests.unit.runs.world import ADA, SLOTS, World, expected_answer, said

INDEX = st.integers(min_value=0, max_value=50)
MOST_RUNS = 2
ERRORS = (
    "lease_lost",
    "runner_error",
    "disk_full",
    "undelivered",
    "admission_failed",
    "run_timeout",
    "queue_timeout",
    "not_started",
    "its execution ended early",
)


class ShardProtocol(RuleBasedStateMachine):
    """Runners die, stall and come back; messages are lost, doubled and late; executions stop; people cancel."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.commits: dict[WorkKey, Commit] = {}
        self.epochs: dict[WorkKey, int] = {}
        self.patient: set[str] = set()  # runs that lost a ticket for good: only their timeout ends them

    # --- runs -----------------------------------------------------------------------------------------------------

    @initialize(shards=st.integers(1, 4), concurrency=st.integers(1, 3))
    def first_run(self, shards: int, concurrency: int) -> None:
        self.world.submit(shards=shards, concurrency=concurrency)

    @precondition(lambda self: len(self.world.tickets) < MOST_RUNS)
    @rule(shards=st.integers(1, 3), concurrency=st.integers(1, 2))
    def another_run(self, shards: int, concurrency: int) -> None:
        self.world.submit(shards=shards, concurrency=concurrency, priority=Priority.P0)

    @rule(index=INDEX)
    def somebody_cancels(self, index: int) -> None:
        with suppress(CrashError):
            self.world.cancel(self._run(index), ADA)

    @rule(index=INDEX, noticed=st.booleans())
    def an_execution_is_stopped(self, index: int, noticed: bool) -> None:
        run_id = self._run(index)
        self.world.stop(lifecycle.current_execution(self.world.runs.get(run_id)), cause="behind our back")
        if noticed:
            with suppress(CrashError):
                self.world.recover(run_id)

    @rule()
    def executions_go_on(self) -> None:
        self.world.step()

    # --- messages -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.admissions)
    @rule(index=INDEX, doubled=st.booleans())
    def an_admission_arrives(self, index: int, doubled: bool) -> None:
        messages = self.world.admissions
        message = messages[index % len(messages)] if doubled else messages.pop(index % len(messages))
        with suppress(CrashError):
            if self.world.admit([message]) and message not in messages:
                messages.append(message)  # reported as failed: SQS delivers it again

    @precondition(lambda self: self.world.admissions)
    @rule(index=INDEX)
    def an_admission_dies(self, index: int) -> None:
        messages = self.world.admissions
        with suppress(CrashError):
            self.world.admission_dies(messages.pop(index % len(messages)))

    @precondition(lambda self: self.world.admissions)
    @rule(index=INDEX)
    def an_admission_is_lost(self, index: int) -> None:
        message = self.world.admissions.pop(index % len(self.world.admissions))
        self.patient.add(message.ticket.run_id)

    @rule()
    def the_scheduler_is_woken(self) -> None:
        with suppress(CrashError):
            self.world.schedule()

    @precondition(lambda self: self.world.bag.dispatched)
    @rule(index=INDEX, doubled=st.booleans())
    def a_runner_takes_a_message(self, index: int, doubled: bool) -> None:
        messages = self.world.bag.dispatched
        message = messages[index % len(messages)] if doubled else messages.pop(index % len(messages))
        self._take(message)

    @rule(newest_first=st.booleans())
    def everything_is_started(self, newest_first: bool) -> None:
        messages, self.world.admissions = self.world.admissions, []
        if newest_first:
            messages.reverse()
        with suppress(CrashError):
            for message in [messages[index] for index in self.world.admit(messages)]:
                self.world.admissions.append(message)
        dispatched, self.world.bag.dispatched = self.world.bag.dispatched, []
        for dispatch in dispatched:
            self._take(dispatch)

    def _take(self, message: DispatchMessage) -> None:
        key = WorkKey(message.run_id, message.work_id)
        before = self.world.works.items[key]
        work = self.world.take(message)
        if work is not None:
            assert (before.state, before.attempt) == (WorkState.ADMITTED, message.attempt)
            assert work.epoch > before.epoch
            self.world.holders.append(work)

    @precondition(lambda self: self.world.bag.dispatched)
    @rule(index=INDEX, dead=st.booleans())
    def a_dispatch_is_lost_or_dies(self, index: int, dead: bool) -> None:
        message = self.world.bag.dispatched.pop(index % len(self.world.bag.dispatched))
        if dead:
            with suppress(CrashError):
                self.world.fail_dead_letters([DeadLetter(message, self.world.clock.now())])

    @precondition(lambda self: self.world.bag.watches)
    @rule(index=INDEX, doubled=st.booleans(), lost=st.booleans())
    def a_watchdog_wakes(self, index: int, doubled: bool, lost: bool) -> None:
        messages = self.world.bag.watches
        run_id = messages[index % len(messages)] if doubled else messages.pop(index % len(messages))
        if not lost:
            with suppress(CrashError):
                self.world.watch(run_id)

    @rule()
    def the_sweep_runs(self) -> None:
        with suppress(CrashError):
            self.world.sweep()

    @rule(index=INDEX)
    def a_borrowed_slot_is_taken_back(self, index: int) -> None:
        with suppress(CrashError, WriteConflictError):
            self.world.preempt(index)

    @rule(index=INDEX, stale=st.booleans())
    def a_pod_is_told_dead(self, index: int, stale: bool) -> None:
        with suppress(CrashError, WriteConflictError):
            self.world.lose_carrier(index, stale=stale)

    # --- runners: each holder acts when it likes, also long after its lease -----------------------------------------

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX)
    def a_runner_beats(self, index: int) -> None:
        holders = self.world.holders
        with suppress(LeaseLostError):
            holders[index % len(holders)] = self.world.beat(
                holders[index % len(holders)], Progress(tests_done=1)
            )

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX, again=st.booleans())
    def a_runner_commits(self, index: int, again: bool) -> None:
        holders = self.world.holders
        work = holders[index % len(holders)] if again else holders.pop(index % len(holders))
        with suppress(LeaseLostError, CrashError):
            self.world.finish_work(work)

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX, failed=st.booleans())
    def a_runner_gives_back_or_fails(self, index: int, failed: bool) -> None:
        work = self.world.holders.pop(index % len(self.world.holders))
        with suppress(LeaseLostError, CrashError):
            if failed:
                self.world.fail_attempt(work, reason="runner_error", detail="disk full")
            else:
                self.world.hand_back(work)

    @precondition(lambda self: self.world.holders)
    @rule(index=INDEX)
    def a_runner_dies(self, index: int) -> None:
        self.world.holders.pop(index % len(self.world.holders))

    @precondition(lambda self: self.world.holders)
    @rule()
    def every_lease_lapses(self) -> None:
        self.world.clock.advance(LEASE_DURATION)
        for run_id in self.world.tickets:
            with suppress(CrashError):
                self.world.watch(run_id)
        self.everything_is_started(newest_first=False)

    @precondition(lambda self: self._zombies())
    @rule(index=INDEX)
    def a_zombie_tries_everything(self, index: int) -> None:
        zombies = self._zombies()
        zombie = zombies[index % len(zombies)]
        acts: tuple[Callable[[], object], ...] = (
            lambda: self.world.beat(zombie, Progress()),
            lambda: self.world.finish_work(zombie),
            lambda: self.world.hand_back(zombie),
        )
        for act in acts:
            with pytest.raises(LeaseLostError):
                act()

    def _zombies(self) -> list[Work]:
        items = self.world.works.items
        return [work for work in self.world.holders if items[work.key].epoch > work.epoch]

    # --- time, crashes and races ------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 7, 15, 31, 95, 600]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def the_next_effects_are_lost(self) -> None:
        self.world.crash = True

    @rule(index=INDEX, what=st.sampled_from(["cancel", "watch", "schedule", "commit", "enqueue"]))
    def somebody_writes_in_between(self, index: int, what: str) -> None:
        def act() -> None:
            with suppress(CrashError, LeaseLostError, WriteConflictError):
                self._act(what, index)

        self.world.works.meanwhile = act

    def _act(self, what: str, index: int) -> None:
        world = self.world
        if what == "cancel":
            world.cancel(self._run(index), ADA)
        elif what == "watch":
            world.watch(self._run(index))
        elif what == "schedule":
            world.clock.advance(TERM)
            world.admit(world.admissions)
        elif what == "commit" and world.holders:
            world.finish_work(world.holders[index % len(world.holders)])
        elif what == "enqueue" and world.admissions:
            world.admit([world.admissions[index % len(world.admissions)]])

    def _run(self, index: int) -> str:
        run_ids = sorted(self.world.tickets)
        return run_ids[index % len(run_ids)]

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def a_commit_is_made_once_and_never_changes(self) -> None:
        for key, work in self.world.works.items.items():
            assert (work.state is WorkState.DONE) == (work.commit is not None)
            if work.commit is not None:
                assert self.commits.setdefault(key, work.commit) == work.commit
            else:
                assert key not in self.commits

    @invariant()
    def an_epoch_only_grows(self) -> None:
        for key, work in self.world.works.items.items():
            assert work.epoch >= self.epochs.get(key, 0)
            self.epochs[key] = work.epoch

    @invariant()
    def an_old_epoch_can_do_nothing(self) -> None:
        for zombie in self._zombies():
            with pytest.raises(LeaseLostError):
                protocol.beat(
                    self.world.works.items[zombie.key],
                    epoch=zombie.epoch,
                    progress=Progress(),
                    now=self.world.clock.now(),
                )

    @invariant()
    def slots_are_never_overbooked(self) -> None:
        active = [
            work
            for work in self.world.works.items.values()
            if work.state in {WorkState.ADMITTED, WorkState.LEASED}
        ]
        assert len(active) <= SLOTS
        assert {work.key for work in active} == set(self.world.queue.active_entries)
        for work in active:
            assert sum(other.key.run_id == work.key.run_id for other in active) <= work.concurrency

    @invariant()
    def every_answer_tells_the_commit(self) -> None:
        for token, answer in self.world.tokens.answers.items():
            work = self.world.works.items[WorkKey(answer.run_id, answer.work_id)]
            assert token.endswith(f"/{answer.work_id}")
            assert said(answer) == expected_answer(work)

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        assert all(count == 1 for count in self.world.counted.values())

    def teardown(self) -> None:
        """Then everything is delivered fairly, and everything ends."""
        world = self.world
        if not world.tickets:
            return
        world.settle(patient=self.patient)
        for run_id in world.tickets:
            assert world.runs.get(run_id).state is RunState.FINISHED
        for work in world.works.items.values():
            assert work.state is WorkState.DONE
            assert work.token in world.tokens.answers or work.token in world.tokens.closed
            self._ended_for_a_reason(work)
        assert not world.queue.waiting
        assert not world.queue.active_entries
        self.a_commit_is_made_once_and_never_changes()
        self.every_answer_tells_the_commit()
        self.nothing_is_counted_twice()

    def _ended_for_a_reason(self, work: Work) -> None:
        commit = work.commit
        assert commit is not None
        if commit.outcome is WorkOutcome.COMPLETED:
            assert commit.prefix == _prefix_of(commit, work.key)
        elif commit.outcome is WorkOutcome.CANCELLED:
            cancelled = self.world.runs.get(work.key.run_id).cancel_requested_at is not None
            assert cancelled or commit.reason == "the run is over"  # its ticket came after the end
        else:
            assert str(commit.reason).startswith(ERRORS), commit


def _prefix_of(commit: Commit, key: WorkKey) -> str:
    return f"runs/{key.run_id}/work/{key.work_id}/{commit.attempt:02d}-{commit.epoch:03d}/"


TestShardProtocol = ShardProtocol.TestCase
TestShardProtocol.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
)
