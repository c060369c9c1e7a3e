"""What a runner does with leased work. Each call acts under the epoch of the work that it is given."""

from collections.abc import Callable
from dataclasses import dataclass

from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs import protocol
from crosswind.runs.effects import Transition
from crosswind.runs.model import Progress, Work, WorkKey
from crosswind.runs.usecases.changing import ChangeWork


@dataclass(frozen=True)
class ClaimWork:
    """Take work that a dispatch message names."""

    change: ChangeWork
    clock: Clock

    def __call__(self, key: WorkKey, *, attempt: int, runner_id: str) -> Work | None:
        """The leased work; None when the message is stale and is to be dropped."""

        def decide(work: Work | None) -> Transition | None:
            if work is None:
                return None
            return protocol.claim(work, attempt=attempt, runner_id=runner_id, now=self.clock.now())

        return self.change(key, decide)


@dataclass(frozen=True)
class BeatWork:
    """Keep a lease alive, at every HEARTBEAT_INTERVAL."""

    change: ChangeWork
    clock: Clock

    def __call__(self, work: Work, progress: Progress) -> Work:
        """The work with its longer lease. Raises LeaseLostError: kill the process tree, upload nothing more."""
        beaten = protocol.beat(work, epoch=work.epoch, progress=progress, now=self.clock.now()).work
        try:
            return self.change.works.save(
                work, beaten
            )  # unread: the write itself sees whether the lease goes on
        except WriteConflictError:
            return _as_holder(
                self.change,
                work,
                lambda stored: protocol.beat(
                    stored, epoch=work.epoch, progress=progress, now=self.clock.now()
                ),
            )


@dataclass(frozen=True)
class Announce:
    """Tell something while the work goes on. Safe to repeat."""

    change: ChangeWork
    clock: Clock

    def __call__(self, work: Work, *, number: int, name: str, detail: str | None = None) -> Work:
        """The work with the announcement. Raises LeaseLostError, InvalidInputError."""
        return _as_holder(
            self.change,
            work,
            lambda stored: protocol.announce(
                stored, epoch=work.epoch, number=number, name=name, detail=detail, now=self.clock.now()
            ),
        )


@dataclass(frozen=True)
class CommitWork:
    """End leased work with what was uploaded under `prefix`, and answer its token. Safe to repeat."""

    change: ChangeWork
    clock: Clock

    def __call__(self, work: Work, *, outcome: WorkOutcome, prefix: str, reason: str | None = None) -> Work:
        """The committed work. Raises LeaseLostError: the upload does not count."""
        return _as_holder(
            self.change,
            work,
            lambda stored: protocol.commit(
                stored, epoch=work.epoch, outcome=outcome, prefix=prefix, reason=reason, now=self.clock.now()
            ),
        )


@dataclass(frozen=True)
class HandBack:
    """Return leased work unharmed, because this runner was told to stop."""

    change: ChangeWork
    clock: Clock

    def __call__(self, work: Work) -> Work:
        """The waiting work. Raises LeaseLostError."""
        return _as_holder(
            self.change,
            work,
            lambda stored: protocol.hand_back(stored, epoch=work.epoch, now=self.clock.now()),
        )


@dataclass(frozen=True)
class FailAttempt:
    """Report that infrastructure failed under a runner; the work is tried again while its budget lasts."""

    change: ChangeWork
    clock: Clock

    def __call__(self, work: Work, *, reason: str, detail: str) -> Work:
        """The work as it goes on: waiting again, or done as an error. Raises LeaseLostError."""
        return _as_holder(
            self.change,
            work,
            lambda stored: protocol.fail_attempt(
                stored, epoch=work.epoch, reason=reason, detail=detail, now=self.clock.now()
            ),
        )


def _as_holder(change: ChangeWork, held: Work, decide: Callable[[Work], Transition]) -> Work:
    def decide_stored(stored: Work | None) -> Transition:
        if stored is None:
            raise LeaseLostError(f"{held.key.work_id} is not stored any more")
        return decide(stored)

    changed = change(held.key, decide_stored)
    if changed is None:
        raise LeaseLostError(f"{held.key.work_id} is not held any more")
    return changed
