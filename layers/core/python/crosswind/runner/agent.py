"""The runner's loop: take a message, claim the work, carry it out under a heartbeat, and end it in exactly one way."""

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol, TypeVar

from crosswind.contracts.work import DispatchMessage, MonitorOrder, PrepareOrder, ShardOrder, WorkOutcome
from crosswind.kernel.errors import CrosswindError, LeaseLostError, NotFoundError, RetryableError
from crosswind.runner.archives import ArchiveRefusedError
from crosswind.runner.attempt import remove_tree
from crosswind.runner.faults import (
    AttemptGivenUpError,
    Cause,
    InfrastructureFaultError,
    InterruptedAttemptError,
    Interruption,
)
from crosswind.runner.heartbeat import Heartbeat
from crosswind.runner.places import short_name
from crosswind.runner.sandbox import Place
from crosswind.runner.session import OpenSession
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.layout import attempt_prefix
from crosswind.runs.model import LEASE_DURATION, Progress, Work, WorkKey
from crosswind.runs.ports import Secrets

POLL_SECONDS = 5  # short, so that an idle runner stops soon; a poll costs 40 cents a million
_SETTLE_SECONDS = LEASE_DURATION.total_seconds() - 5.0
_STOPPING_SECONDS = 6.0  # of the 20 that a stop may take; ending the process tree needs most of the others
_LONGEST_PAUSE = 10.0
_LONGEST_DETAIL = 900
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

T = TypeVar("T")
_log = logging.getLogger(__name__)


class WorkQueue(Protocol):
    """The executor's queue."""

    def receive(self, limit: int, *, wait_seconds: int) -> list[tuple[str, DispatchMessage]]:
        """Messages with their receipts."""
        ...

    def delete(self, receipt: str) -> None:
        """The message is dealt with."""
        ...

    def release(self, receipt: str) -> None:
        """Another runner may have it."""
        ...


class Claim(Protocol):
    """ClaimWork."""

    def __call__(self, key: WorkKey, *, attempt: int, runner_id: str) -> Work | None: ...


class Commit(Protocol):
    """CommitWork."""

    def __call__(
        self, work: Work, *, outcome: WorkOutcome, prefix: str, reason: str | None = None
    ) -> Work: ...


class Fail(Protocol):
    """FailAttempt."""

    def __call__(self, work: Work, *, reason: str, detail: str) -> Work: ...


@dataclass(frozen=True)
class Leasing:
    """The protocol's use cases."""

    claim: Claim
    beat: Callable[[Work, Progress], Work]
    commit: Commit
    hand_back: Callable[[Work], Work]
    fail: Fail
    return_batch: Callable[[Work], None]


@dataclass
class Agent:
    """One runner: one piece of work at a time."""

    runner_id: str
    queue: WorkQueue
    leasing: Leasing
    secrets: Secrets
    open_session: OpenSession
    attempts_folder: Path
    tick_seconds: float
    poll_seconds: int = POLL_SECONDS
    _stopping: Event = field(default_factory=Event)
    _interruption: Interruption = field(default_factory=Interruption)

    def stop(self) -> None:
        """Take no more work, and hand back what is under way. From any thread."""
        self._stopping.set()
        self._interruption.raise_flag(Cause.STOPPING)

    def run(self) -> None:
        """Work until stopped."""
        remove_tree(self.attempts_folder)
        pause = 1.0
        while not self._stopping.is_set():
            try:
                messages = self.queue.receive(1, wait_seconds=self.poll_seconds)
                pause = 1.0
            except CrosswindError as error:
                _log.warning("the queue cannot be read, again in %.0f s: %s", pause, error)
                self._stopping.wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            for receipt, message in messages:
                self.take(receipt, message)

    def run_once(self, message: DispatchMessage) -> None:
        """Carry out this one piece of work, if it is still to be had; its Job brings no further."""
        remove_tree(self.attempts_folder)
        key = WorkKey(run_id=message.run_id, work_id=message.work_id)
        work = self._settle(
            lambda: self.leasing.claim(key, attempt=message.attempt, runner_id=self.runner_id)
        )
        if work is None:
            _log.info("%s of %s is not to be had any more", key.work_id, key.run_id)
            return
        self.attempt(work)

    def take(self, receipt: str, message: DispatchMessage) -> None:
        """Claim what a message names and carry it out; a stale message is dropped."""
        key = WorkKey(run_id=message.run_id, work_id=message.work_id)
        if self._stopping.is_set():
            self._quietly(lambda: self.queue.release(receipt))
            return
        try:
            work = self.leasing.claim(key, attempt=message.attempt, runner_id=self.runner_id)
        except CrosswindError as error:
            # Not released: at once visible, it would use up its receives while the table is away, and be given up.
            _log.warning("%s of %s cannot be claimed: %s", key.work_id, key.run_id, error)
            return
        self._quietly(lambda: self.queue.delete(receipt))
        if work is None:
            _log.info("dropped a stale message for %s of %s", key.work_id, key.run_id)
            return
        self.attempt(work)

    def attempt(self, work: Work) -> None:
        """Carry out claimed work, and end it: commit, hand back, fail, or nothing when the lease is lost."""
        name = f"{work.key.work_id} of {work.key.run_id} (attempt {work.attempt}, epoch {work.epoch})"
        _log.info("took %s", name)
        self._interruption = interruption = Interruption()
        if self._stopping.is_set():
            interruption.raise_flag(Cause.STOPPING)
        progress: list[Callable[[], Progress]] = []
        heartbeat = Heartbeat(
            self.leasing.beat,
            work,
            progress=lambda: progress[0]() if progress else Progress(),
            interruption=interruption,
            tick_seconds=self.tick_seconds,
        )
        heartbeat.start()
        cause: Cause | None = None
        fault: InfrastructureFaultError | AttemptGivenUpError | None = None
        try:
            self._carry_out(work, interruption, progress, beats=lambda: heartbeat.work.beats)
        except InterruptedAttemptError as interrupted:
            cause = interrupted.cause
        except LeaseLostError:
            cause = Cause.LEASE_LOST
        except AttemptGivenUpError as given_up:
            fault = given_up
        except Exception as error:  # noqa: BLE001  # whatever it is, the work must not be lost with it
            fault = as_fault(error)
            _log.warning("%s failed: %s: %s", name, fault.reason, fault.detail, exc_info=error)
        finally:
            held = heartbeat.stop()
        if interruption.cause is Cause.LEASE_LOST:
            cause = Cause.LEASE_LOST
        self._end(held, name, cause, fault)

    def _carry_out(
        self,
        work: Work,
        interruption: Interruption,
        progress: list[Callable[[], Progress]],
        *,
        beats: Callable[[], int],
    ) -> None:
        interruption.check()
        prefix = attempt_prefix(work)
        place = Place(self.attempts_folder / short_name(prefix))
        remove_tree(place.root)
        place.make()
        try:
            order = self.open_session.read_order(work)
            secrets = self._secrets(order)
            with self.open_session(work, order, place, interruption, secrets) as session:
                progress.append(session.attempt.meter.progress)
                match order:
                    case PrepareOrder():
                        session.prepare(order)
                    case ShardOrder():
                        session.execute(order, secrets)
                    case MonitorOrder():
                        session.monitor(order, beats)
        finally:
            remove_tree(place.root)

    def _secrets(self, order: PrepareOrder | ShardOrder | MonitorOrder) -> dict[str, str]:
        if not isinstance(order, ShardOrder):
            return {}
        try:
            return {name: self.secrets.get(order.team, secret) for name, secret in order.secret_refs.items()}
        except NotFoundError as error:
            raise InfrastructureFaultError(InfrastructureReason.SECRET_MISSING, str(error)) from error

    def _end(
        self,
        work: Work,
        name: str,
        cause: Cause | None,
        fault: InfrastructureFaultError | AttemptGivenUpError | None,
    ) -> None:
        try:
            if cause is Cause.LEASE_LOST:
                _log.info("lost the lease of %s", name)
            elif cause is Cause.STOPPING:
                self._settle(lambda: self.leasing.hand_back(work))
                self.leasing.return_batch(work)
                _log.info("handed back %s", name)
            elif isinstance(fault, AttemptGivenUpError):
                reason = f"{fault.reason}: {fault.detail}"
                self._settle(
                    lambda: self.leasing.commit(
                        work, outcome=WorkOutcome.ERROR, prefix=attempt_prefix(work), reason=reason
                    )
                )
                _log.info("gave up %s: %s", name, reason)
            elif fault is not None:
                self._settle(
                    lambda: self.leasing.fail(
                        work, reason=fault.reason, detail=fault.detail[-_LONGEST_DETAIL:]
                    )
                )
                self.leasing.return_batch(work)
            else:
                self._settle(
                    lambda: self.leasing.commit(
                        work, outcome=WorkOutcome.COMPLETED, prefix=attempt_prefix(work)
                    )
                )
                _log.info("finished %s", name)
        except LeaseLostError:
            _log.info("lost the lease of %s at its end", name)
        except CrosswindError:
            _log.exception("%s could not be ended; its lease will lapse", name)

    def _settle(self, action: Callable[[], T]) -> T:
        """Try until it is answered, but no longer than the lease can last: then another runner has the work."""
        pause = 0.5
        left = _SETTLE_SECONDS
        while True:
            try:
                return action()
            except RetryableError as error:
                left = min(left, _STOPPING_SECONDS) if self._stopping.is_set() else left
                if left < pause:
                    raise
                _log.warning("trying again in %.1f s: %s", pause, error)
                Event().wait(pause)
                left -= pause
                pause = min(5.0, pause * 2)

    def _quietly(self, action: Callable[[], None]) -> None:
        try:
            action()
        except CrosswindError as error:
            _log.warning("a message stays in the queue until it is visible again: %s", error)


def as_fault(error: Exception) -> InfrastructureFaultError:
    """What an exception means for the platform's budget."""
    match error:
        case InfrastructureFaultError():
            return error
        case ArchiveRefusedError():
            return InfrastructureFaultError(InfrastructureReason.ARCHIVE_REFUSED, str(error))
        case CrosswindError():
            return InfrastructureFaultError(
                InfrastructureReason.STORAGE_UNAVAILABLE, f"{type(error).__name__}: {error}"
            )
        case MemoryError():
            return InfrastructureFaultError(InfrastructureReason.OOM_RUNNER, "the runner ran out of memory")
        case OSError() if error.errno in _FULL:
            return InfrastructureFaultError(InfrastructureReason.DISK_FULL, "the runner's disk is full")
        case _:
            return InfrastructureFaultError(
                InfrastructureReason.RUNNER_ERROR, f"{type(error).__name__}: {error}"
            )
