"""A small cloud for the model-based test: the real use cases over stores in memory, and channels that go wrong.

Messages lie in bags and are delivered when a test says so, in any order, twice or never. Executions hand out tokens as
the state machine does, ingest what was answered and finish their run. A crash loses the effects of one stored write.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta

from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import RunState
from crosswind.contracts.suites import Priority
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import (
    AdmissionMessage,
    DispatchMessage,
    PullList,
    Ticket,
    WorkAnswer,
    WorkOutcome,
)
from crosswind.platform.access import decide
from crosswind.runs import layout, protocol
from crosswind.runs.admission.lanes import Lanes
from crosswind.runs.admission.model import Capacity
from crosswind.runs.effects import Effect, Transition
from crosswind.runs.model import ShardSummary, Work, WorkKey
from crosswind.runs.ports import ExecutionStatus
from crosswind.runs.pulling.model import Batch
from crosswind.runs.pulling.worklist import WorkList
from crosswind.runs.usecases.cancelling import CancelRun, EndWork
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.following import FollowBeside
from crosswind.runs.usecases.leasing import BeatWork, ClaimWork, CommitWork, FailAttempt, HandBack
from crosswind.runs.usecases.pulling import (
    CommitBatch,
    LeaseBatch,
    ReturnBatch,
    ReturnLapsed,
)
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.recovery import RecoverRun, SweepRuns
from crosswind.runs.usecases.scheduling import TERM, Admission, AdmitWork, EnqueueWork, RunScheduler
from crosswind.runs.usecases.watching import DeadLetter, FailDeadLetters, WatchRun
from tests.fakes import (
    MemoryEventBus,
    MemoryExecutions,
    MemoryObjectStore,
    MemoryQueueStore,
    MemoryRunStore,
    MemoryTaskTokens,
    SettableClock,
    make_run,
    make_ticket,
)
from tests.unit.runs.busy_stores import BusyPullStore, BusyWorkStore, CrashError

SLOTS = 2
SOON = 40  # turns of 15 s
ADA = Actor(subject="ada", issuer="https://issuer.example", teams=("demo",), roles=(Role.RUNNER,))
SUMMARY = ShardSummary(tests=1, passed=1, failed=0, errors=0, skipped=0, flaky=0, cases_key=None)


class BagQueues:
    """Queues whose messages wait for the test to deliver them."""

    def __init__(self) -> None:
        self.wakes = 0
        self.later: list[timedelta] = []
        self.dispatched: list[DispatchMessage] = []
        self.watches: list[str] = []

    def wake_scheduler(self, *, after: timedelta = timedelta()) -> None:
        if after > timedelta():
            self.later.append(after)
        else:
            self.wakes += 1

    def dispatch(self, messages: Sequence[DispatchMessage], *, after: timedelta = timedelta()) -> None:
        self.dispatched.extend(messages)

    def watch(self, run_id: str, *, delay: timedelta) -> None:
        self.watches.append(run_id)


@dataclass(frozen=True)
class CrashingEffects(PerformEffects):
    """Loses the effects of the next write once `world.crash` is set."""

    world: "World"

    def __call__(self, effects: Iterable[Effect]) -> None:
        wanted = tuple(effects)
        if wanted and self.world.crash:
            self.world.crash = False
            raise CrashError("the process ended")
        super().__call__(wanted)


@dataclass
class Execution:
    """A running execution: the tokens it waits for, by shard, and the shards that it has ingested."""

    run_id: str
    tokens: dict[str, WorkKey] = field(default_factory=dict)
    ingested: set[WorkKey] = field(default_factory=set)


class World(MemoryExecutions):
    """Everything of one control plane; it is also its Step Functions."""

    def __init__(self) -> None:
        super().__init__()
        self.crash = False
        self.clock = SettableClock()
        self.bag = BagQueues()
        self.admissions: list[Admission] = []
        self.tokens = MemoryTaskTokens()
        self.runs = MemoryRunStore(self.clock)
        self.queue = MemoryQueueStore()
        self.queue.register_slots(SLOTS)
        self.works = BusyWorkStore(self.queue)
        self.objects = MemoryObjectStore()
        self.tickets: dict[str, list[Ticket]] = {}
        self.lists: dict[str, WorkList] = {}
        self.running: dict[str, Execution] = {}
        self.counted: Counter[WorkKey] = Counter()
        self.holders: list[Work] = []
        self._wire()

    def _wire(self) -> None:
        def no_pause(repetition: int) -> None:
            """Time stands still anyway."""

        perform = CrashingEffects(self.bag, self.tokens, self)
        self.change = change = ChangeWork(self.works, perform, no_pause)
        end_work = EndWork(self.works, change, self.clock)
        self.claim = ClaimWork(change, self.clock)
        self.beat = BeatWork(change, self.clock)
        self.commit = CommitWork(change, self.clock)
        self.hand_back = HandBack(change, self.clock)
        self.fail_attempt = FailAttempt(change, self.clock)
        self.cancel = CancelRun(self.runs, FindRun(self.runs, Guard(decide)), end_work, self.clock, no_pause)
        self.schedule = RunScheduler(
            queue=self.queue,
            works=self.works,
            perform=perform,
            queues=self.bag,
            clock=self.clock,
            owner="scheduler",
            lanes=Lanes(self.queue),
            defaults=Capacity(slots=1),
            pause=self.clock.advance,
        )
        self.admit = AdmitWork(EnqueueWork(self.runs, change, self.clock), self.schedule)
        self.recover = RecoverRun(
            runs=self.runs,
            executions=self,
            artifacts=self.objects,
            end_work=end_work,
            close_run=self.close_run,
            clock=self.clock,
            pause=no_pause,
        )
        self.pulls = BusyPullStore(self.works)
        self.lease_batch = LeaseBatch(self.pulls, self.works, no_pause)
        self.commit_batch = CommitBatch(self.pulls)
        self.return_batch = ReturnBatch(self.pulls, self.works, no_pause)
        self.watch = WatchRun(
            runs=self.runs,
            works=self.works,
            queues=self.bag,
            change=change,
            return_lapsed=ReturnLapsed(self.pulls, self.works, no_pause),
            end_work=end_work,
            recover=self.recover,
            follow_beside=FollowBeside(self.runs, MemoryEventBus(), self.clock, no_pause),
            clock=self.clock,
            pause=no_pause,
        )
        self.sweep = SweepRuns(
            runs=self.runs, queues=self.bag, bus=MemoryEventBus(), recover=self.recover, clock=self.clock
        )
        self.fail_dead_letters = FailDeadLetters(change, self.clock)

    # --- what the API and the state machine do --------------------------------------------------------------------

    def submit(
        self,
        *,
        shards: int,
        concurrency: int,
        priority: Priority = Priority.P1,
        pulled: PullList | None = None,
        group: str | None = None,
    ) -> str:
        """What submit_run does: the record, the input, the execution, the watchdog."""
        number = len(self.tickets) + 1
        run = make_run(number, created_at=self.clock.now(), timeout_seconds=3600)
        self.tickets[run.run_id] = [
            make_ticket(
                index,
                run=number,
                concurrency=concurrency,
                priority=priority,
                infrastructure_retries=2,
                pull_id=pulled.pull_id if pulled else None,
                group=group,
                group_size=shards if group else 1,
            )
            for index in range(shards)
        ]
        if pulled:
            self.lists[run.run_id] = WorkList.of(pulled)
        self.runs.create(run, idempotency=None)
        payload = RunExecutionInput(run_id=run.run_id, preparations=())
        self.objects.put(layout.execution_input_key(run.run_id), payload.to_wire().encode())
        self.start(run.run_id, payload)
        self.bag.watch(run.run_id, delay=timedelta(seconds=15))
        return run.run_id

    def start(self, name: str, payload: RunExecutionInput) -> None:
        """StartExecution: every shard's RunShard sends its ticket with a token."""
        if name in self.started:
            return
        super().start(name, payload)
        self.clock.advance(0.001)  # an execution begins later than the one that it takes over from
        execution = Execution(payload.run_id)
        self.running[name] = execution
        for ticket in self.tickets[payload.run_id]:
            token = f"{name}/{ticket.work_id}"
            execution.tokens[token] = WorkKey(ticket.run_id, ticket.work_id)
            self.admissions.append(Admission(ticket, token, self.clock.now()))

    def stop(self, name: str, *, cause: str) -> None:
        """StopExecution: no Catch runs, and the tokens are over."""
        super().stop(name, cause=cause)
        execution = self.running.pop(name, None)
        for token in execution.tokens if execution else ():
            self.tokens.close(token)

    def step(self) -> None:
        """Every execution ingests what was answered; one that has ingested all finishes its run and succeeds."""
        for name, execution in list(self.running.items()):
            for token, key in execution.tokens.items():
                if token in self.tokens.answers:
                    self._ingest(key)
                    execution.ingested.add(key)
            if len(execution.ingested) == len(execution.tokens):
                self.finish_run(execution.run_id)
                self.running.pop(name, None)
                self.end(name, ExecutionStatus.SUCCEEDED)

    def _ingest(self, key: WorkKey) -> None:
        work = self.works.items[key]
        if work.summary is None:
            self.works.save(work, replace(work, summary=SUMMARY))
            self.counted[key] += 1

    def finish_run(self, run_id: str) -> None:
        """Fold, judge and publish, as far as it matters here. Safe to repeat."""
        run = self.runs.get(run_id)
        if run.state is not RunState.FINISHED:
            self.runs.save(replace(run, state=RunState.FINISHED, finished_at=self.clock.now()))

    def close_run(self, run_id: str, *, at_last: bool) -> bool:
        """What a worker does in place of an execution: committed shards are ingested first."""
        for key, work in list(self.works.items.items()):
            if key.run_id == run_id and work.commit and work.commit.outcome is WorkOutcome.COMPLETED:
                self._ingest(key)
        self.finish_run(run_id)
        return True

    def preempt(self, index: int) -> None:
        """What a scheduler does where P0 lacks a slot: take a borrowed one back, under its fence."""
        active = sorted(self.queue.active_entries)
        term = self.queue.lead("preempting", now=self.clock.now(), duration=TERM)
        if term is None:
            return
        for key in active[index % len(active) : index % len(active) + 1] if active else ():
            before = self.works.items[key]
            after = protocol.preempt(replace(before, borrowed=True), now=self.clock.now())
            if after is not None:
                self.works.admit_all([(before, after.work)], fence=term.fence)
        self.queue.release(term)

    def lose_carrier(self, index: int, *, stale: bool) -> None:
        """Somebody sees what carries a piece of work die; or what had carried it before, which says nothing."""
        keys = sorted(self.works.items)
        if not keys:
            return
        key = keys[index % len(keys)]
        seen = self.works.items[key]
        held = seen.lease.runner_id if seen.lease else "pod/none"
        carrier, epoch = ("pod/before", seen.epoch - 1) if stale else (held, seen.epoch)

        def decide(work: Work | None) -> Transition | None:
            if work is None:
                return None
            return protocol.lose_carrier(
                work,
                carrier=carrier,
                epoch=epoch,
                now=self.clock.now(),
                reason="evicted",
                detail="seen to die",
            )

        self.change(key, decide)
        after = self.works.items[key]
        assert not stale or (after.state, after.attempt, after.epoch) == (
            seen.state,
            seen.attempt,
            seen.epoch,
        )

    def admission_dies(self, message: Admission) -> None:
        """The admission queue gives a message up."""
        body = AdmissionMessage(ticket=message.ticket, token=message.token)
        self.fail_dead_letters([DeadLetter(body, message.sent_at)])

    # --- fairness -------------------------------------------------------------------------------------------------

    def settle(self, *, patient: AbstractSet[str]) -> None:
        """Deliver everything, let time pass, let runners do their work: until every run is finished.

        It takes some minutes at most; only `patient` runs may wait for their timeout.
        """
        self.crash = False
        self.works.meanwhile = None
        self.pulls.answer_is_lost = False
        self.holders.clear()
        for turn in range(400):
            self._deliver_all()
            if turn % 4 == 0:
                self.sweep()
            waiting = {run.run_id for run in self.runs.unfinished()}
            if not waiting and not self.admissions:
                return
            assert turn < SOON or waiting <= patient, f"{waiting} should have ended"
            self.clock.advance(15)
        raise AssertionError("the runs never ended")

    def _deliver_all(self) -> None:
        messages, self.admissions = self.admissions, []
        self.admit([*messages, None])
        dispatched, self.bag.dispatched = self.bag.dispatched, []
        for message in dispatched:
            work = self.take(message)
            if work:
                self.finish_work(work)
        self.step()
        watches, self.bag.watches = self.bag.watches, []
        for run_id in watches:
            self.watch(run_id)

    # --- what runners do ------------------------------------------------------------------------------------------

    def take(self, message: DispatchMessage) -> Work | None:
        """A runner receives a message."""
        key = WorkKey(message.run_id, message.work_id)
        return self.claim(key, attempt=message.attempt, runner_id="runner")

    def lease(self, work: Work) -> Batch | None:
        """A runner that pulls asks for a batch."""
        return self.lease_batch(work, self.lists[work.key.run_id])

    def finish_work(self, work: Work) -> Work:
        """A runner works off what it can get, uploads and commits."""
        while work.pull_id and (batch := self.lease(work)):
            self.commit_batch(work, batch)
        return self.commit(work, outcome=WorkOutcome.COMPLETED, prefix=layout.attempt_prefix(work))


def expected_answer(work: Work) -> tuple[object, ...]:
    """What every answer about this work must say."""
    assert work.commit is not None
    return (work.key.work_id, work.commit.outcome, work.commit.attempt, work.commit.epoch)


def said(answer: WorkAnswer) -> tuple[object, ...]:
    """What an answer says."""
    return (answer.work_id, answer.outcome, answer.attempt, answer.epoch)
