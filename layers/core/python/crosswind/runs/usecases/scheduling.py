"""Taking work into the queue, and giving free slots to what waits."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crosswind.contracts.work import AdmissionMessage, Ticket, WorkKind
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, WriteConflictError
from crosswind.runs import failing_fast, lifecycle, protocol
from crosswind.runs.admission.lanes import Lanes
from crosswind.runs.admission.model import Account, Capacity, Decision, Round, Usage
from crosswind.runs.admission.policy import admit
from crosswind.runs.admission.ports import LaneLine, QueueStore, SchedulerTerm, Waiting
from crosswind.runs.effects import Closed, Effect, Transition
from crosswind.runs.model import Run, Work, WorkKey
from crosswind.runs.ports import Queues, RunStore, WorkStore
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects

TERM = timedelta(seconds=20)
LONGEST_SITTING = timedelta(seconds=10)  # well within the term and the function's time limit
SHORTEST_PAUSE = timedelta(
    seconds=0.5
)  # so that a paced launch costs a tenth of a look at the queue, not a whole one
LONGEST_PAUSE = timedelta(seconds=1)  # what is due sooner is waited for, what is due later is woken for
TRY_AGAIN_AFTER = timedelta(seconds=2)
EXPLAIN_EVERY = timedelta(seconds=10)  # of a lane that waits on for the same reason with other numbers
SAMPLE_EVERY = timedelta(seconds=5)  # of what is at work, for the shares, while nothing waits
BATCH = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """A ticket with the task token that waits for it, and when the queue took the message."""

    ticket: Ticket
    token: str
    sent_at: datetime


def admission_of(message: AdmissionMessage, sent_at: datetime) -> Admission | None:
    """The ticket that a message brings; None for a mere wake-up."""
    if message.ticket is None or message.token is None:
        return None
    return Admission(message.ticket, message.token, sent_at)


@dataclass(frozen=True)
class EnqueueWork:
    """Store tickets as waiting work; work that is already done answers its token at once.

    Runs are read before and again after the writes: either this sees that a run was closed meanwhile, or whoever closed
    it saw the work.

    Args:
        side_by_side: How many tickets are written at once.
    """

    runs: RunStore
    change: ChangeWork
    clock: Clock
    side_by_side: int = 1

    def __call__(self, messages: Sequence[Admission]) -> Sequence[bool]:
        """Whether each was stored, or is old or doubled. Whatever happens to one, the others are stored."""
        stored = self._each(self._store, messages, self._runs(messages))
        written = [each for each, well in zip(messages, stored, strict=True) if well]
        closed = iter(self._each(self._close, written, self._runs(written)))
        return [well and next(closed) for well in stored]

    def _each(
        self,
        act: Callable[[Admission, Run | None], object],
        messages: Sequence[Admission],
        runs: Mapping[str, Run],
    ) -> list[bool]:
        def attempt(message: Admission) -> bool:
            ticket = message.ticket
            try:
                act(message, None if ticket.kind is WorkKind.MONITOR else runs[ticket.run_id])
            except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one ticket's own
                _log.exception("%s of %s was not enqueued", ticket.work_id, ticket.run_id)
                return False
            return True

        if self.side_by_side <= 1 or len(messages) <= 1:
            return [attempt(message) for message in messages]
        with ThreadPoolExecutor(self.side_by_side) as pool:
            return list(pool.map(attempt, messages))

    def _store(self, message: Admission, run: Run | None) -> None:
        ticket = message.ticket

        def decide(existing: Work | None) -> Transition | None:
            now = self.clock.now()
            return protocol.enqueue(
                existing,
                ticket,
                message.token,
                token_at=message.sent_at,
                now=now,
                closed=_closed(run, ticket, now),
            )

        self.change(_key(ticket), decide)

    def _close(self, message: Admission, run: Run | None) -> None:
        closed = _closed(run, message.ticket, self.clock.now())
        if closed is not None:
            self.change(
                _key(message.ticket),
                lambda stored: protocol.close(stored, closed, now=self.clock.now()) if stored else None,
            )

    def _runs(self, messages: Sequence[Admission]) -> dict[str, Run]:
        """Those that can be read. A monitor has none: the chaos area itself cancels it when its run is over."""
        wanted = {each.ticket.run_id for each in messages if each.ticket.kind is not WorkKind.MONITOR}
        found = {}
        for run_id in sorted(wanted):
            try:
                found[run_id] = self.runs.get(run_id)
            except CrosswindError:
                _log.warning("run %s could not be read for its tickets", run_id, exc_info=True)
        return found


def _key(ticket: Ticket) -> WorkKey:
    return WorkKey(run_id=ticket.run_id, work_id=ticket.work_id)


def _closed(run: Run | None, ticket: Ticket, now: datetime) -> Closed | None:
    """Why the ticket's work takes no part in the run any more."""
    if run is None:
        return None
    closed = lifecycle.closed(run, now)
    if closed is None and ticket.kind is WorkKind.SHARD:
        return failing_fast.closed(run, stage=ticket.stage, test=ticket.test, work_id=ticket.work_id)
    return closed


@dataclass
class _Sitting:
    """One scheduler's term while it is held: what it has done, and what it leaves to the next."""

    term: SchedulerTerm
    ends: datetime
    account: Account | None
    admitted: int = 0
    again_at: datetime | None = None  # when time alone will let something in
    retry_at: datetime | None = None  # when to look again for what was chosen in vain
    lines: tuple[LaneLine, ...] = ()
    decided: Round = field(default_factory=lambda: Round(()))
    passed_over: set[WorkKey] = field(
        default_factory=set
    )  # chosen here in vain: not chosen again in this sitting


@dataclass(frozen=True)
class RunScheduler:
    """Admit what may be admitted, as the only scheduler: a lease with a fence makes all others step back.

    No wake-up is lost. One that comes while another scheduler leads is counted before this one steps back, and a leader
    resigns only if the counter stands where it was. What only time can let in (a backoff that ends, a launch token) is
    woken for by a delayed message. A leader that fails ends its term and asks for another; one that dies is noticed by
    one of those that stepped back, when its term is over.
    """

    queue: QueueStore
    works: WorkStore
    perform: PerformEffects
    queues: Queues
    clock: Clock
    owner: str
    lanes: Lanes
    defaults: Capacity
    pause: Callable[[float], object]

    def __call__(self, *, until: datetime | None = None) -> int:
        """How many were admitted here; 0 when another scheduler is at it, who sees that it was wanted.

        After `until` no further round begins, however soon that is: the caller's own time may be short.
        """
        self.queue.want()
        now = self.clock.now()
        term = self.queue.lead(self.owner, now=now, duration=TERM)
        if term is None:
            left = self.queue.stand_by(now=now)
            if left is not None:
                self.queues.wake_scheduler(after=left)
            return 0
        ends = now + LONGEST_SITTING
        sitting = _Sitting(term, ends=min(ends, until or ends), account=term.account)
        try:
            self._sit(sitting)
        except WriteConflictError:
            _log.info("the scheduler's fence moved on from %s", term.fence)
        except Exception as fault:
            _log.exception("the scheduler failed; it is tried again in %s", TRY_AGAIN_AFTER)
            self.queue.release(
                sitting.term
            )  # a term in which nobody sits keeps everyone waiting until its end
            self.queues.wake_scheduler(after=TRY_AGAIN_AFTER)
            if not isinstance(fault, CrosswindError):
                raise
        return sitting.admitted

    def _sit(self, sitting: _Sitting) -> None:
        """Rounds until one finds nothing to do and nobody has asked for another."""
        while True:
            busy = self._round(sitting)
            now = self.clock.now()
            if now >= sitting.ends:
                self._explain(sitting)
                self.queue.release(self._term_to_leave(sitting))
                self.queues.wake_scheduler()
                return
            if busy:
                continue
            if sitting.again_at is not None and sitting.again_at - now <= LONGEST_PAUSE:
                self.pause(max(sitting.again_at - now, SHORTEST_PAUSE).total_seconds())
                continue
            self._explain(sitting)
            self._arm(sitting)
            if self.queue.resign(self._term_to_leave(sitting)):
                return
            sitting.term = replace(sitting.term, wanted=self.queue.wanted())

    def _round(self, sitting: _Sitting) -> bool:
        """Decide, and carry out what was decided. Whether there was anything to carry out."""
        now = self.clock.now()
        decided = self._decide(sitting, now)
        sitting.decided, sitting.account, sitting.again_at = decided, decided.account, decided.again_at
        taken_back = self._take_back(sitting, decided, now)
        self._give(sitting, decided.admitted, now)
        return bool(decided.admitted) or taken_back

    def _decide(self, sitting: _Sitting, now: datetime) -> Round:
        """Decide over the first entries of each lane; list more of those that have used theirs up.

        Where nothing waits, as when a large run ends and each end wakes the scheduler, what is at work is only sampled.
        """
        sitting.lines = self.queue.lanes()
        self.lanes.refresh(sitting.lines)
        if not sitting.lines and sitting.account is not None and now < sitting.account.at + SAMPLE_EVERY:
            return Round((), account=sitting.account)
        rules = self.queue.rules()
        capacity = rules.capacity(self.defaults)
        usage = Usage(self.queue.active(), sitting.account)
        while True:
            queue = self.lanes.queue(paused=rules.paused_runs, leaving_out=sitting.passed_over)
            decided = admit(queue, usage, capacity, now)
            wanted = {*decided.cut_short, *self.lanes.used_up(decided)}
            if not self.lanes.deepen(sitting.lines, wanted):
                return decided

    def _take_back(self, sitting: _Sitting, decided: Round, now: datetime) -> bool:
        """Preempt borrowed work. The slots are given by the next round."""
        explanations = {each.victim.key: each.explanation for each in decided.preemptions}
        pairs = []
        for before in self.works.get_many(list(explanations)):
            after = protocol.preempt(before, now=now, decision=explanations[before.key])
            if after is not None:
                pairs.append((before, after.work))
        return bool(pairs) and bool(self.works.admit_all(pairs, fence=sitting.term.fence))

    def _give(self, sitting: _Sitting, chosen: Sequence[Decision], now: datetime) -> None:
        for start in range(0, len(chosen), BATCH):
            batch = {decision.entry.key: decision for decision in chosen[start : start + BATCH]}
            pairs = list(self._admissions(batch.values(), now))
            transitions = {after.work.key: after for _, after in pairs}
            written = self.works.admit_all(
                [(before, after.work) for before, after in pairs],
                fence=sitting.term.fence,
                account=sitting.account,
            )
            admitted = {work.key for work in written}
            self._note(sitting, chosen=batch.keys(), admitted=admitted, tried=transitions.keys())
            self._dispatch(effect for work in written for effect in transitions[work.key].effects)

    def _admissions(self, decisions: Iterable[Decision], now: datetime) -> Iterator[tuple[Work, Transition]]:
        chosen = {decision.entry.key: decision for decision in decisions}
        for before in self.works.get_many(list(chosen)):
            decision = chosen[before.key]
            after = protocol.admit(before, now=now, decision=decision.explanation, borrowed=decision.borrowed)
            if after is not None:
                yield before, after

    def _note(
        self,
        sitting: _Sitting,
        *,
        chosen: AbstractSet[WorkKey],
        admitted: AbstractSet[WorkKey],
        tried: AbstractSet[WorkKey],
    ) -> None:
        """What was chosen in vain does not hold its place: work that has moved on is forgotten, work that another writer
        or a fault kept from being admitted is tried again a little later."""
        in_vain = chosen - admitted
        sitting.admitted += len(admitted)
        sitting.passed_over |= in_vain
        self.lanes.forget(chosen)
        self.lanes.doubt({key.run_id for key in in_vain})
        if in_vain & tried:
            sitting.retry_at = self.clock.now() + TRY_AGAIN_AFTER

    def _dispatch(self, effects: Iterable[Effect]) -> None:
        """A message that cannot be sent now is sent again by the watchdog; the sitting goes on for the others."""
        try:
            self.perform(effects)
        except CrosswindError:
            _log.exception("admitted work could not be dispatched; the watchdog will")

    def _arm(self, sitting: _Sitting) -> None:
        """Have a wake-up come when time alone will let something in, unless one comes by then anyway."""
        again = min((at for at in (sitting.again_at, sitting.retry_at) if at is not None), default=None)
        if again is None:
            return
        armed = sitting.term.armed_for
        now = self.clock.now()
        if armed is not None and now < armed <= again + LONGEST_PAUSE:
            return
        self.queues.wake_scheduler(after=again - now)
        sitting.term = replace(sitting.term, armed_for=again)

    def _explain(self, sitting: _Sitting) -> None:
        """Keep at each lane why it waits, where that has changed. For people only: a fault here costs nothing else."""
        lines = {line.run_id: line for line in sitting.lines}
        now = self.clock.now()
        for decision in sitting.decided.decisions:
            line = lines.get(decision.entry.key.run_id)
            if decision.admitted or line is None:
                continue
            waiting = _waiting(decision, before=line.waiting, now=now)
            if waiting is None:
                continue
            try:
                self.queue.explain(line.run_id, waiting)
            except CrosswindError:
                _log.warning("why %s waits could not be kept", line.run_id, exc_info=True)

    @staticmethod
    def _term_to_leave(sitting: _Sitting) -> SchedulerTerm:
        return replace(sitting.term, account=sitting.account)


def _waiting(decision: Decision, *, before: Waiting | None, now: datetime) -> Waiting | None:
    """What is to be kept; None where what is kept says the same, or said it with other numbers just now."""
    if before is None or before.reason is not decision.reason:
        return Waiting(decision.reason, decision.explanation, since=now, written_at=now)
    if before.explanation == decision.explanation or now < before.written_at + EXPLAIN_EVERY:
        return None
    return replace(before, explanation=decision.explanation, written_at=now)


@dataclass(frozen=True)
class AdmitWork:
    """What the admission queue delivers: store each ticket, then hold one scheduling round for all of them."""

    enqueue: EnqueueWork
    schedule: RunScheduler

    def __call__(self, messages: Sequence[Admission | None]) -> list[int]:
        """Indexes of messages that are to be delivered again. None is a mere wake-up.

        A ticket that fails is tried once more after the round: delivered again, it comes minutes later.
        """
        until = self.enqueue.clock.now() + LONGEST_SITTING  # storing tickets takes of the same time limit
        tickets = {index: message for index, message in enumerate(messages) if message is not None}
        failed = self._enqueue(tickets)
        self.schedule(until=until)
        if not failed:
            return []
        still_failed = self._enqueue(failed)
        if len(still_failed) < len(failed):
            self.schedule(until=until)
        return sorted(still_failed)

    def _enqueue(self, tickets: Mapping[int, Admission]) -> dict[int, Admission]:
        """Those that failed."""
        stored = self.enqueue(list(tickets.values()))
        return {
            index: ticket for (index, ticket), well in zip(tickets.items(), stored, strict=True) if not well
        }
