"""Why an attempt ends without a result. None of these says anything about the tests."""

from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Lock

from crosswind.runs.infrastructure import InfrastructureReason


class InfrastructureFaultError(Exception):
    """The attempt cannot go on; `reason` is a code for the record and the message a sentence for people."""

    def __init__(self, reason: InfrastructureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class AttemptGivenUpError(Exception):
    """The work ends here as an error: another attempt could not bring back what is over for all that belong together."""

    def __init__(self, reason: InfrastructureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Cause(StrEnum):
    """Who interrupted an attempt."""

    LEASE_LOST = "lease_lost"  # cancelled, given up, or taken by another runner
    STOPPING = "stopping"  # this runner was asked to end


class InterruptedAttemptError(Exception):
    """The attempt was interrupted; nothing may be uploaded for it any more."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


@dataclass(slots=True)
class Interruption:
    """A flag that the heartbeat and the signal handlers raise, and everything that takes time looks at.

    A lost lease outranks a stop: there is nothing left to hand back.
    """

    _event: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _cause: Cause | None = None

    def raise_flag(self, cause: Cause) -> None:
        """Interrupt, from any thread."""
        with self._lock:
            if self._cause is not Cause.LEASE_LOST:
                self._cause = cause
        self._event.set()

    @property
    def cause(self) -> Cause | None:
        """Why, if at all."""
        return self._cause

    def is_set(self) -> bool:
        """Whether the attempt is interrupted."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the interruption. Returns whether there is one."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raise InterruptedAttemptError if there is an interruption."""
        if self._cause is not None:
            raise InterruptedAttemptError(self._cause)
