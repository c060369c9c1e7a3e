"""Taking work into the queue, and giving free slots to what waits."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import AdmissionMessage, Ticket
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, WriteConflictError
from crosswind.runs import lifecycle, protocol
from crosswind.runs.admission.model import Capacity, Reason, Usage
from crosswind.runs.admission.policy import admit
from crosswind.runs.model import Work, WorkKey
from crosswind.runs.ports import QueueEntry, Queues, QueueStore, RunStore, SchedulerTerm, WorkStore
from crosswind.runs.protocol import Transition
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects

TERM = timedelta(seconds=20)
LONGEST_SITTING = timedelta(seconds=25)  # longer than a term, so that the next scheduler may begin at once
FIRST_LOOK = 100
DEEPEST_LOOK = 25_600
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
    """Store a ticket as waiting work; work that is already done answers its token at once."""

    runs: RunStore
    change: ChangeWork
    clock: Clock

    def __call__(self, message: Admission) -> Work | None:
        """The work; None when the message is old or doubled. Raises NotFoundError for a run that is not there.

        The run is read again after the write: either this sees that the run was closed meanwhile, or whoever closed
        it saw the work.
        """
        ticket = message.ticket
        key = WorkKey(run_id=ticket.run_id, work_id=ticket.work_id)
        run = self.runs.get(ticket.run_id)

        def decide(existing: Work | None) -> Transition | None:
            now = self.clock.now()
            return protocol.enqueue(
                existing,
                ticket,
                message.token,
                token_at=message.sent_at,
                now=now,
                closed=lifecycle.closed(run, now),
            )

        work = self.change(key, decide)
        closed = lifecycle.closed(self.runs.get(ticket.run_id), self.clock.now())
        if work is None or work.commit is not None or closed is None:
            return work
        return self.change(
            key, lambda stored: protocol.close(stored, closed, now=self.clock.now()) if stored else None
        )


@dataclass(frozen=True)
class RunScheduler:
    """Admit what may be admitted, as the only scheduler: a lease with a fence makes all others step back."""

    queue: QueueStore
    works: WorkStore
    perform: PerformEffects
    queues: Queues
    clock: Clock
    owner: str
    default_slots: int

    def __call__(self) -> int:
        """How many were admitted here; 0 when another scheduler is at it, who sees that it was wanted."""
        self.queue.want()
        began = self.clock.now()
        term = self.queue.lead(self.owner, now=began, duration=TERM)
        total = 0
        while term is not None:
            try:
                admitted = self._round(term)
            except WriteConflictError:
                _log.info("the scheduler's fence moved on from %s", term.fence)
                break
            total += admitted
            if self.clock.now() - began > LONGEST_SITTING:
                self.queues.wake_scheduler()
                break
            if admitted == 0:
                if self.queue.resign(term):
                    break
                term = replace(term, wanted=self.queue.wanted())
        return total

    def _round(self, term: SchedulerTerm) -> int:
        chosen = self._choose()
        count = 0
        for start in range(0, len(chosen), BATCH):
            pairs = list(self._pairs(chosen[start : start + BATCH]))
            transitions = {after.work.key: after for _, after in pairs}
            written = self.works.admit_all(
                [(before, after.work) for before, after in pairs], fence=term.fence
            )
            self.perform(effect for work in written for effect in transitions[work.key].effects)
            count += len(written)
        return count

    def _choose(self) -> list[QueueEntry]:
        """Decide over the heads of the queue; look deeper where everything seen was admitted or held by own limits."""
        slots = self.queue.slots()
        usage = Usage(self.queue.active())
        capacity = Capacity(self.default_slots if slots is None else slots)
        heads = {priority: self.queue.heads(priority, limit=FIRST_LOOK) for priority in Priority}
        looks = dict.fromkeys(Priority, FIRST_LOOK)
        while True:
            queue = [entry for entries in heads.values() for entry in entries]
            decisions = admit(queue, usage, capacity, self.clock.now())
            starved = {decision.entry.priority for decision in decisions if decision.reason is Reason.NO_SLOT}
            deeper = [
                priority
                for priority in Priority
                if len(heads[priority]) == looks[priority] < DEEPEST_LOOK and priority not in starved
            ]
            if not deeper:
                return [decision.entry for decision in decisions if decision.admitted]
            for priority in deeper:
                looks[priority] *= 4
                heads[priority] = self.queue.heads(priority, limit=looks[priority])

    def _pairs(self, entries: Sequence[QueueEntry]) -> Iterator[tuple[Work, Transition]]:
        for before in self.works.get_many([entry.key for entry in entries]):
            after = protocol.admit(before, now=self.clock.now())
            if after:
                yield before, after


@dataclass(frozen=True)
class AdmitWork:
    """What the admission queue delivers: store each ticket, then hold one scheduling round for all of them."""

    enqueue: EnqueueWork
    schedule: RunScheduler

    def __call__(self, messages: Sequence[Admission | None]) -> list[int]:
        """Indexes of messages that are to be delivered again. None is a mere wake-up."""
        failed = []
        for index, message in enumerate(messages):
            if message is None:
                continue
            try:
                self.enqueue(message)
            except CrosswindError:
                _log.exception("%s of %s was not enqueued", message.ticket.work_id, message.ticket.run_id)
                failed.append(index)
        self.schedule()
        return failed
