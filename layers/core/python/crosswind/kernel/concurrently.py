"""Calls side by side, with one time limit for all of them."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeVar

T = TypeVar("T")


def side_by_side(calls: Sequence[Callable[[], T]], *, seconds: float) -> tuple[T | Exception, ...]:
    """Each call's answer, or the exception that it raised; TimeoutError for one that was not done in time.

    Nobody waits for a call that is late: it goes on in a daemon thread, and what it answers is dropped.
    """
    done: SimpleQueue[tuple[int, T | Exception]] = SimpleQueue()

    def carry_out(position: int) -> None:
        try:
            done.put((position, calls[position]()))
        except Exception as error:  # noqa: BLE001  # it is the call's answer, and the caller judges it
            done.put((position, error))

    for position in range(len(calls)):
        Thread(target=copy_context().run, args=(carry_out, position), daemon=True).start()
    answers: dict[int, T | Exception] = {}
    ends = monotonic() + seconds
    while len(answers) < len(calls):
        try:
            position, answer = done.get(timeout=max(0.0, ends - monotonic()))
        except Empty:
            break
        answers[position] = answer
    late = TimeoutError(f"no answer within {seconds:g} s")
    return tuple(answers.get(position, late) for position in range(len(calls)))
