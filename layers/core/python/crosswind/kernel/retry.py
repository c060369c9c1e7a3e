"""Bounded repetition of optimistic writes: load again, decide again."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from crosswind.kernel.errors import WriteConflictError

T = TypeVar("T")

Pause = Callable[[int], None]
"""Waits before the n-th repetition (from 1). Tests pass one that does not wait."""

TRIES = 8


def jittered_pause(repetition: int) -> None:
    """Wait a random time of up to 20 ms, doubled with each repetition, 1 s at most."""
    time.sleep(random.uniform(0, min(1.0, 0.02 * 2 ** (repetition - 1))))  # noqa: S311  # spreads writers, no secret


def retry_conflicts(attempt: Callable[[], T], *, pause: Pause, tries: int = TRIES) -> T:
    """Call until it does not raise WriteConflictError; the last conflict rises."""
    for repetition in range(1, tries):
        try:
            return attempt()
        except WriteConflictError:
            pause(repetition)
    return attempt()
