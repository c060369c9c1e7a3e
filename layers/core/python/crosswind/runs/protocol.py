"""The shard protocol: pure transitions of a piece of leased work (ADR 0002).

`(none) → waiting → admitted → leased → done`. Each function takes the stored item and what happened, and gives the
item to store with the effects to perform once the write has won. A function that returns None finds nothing to do.
Effects may be lost by a crash and may be repeated: the watchdog repeats what was lost, and every receiver is
idempotent. Only the write counts.

What holds whatever is lost, doubled, late or dead (checked by tests/unit/runs/test_protocol_model.py):
a work item is committed once and its commit never changes; its epoch only grows; a holder acts only under the epoch
that it claimed; whoever waits with the newest token is answered.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from crosswind.contracts.work import DispatchMessage, Ticket, WorkKind, WorkOutcome
from crosswind.kernel.errors import InvalidInputError, LeaseLostError
from crosswind.runs.answering import answer_of, answers, awaited
from crosswind.runs.effects import AnswerToken, Closed, Dispatch, Transition, WakeScheduler
from crosswind.runs.infrastructure import InfrastructureReason, backoff
from crosswind.runs.model import (
    LEASE_DURATION,
    REANSWER_AFTER,
    REDISPATCH_AFTER,
    Announced,
    Commit,
    InfrastructureFailure,
    Lease,
    Progress,
    ShardSummary,
    Work,
    WorkKey,
    WorkState,
)

MAX_ANNOUNCEMENTS = 20
_LONGEST_REASON = 1000
_LONGEST_NAME = 40


# --- the state machine's side -------------------------------------------------------------------------------------


def enqueue(
    existing: Work | None,
    ticket: Ticket,
    token: str,
    *,
    token_at: datetime,
    now: datetime,
    closed: Closed | None,
) -> Transition | None:
    """Take a ticket with its token from the admission queue.

    Messages come late, doubled and out of order, so of two tokens the one sent last is the current one: that is how a
    recovery execution takes work over from the execution before it.
    """
    if existing is None:
        fresh = _new_work(ticket, token, token_at=token_at, now=now)
        return _close(fresh, closed.outcome, closed.reason, now=now) if closed else Transition(fresh)
    known = existing.token_at
    newer = existing.token != token and (known is None or token_at >= known)
    work = replace(existing, token=token, token_at=token_at, awaits=ticket.awaits) if newer else existing
    if work.commit is not None:
        return Transition(work, (AnswerToken(token, answer_of(work)),))
    if closed is not None:
        return _close(work, closed.outcome, closed.reason, now=now)
    announced = answers(work)
    return Transition(work, announced) if newer or (announced and work.token == token) else None


def refuse(
    existing: Work | None, ticket: Ticket, token: str, *, token_at: datetime, now: datetime, reason: str
) -> Transition | None:
    """A ticket could not be enqueued after many tries: end the work if it was never stored, else pass the token on."""
    closed = Closed(WorkOutcome.ERROR, reason) if existing is None else None
    return enqueue(existing, ticket, token, token_at=token_at, now=now, closed=closed)


# --- the scheduler's side -----------------------------------------------------------------------------------------


def admit(
    work: Work, *, now: datetime, decision: str | None = None, borrowed: bool = False
) -> Transition | None:
    """Give waiting work a slot. Stored under the scheduler's fence only.

    `decision` says why now; `borrowed`, that the slot is beyond its team's quota.
    """
    if work.state is not WorkState.WAITING:
        return None
    admitted = replace(
        work,
        state=WorkState.ADMITTED,
        admitted_at=now,
        redispatched_at=None,
        not_before=None,
        decision=decision[:_LONGEST_REASON] if decision else None,
        borrowed=borrowed,
    )
    return Transition(admitted, (_dispatch(admitted),))


def preempt(work: Work, *, now: datetime, decision: str | None = None) -> Transition | None:
    """Take a borrowed slot back: the same attempt waits again, and whoever holds it loses its lease by the new epoch.

    Stored under the scheduler's fence only, by the scheduler, which looks at the queue again anyway. None: it holds no
    slot, or not a borrowed one, any more; or it is a monitor, whose silence would end what it watches; or a worker of a load
    job, of which the others cannot go on alone.
    """
    if work.state not in {WorkState.ADMITTED, WorkState.LEASED} or not work.borrowed:
        return None
    if work.kind is WorkKind.MONITOR or work.group is not None:
        return None
    waiting = replace(
        _waiting_again(work, not_before=now),
        epoch=work.epoch + 1,
        preemptions=work.preemptions + 1,
        decision=decision[:_LONGEST_REASON] if decision else None,
    )
    return Transition(waiting)


def redispatch(work: Work, *, now: datetime) -> Transition | None:
    """Send admitted work again when nobody has claimed it for long: its message is taken for lost."""
    if work.state is not WorkState.ADMITTED or work.admitted_at is None:
        return None
    if now < (work.redispatched_at or work.admitted_at) + REDISPATCH_AFTER:
        return None
    again = replace(work, redispatched_at=now)
    return Transition(again, (_dispatch(again),))


def undelivered(work: Work, *, attempt: int, now: datetime, reason: str, detail: str) -> Transition | None:
    """The executor's queue gave a message up: the attempt is lost as if its runner were."""
    if work.state is not WorkState.ADMITTED or work.attempt != attempt:
        return None
    return _lose_attempt(work, reason=reason, detail=detail, now=now)


def lose_carrier(
    work: Work, *, carrier: str, epoch: int, now: datetime, reason: str, detail: str
) -> Transition | None:
    """What was to carry the work, such as its pod, is gone or cannot start: the attempt is lost at once.

    `carrier` is the runner id that it has or would have; `epoch` the work's when it was launched. None: the work has
    moved on, or somebody else has it.
    """
    if work.state is WorkState.ADMITTED and work.epoch == epoch:
        return _lose_attempt(work, reason=reason, detail=detail, now=now)
    if work.state is WorkState.LEASED and work.lease is not None and work.lease.runner_id == carrier:
        return _lose_attempt(work, reason=reason, detail=detail, now=now)
    return None


# --- the runner's side --------------------------------------------------------------------------------------------


def claim(work: Work, *, attempt: int, runner_id: str, now: datetime) -> Transition | None:
    """Take admitted work under a new epoch. None: the message is stale, drop it."""
    if work.state is not WorkState.ADMITTED or work.attempt != attempt:
        return None
    lease = Lease(runner_id=runner_id, started_at=now, expires_at=now + LEASE_DURATION)
    leased = replace(
        work, state=WorkState.LEASED, epoch=work.epoch + 1, lease=lease, progress=Progress(), beats=0
    )
    return Transition(leased)


def beat(work: Work, *, epoch: int, progress: Progress, now: datetime) -> Transition:
    """Extend the lease. Raises LeaseLostError."""
    lease = _lease_of(work, epoch)
    longer = replace(lease, expires_at=now + LEASE_DURATION)
    return Transition(replace(work, lease=longer, progress=progress, beats=work.beats + 1))


def announce(
    work: Work, *, epoch: int, number: int, name: str, detail: str | None, now: datetime
) -> Transition:
    """Tell something while the work goes on, as its announcement of that number; to repeat one only answers again.

    The current token is answered where this is what it waits for. One that comes later and waits for an announcement
    that was made already is answered on arrival, so that none is missed. Announcements outlive their lease.

    Raises:
        LeaseLostError: This holder has nothing more to tell.
        InvalidInputError: The number is not the next one, or there were too many.
    """
    _lease_of(work, epoch)
    made = len(work.announcements)
    if number <= made:
        return Transition(work, answers(work))
    if number > min(made + 1, MAX_ANNOUNCEMENTS):
        raise InvalidInputError(
            f"announcement {number} cannot follow {made}; at most {MAX_ANNOUNCEMENTS} are made"
        )
    if not 0 < len(name) <= _LONGEST_NAME:
        raise InvalidInputError(f"an announcement's name has 1 to {_LONGEST_NAME} characters")
    told = Announced(name, now, detail[:_LONGEST_REASON] if detail else None)
    work = replace(work, announcements=(*work.announcements, told))
    return Transition(work, answers(work))


def commit(
    work: Work, *, epoch: int, outcome: WorkOutcome, prefix: str, reason: str | None, now: datetime
) -> Transition:
    """End the work with what was uploaded under `prefix`. Repeating a won commit answers the token again.

    Raises:
        LeaseLostError: another attempt, a cancel or the watchdog came first; the upload does not count.
    """
    done = work.commit
    if done is not None and (done.epoch, done.outcome, done.prefix) == (epoch, outcome, prefix):
        return Transition(
            work, (*answers(work), WakeScheduler())
        )  # either may have been lost with the first try
    _lease_of(work, epoch)
    return _close(work, outcome, reason, now=now, prefix=prefix)


def hand_back(work: Work, *, epoch: int, now: datetime) -> Transition:
    """A runner that must stop returns the work unharmed: the same attempt waits again. Raises LeaseLostError."""
    _lease_of(work, epoch)
    return Transition(_waiting_again(work, not_before=now), (WakeScheduler(),))


def fail_attempt(work: Work, *, epoch: int, reason: str, detail: str, now: datetime) -> Transition:
    """A runner reports that infrastructure failed under it. Raises LeaseLostError."""
    _lease_of(work, epoch)
    return _lose_attempt(work, reason=reason, detail=detail, now=now)


# --- the results' side --------------------------------------------------------------------------------------------


def summarise(work: Work, *, summary: ShardSummary) -> Transition | None:
    """Keep what was read of finished work. Set once: None when it was set before, or when the work is not done."""
    if work.commit is None or work.summary is not None:
        return None
    return Transition(replace(work, summary=summary))


# --- the watchdog's side, and people who cancel -------------------------------------------------------------------


def lapse(work: Work, *, now: datetime) -> Transition | None:
    """Take work back from a runner whose lease ran out."""
    if work.state is not WorkState.LEASED or work.lease is None or now < work.lease.expires_at:
        return None
    detail = f"runner {work.lease.runner_id} sent no heartbeat until {work.lease.expires_at:%H:%M:%S} UTC"
    return _lose_attempt(work, reason=InfrastructureReason.LEASE_LOST, detail=detail, now=now)


def cancel(work: Work, *, reason: str, now: datetime) -> Transition | None:
    """End the work as cancelled, wherever it is."""
    return None if work.commit else _close(work, WorkOutcome.CANCELLED, reason, now=now)


def give_up(work: Work, *, reason: str, now: datetime) -> Transition | None:
    """End the work as an infrastructure error, wherever it is."""
    return None if work.commit else _close(work, WorkOutcome.ERROR, reason, now=now)


def close(work: Work, closed: Closed, *, now: datetime) -> Transition | None:
    """End the work because its run takes no more."""
    return None if work.commit else _close(work, closed.outcome, closed.reason, now=now)


def queue_timeout(work: Work, *, now: datetime) -> Transition | None:
    """End work that waited longer than its ticket allows."""
    limit = timedelta(seconds=work.queue_seconds)
    if work.state is not WorkState.WAITING or now < waiting_since(work) + limit:
        return None
    return give_up(
        work,
        reason=f"{InfrastructureReason.QUEUE_TIMEOUT}: waited {work.queue_seconds} s for a free slot",
        now=now,
    )


def answer_again(work: Work, *, now: datetime) -> Transition | None:
    """Repeat the answer to a token when nobody has consumed it for a while: it may have been lost."""
    announced = awaited(work)
    given = work.commit or announced
    if given is None or work.summary is not None or now < given.at + REANSWER_AFTER:
        return None
    effects = answers(work)
    return Transition(work, effects) if effects else None


def watch(work: Work, *, now: datetime) -> Transition | None:
    """What the passing of time alone does to a piece of work."""
    for step in (lapse, queue_timeout, redispatch, answer_again):
        transition = step(work, now=now)
        if transition is not None:
            return transition
    return None


# --- reading ------------------------------------------------------------------------------------------------------


def waiting_since(work: Work) -> datetime:
    """When the present wait began: at the first enqueueing, or when the work came back."""
    return work.not_before or work.enqueued_at


# --- parts --------------------------------------------------------------------------------------------------------


def _new_work(ticket: Ticket, token: str, *, token_at: datetime, now: datetime) -> Work:
    return Work(
        key=WorkKey(run_id=ticket.run_id, work_id=ticket.work_id),
        kind=ticket.kind,
        team=ticket.team,
        suite=ticket.suite,
        test=ticket.test,
        priority=ticket.priority,
        stage=ticket.stage,
        concurrency=ticket.concurrency,
        infrastructure_retries=ticket.infrastructure_retries,
        queue_seconds=ticket.queue_seconds,
        estimate_seconds=ticket.estimate_seconds,
        order=ticket.order,
        suite_concurrency=ticket.suite_concurrency,
        cpu_millis=ticket.cpu_millis,
        memory_mib=ticket.memory_mib,
        anti_affinity=ticket.anti_affinity,
        round=ticket.round,
        pull_id=ticket.pull_id,
        group=ticket.group,
        group_size=ticket.group_size,
        cluster=ticket.cluster,
        interruptible=ticket.interruptible,
        awaits=ticket.awaits,
        state=WorkState.WAITING,
        version=0,
        epoch=0,
        attempt=1,
        token=token,
        token_at=token_at,
        enqueued_at=now,
    )


def _lease_of(work: Work, epoch: int) -> Lease:
    if work.state is not WorkState.LEASED or work.epoch != epoch or work.lease is None:
        raise LeaseLostError(
            f"{work.key.work_id} is {work.state} under epoch {work.epoch}, not leased under {epoch}"
        )
    return work.lease


def _lose_attempt(work: Work, *, reason: str, detail: str, now: datetime) -> Transition:
    earlier = len(work.failures)
    failure = InfrastructureFailure(
        attempt=work.attempt, reason=reason, detail=detail[:_LONGEST_REASON], at=now
    )
    lost = replace(work, failures=(*work.failures, failure))
    if earlier >= work.infrastructure_retries:
        last = f"{reason}: {detail}; this was the last of {earlier + 1} attempts"
        return _close(lost, WorkOutcome.ERROR, last, now=now)
    pause = backoff(reason, work.key, attempt=work.attempt, earlier=earlier)
    waiting = replace(_waiting_again(lost, not_before=now + pause), attempt=work.attempt + 1)
    return Transition(waiting, (WakeScheduler(),))


def _waiting_again(work: Work, *, not_before: datetime) -> Work:
    """The work without its slot."""
    return replace(
        work,
        state=WorkState.WAITING,
        lease=None,
        beats=0,
        admitted_at=None,
        borrowed=False,
        not_before=not_before,
    )


def _close(
    work: Work, outcome: WorkOutcome, reason: str | None, *, now: datetime, prefix: str | None = None
) -> Transition:
    done = replace(
        work,
        state=WorkState.DONE,
        lease=None,
        beats=0,
        not_before=None,
        commit=Commit(
            outcome=outcome,
            attempt=work.attempt,
            epoch=work.epoch,
            at=now,
            reason=reason[:_LONGEST_REASON] if reason else None,
            prefix=prefix,
        ),
    )
    return Transition(done, (*answers(done), WakeScheduler()))


def _dispatch(work: Work) -> Dispatch:
    message = DispatchMessage(
        run_id=work.key.run_id, work_id=work.key.work_id, attempt=work.attempt, cluster=work.cluster
    )
    return Dispatch(message)
