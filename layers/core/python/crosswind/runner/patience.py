"""Bears a lost connection: what the attempt needs is tried again for as long as it makes sense."""

from collections.abc import Callable
from typing import TypeVar

from crosswind.kernel.errors import RetryableError
from crosswind.runner.faults import Interruption

PATIENCE_SECONDS = 60.0
_LONGEST_PAUSE = 5.0

T = TypeVar("T")


def patiently(action: Callable[[], T], interruption: Interruption, *, seconds: float = PATIENCE_SECONDS) -> T:
    """Do it, again and again while it fails with a RetryableError, for so many seconds of waiting.

    Meanwhile the heartbeat tells whether the work is still ours: raises InterruptedAttemptError when it is not.
    """
    waited, pause = 0.0, 0.5
    while True:
        interruption.check()
        try:
            return action()
        except RetryableError:
            if waited >= seconds:
                raise
        interruption.wait(pause)
        waited += pause
        pause = min(_LONGEST_PAUSE, pause * 2)
