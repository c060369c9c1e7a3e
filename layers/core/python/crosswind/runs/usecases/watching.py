"""The watchdog of a run: what time alone brings about, and what a crash or a lost message left undone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.contracts.requests import RunState
from crosswind.contracts.work import AdmissionMessage, DispatchMessage
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, NotFoundError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import beside, failing_fast, lifecycle, protocol
from crosswind.runs.effects import Transition
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import WATCH_INTERVAL, Run, RunFailure, Work, WorkKey, WorkState
from crosswind.runs.ports import Queues, RunStore, WorkStore
from crosswind.runs.usecases.cancelling import EndWork
from crosswind.runs.usecases.changing import ChangeWork
from crosswind.runs.usecases.pulling import ReturnLapsed
from crosswind.runs.usecases.scheduling import Admission, admission_of

STILL_AFTER = timedelta(seconds=60)  # nothing moved for so long: look at the execution, then once a minute
SHORTEST_TURN = timedelta(seconds=10)  # an earlier message belongs to a second chain, which ends here
TIME_FOR_A_TURN = timedelta(seconds=40)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatchRun:
    """Look after a run once, and come back while it is unfinished."""

    runs: RunStore
    works: WorkStore
    queues: Queues
    change: ChangeWork
    return_lapsed: ReturnLapsed
    end_work: EndWork
    recover: Callable[[str], object]
    follow_beside: Callable[[Run, Sequence[Work]], object]  # FollowBeside
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str) -> bool:
        """Whether this was the run's turn. The next turn is armed before anything else, so no crash ends the chain."""
        try:
            run = retry_conflicts(lambda: self._take_turn(run_id), pause=self.pause)
        except NotFoundError:
            _log.warning("run %s is gone", run_id)
            return False
        if run is None:
            return False
        if run.state is not RunState.FINISHED:
            self.queues.watch(run_id, delay=beside.TURN if beside.is_open(run) else WATCH_INTERVAL)
        closed = lifecycle.closed(run, self.clock.now())
        if closed is not None:
            self.end_work(run_id, closed, within=TIME_FOR_A_TURN)
        if run.state is RunState.FINISHED:
            return True
        works = list(self.works.of_run(run_id))
        self._follow_beside(run, works)
        self._pass_time(run, works)
        self._return_batches(run_id, works)
        self._wake_scheduler(works)
        if self._is_still(run, works) or lifecycle.overdue(run, self.clock.now()):
            self._recover(run_id)
        return True

    def all(self, run_ids: Sequence[str]) -> list[int]:
        """A turn for each run. Returns the indexes of those that failed."""
        failed = []
        for index, run_id in enumerate(run_ids):
            try:
                self(run_id)
            except CrosswindError:
                _log.exception("run %s could not be looked after", run_id)
                failed.append(index)
        return failed

    def _take_turn(self, run_id: str) -> Run | None:
        """Record the turn; of several messages for one run one gets it, so that chains never multiply."""
        run = self.runs.get(run_id)
        now = self.clock.now()
        if run.state is RunState.FINISHED:
            return run
        shortest = min(SHORTEST_TURN, beside.TURN * 2 / 3) if beside.is_open(run) else SHORTEST_TURN
        if run.watched_at is not None and now - run.watched_at < shortest:
            return None
        watched = replace(run, watched_at=now)
        if run.cancel_requested_at is None and now >= lifecycle.deadline(run):
            detail = f"the run did not end within its {run.timeout_seconds} s"
            failure = RunFailure(state="WatchRun", kind="timeout", detail=detail, at=now)
            watched = lifecycle.with_failure(watched, failure)
        return self.runs.save(watched)

    def _follow_beside(self, run: Run, works: Sequence[Work]) -> None:
        try:
            self.follow_beside(run, works)
        except CrosswindError:
            _log.exception("experiments beside %s could not be followed", run.run_id)

    def _pass_time(self, run: Run, works: Sequence[Work]) -> None:
        until = self.clock.now() + TIME_FOR_A_TURN

        def decide(work: Work) -> Transition | None:
            now = self.clock.now()
            return failing_fast.end(run, work, now=now) or protocol.watch(work, now=now)

        self.change.all(works, decide, go_on=lambda: self.clock.now() < until)

    def _return_batches(self, run_id: str, works: Sequence[Work]) -> None:
        """Right after leases lapsed: what lost runners held is run by those that pull from the same list."""
        pulled = {work.pull_id for work in works if work.pull_id and work.state is not WorkState.DONE}
        try:
            self.return_lapsed(run_id, sorted(pulled))
        except CrosswindError:
            _log.exception("batches of %s could not be looked after", run_id)

    def _wake_scheduler(self, works: Sequence[Work]) -> None:
        """Mark the run's lane again, too: whoever enqueued the work may have died between the two writes."""
        now = self.clock.now()
        waiting = [
            work
            for work in works
            if work.state is WorkState.WAITING and (work.not_before is None or work.not_before <= now)
        ]
        if waiting:
            self.works.line_up(waiting[0])
            self.queues.wake_scheduler()

    def _is_still(self, run: Run, works: Sequence[Work]) -> bool:
        moved: datetime = max(lifecycle.last_moved(works) or run.created_at, run.created_at)
        still = self.clock.now() - moved
        return still >= STILL_AFTER and still % STILL_AFTER < WATCH_INTERVAL + timedelta(seconds=5)

    def _recover(self, run_id: str) -> None:
        try:
            self.recover(run_id)
        except CrosswindError:
            _log.exception("run %s could not be recovered", run_id)


@dataclass(frozen=True)
class WatchWork:
    """Let time pass over all work of an owner that is no run: a lapse ends or requeues it, a lost answer is repeated."""

    works: WorkStore
    queues: Queues
    change: ChangeWork
    clock: Clock

    def __call__(self, owner_id: str) -> tuple[Work, ...]:
        """The owner's work as it is afterwards."""
        until = self.clock.now() + TIME_FOR_A_TURN
        works = tuple(self.works.of_run(owner_id))
        self.change.all(
            works,
            lambda work: protocol.watch(work, now=self.clock.now()),
            go_on=lambda: self.clock.now() < until,
        )
        for work in works:
            if work.state is WorkState.WAITING:  # whoever enqueued it may have died before it woke anybody
                self.works.line_up(work)
                self.queues.wake_scheduler()
        return tuple(self.works.of_run(owner_id))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that its queue gave up, and when it was sent."""

    body: AdmissionMessage | DispatchMessage
    sent_at: datetime


@dataclass(frozen=True)
class FailDeadLetters:
    """What the dead-letter queues hold: nobody could take it in many tries, so the work behind it must not wait."""

    change: ChangeWork
    clock: Clock

    def __call__(self, letters: Sequence[DeadLetter]) -> list[int]:
        """Indexes of letters that are to be delivered again."""
        failed = []
        for index, letter in enumerate(letters):
            try:
                self._fail(letter)
            except CrosswindError:
                _log.exception("a dead letter of %s could not be worked off", _about(letter.body))
                failed.append(index)
        return failed

    def _fail(self, letter: DeadLetter) -> None:
        if isinstance(letter.body, DispatchMessage):
            self._lose_dispatch(letter.body)
            return
        message = admission_of(letter.body, letter.sent_at)
        if message is not None:
            self._refuse(message)

    def _refuse(self, message: Admission) -> None:
        """End a ticket that was never stored as an error; where it was stored, the token is passed on."""
        ticket = message.ticket
        self.change(
            WorkKey(run_id=ticket.run_id, work_id=ticket.work_id),
            lambda existing: protocol.refuse(
                existing,
                ticket,
                message.token,
                token_at=message.sent_at,
                now=self.clock.now(),
                reason=f"{InfrastructureReason.ADMISSION_FAILED}: the work could not be put into the queue",
            ),
        )

    def _lose_dispatch(self, message: DispatchMessage) -> None:
        """Count an attempt that no runner could take as lost."""

        def decide(work: Work | None) -> Transition | None:
            if work is None:
                return None
            return protocol.undelivered(
                work,
                attempt=message.attempt,
                now=self.clock.now(),
                reason=InfrastructureReason.UNDELIVERED,
                detail="runners received its message many times and never claimed it",
            )

        self.change(WorkKey(run_id=message.run_id, work_id=message.work_id), decide)


def _about(body: AdmissionMessage | DispatchMessage) -> str:
    """What may be logged of a message: its token may not."""
    subject = body if isinstance(body, DispatchMessage) else body.ticket
    return f"{subject.work_id} of {subject.run_id}" if subject else "a wake-up"
