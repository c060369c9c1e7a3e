"""Calls side by side."""

import time
from threading import Event

from crosswind.kernel.concurrently import side_by_side


def test_answers_come_in_the_order_of_the_calls() -> None:
    first_may_end = Event()

    def first() -> str:
        first_may_end.wait(5)
        return "first"

    def second() -> str:
        first_may_end.set()
        return "second"

    assert side_by_side([first, second], seconds=5) == ("first", "second")


def test_an_exception_is_the_answer_of_its_call_alone() -> None:
    fault = ValueError("no")

    def failing() -> int:
        raise fault

    assert side_by_side([failing, lambda: 1], seconds=5) == (fault, 1)


def test_nobody_waits_for_a_call_that_is_late() -> None:
    never = Event()
    began = time.monotonic()
    late, early = side_by_side([lambda: never.wait(30), lambda: True], seconds=0.1)
    assert time.monotonic() - began < 5
    assert isinstance(late, TimeoutError)
    assert early is True
    never.set()


def test_no_calls_give_no_answers() -> None:
    assert side_by_side([], seconds=1) == ()
