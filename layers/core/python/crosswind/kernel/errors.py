"""One error tree with two fates.

CrosswindError
├── RetryableError            the same call may succeed later; the edge lets it rise and the caller retries
│   ├── ThrottledError        a dependency asked us to slow down
│   ├── DependencyError       a dependency did not answer, or answered with a fault of its own
│   └── WriteConflictError    an optimistic write lost; load again and decide again
└── TerminalError             no retry mends it; the edge turns it into a typed outcome or an HTTP problem
    ├── InvalidInputError     the caller's input, with one FieldError per fault           422
    ├── UnauthenticatedError  no valid credentials                                        401
    ├── ForbiddenError        valid credentials, no permission                            403
    ├── NotFoundError         no such resource, or none that this actor may know of       404
    ├── ConflictError         the resource's state does not allow it                      409
    ├── TooLargeError         over a stated limit                                         413
    ├── LeaseLostError        this holder's epoch is over; stop work, upload nothing more 409
    └── QueueFullError        backpressure; try again after `retry_after_seconds`         429
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of an input: where it is and what was expected there.

    `path` is a dotted path with indexes (`spec.stages[0].tests[1].timeout`); `line` is 1-based in the
    submitted text, where the text is known.
    """

    path: str
    message: str
    expected: str | None = None
    line: int | None = None


class CrosswindError(Exception):
    """Base of every error that Crosswind raises on purpose."""


class RetryableError(CrosswindError):
    """The same call may succeed later."""


class ThrottledError(RetryableError):
    """A dependency asked us to slow down."""


class DependencyError(RetryableError):
    """A dependency did not answer in time, or answered with a fault of its own."""


class WriteConflictError(RetryableError):
    """An optimistic write lost against another writer; load again and decide again."""


class TerminalError(CrosswindError):
    """No retry mends it. `status` is the HTTP status, `slug` names the problem type."""

    status = 400
    slug = "bad-request"
    title = "The request cannot be carried out"


class InvalidInputError(TerminalError):
    """The input has faults; all of them are listed."""

    status = 422
    slug = "invalid-input"
    title = "The input is not valid"

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class UnauthenticatedError(TerminalError):
    """There is no valid identity behind the call."""

    status = 401
    slug = "unauthenticated"
    title = "Sign in first"


class ForbiddenError(TerminalError):
    """The actor is known and may not do this."""

    status = 403
    slug = "forbidden"
    title = "Not allowed"


class NotFoundError(TerminalError):
    """No such resource, or none that this actor may know of."""

    status = 404
    slug = "not-found"
    title = "Not found"


class ConflictError(TerminalError):
    """The resource's present state does not allow it."""

    status = 409
    slug = "conflict"
    title = "The present state does not allow this"


class TooLargeError(TerminalError):
    """The input is over a stated limit."""

    status = 413
    slug = "too-large"
    title = "Too large"


class LeaseLostError(TerminalError):
    """The caller's epoch is over: someone else owns, finished or cancelled the work."""

    status = 409
    slug = "lease-lost"
    title = "The lease is no longer yours"


class QueueFullError(TerminalError):
    """Backpressure: the queue holds as much as it may."""

    status = 429
    slug = "queue-full"
    title = "The queue is full"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
