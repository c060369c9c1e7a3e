"""Runs read for all objects together."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.controller.api import Api, UnreachableError
from crosswind.controller.views import FORGOTTEN_AFTER, READS, Followed, RunViews, choose
from tests.unit.controller.test_runs import view


class Time:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def views_over(answer: Callable[[httpx.Request], httpx.Response], time: Time) -> RunViews:
    api = Api("https://api.example", lambda: "token", transport=httpx.MockTransport(answer))
    return RunViews(api, clock=time)


def test_a_round_has_a_bounded_number_of_calls_and_every_run_gets_its_turn() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path == "/api/v1/tests":
            return httpx.Response(200, json={"items": []})
        return httpx.Response(200, text=view().to_wire())

    time = Time()
    views = views_over(answer, time)
    everything = [f"run-{number}" for number in range(3 * READS)]
    for _ in range(3):
        for run_id in everything:
            views.latest(run_id, team="shop")
        asyncio.run(views.read_round())
        time.now += 2

    assert len(asked) == 3 * (READS + 1), "the runs of a round, and one page of states"
    assert {path.rpartition("/")[2] for path in asked} - {"tests"} == set(everything)


def test_what_has_moved_is_read_first() -> None:
    followed = {
        f"run-{number}": Followed("shop", 0.0, read_at=float(number), view=view()) for number in range(30)
    }
    states = dict.fromkeys(followed, RunState.EXECUTING) | {"run-29": RunState.JUDGING}

    assert list(choose(followed, states, most=3)) == ["run-29", "run-0", "run-1"]


def test_a_run_that_has_ended_is_read_no_more() -> None:
    ended = view(RunState.FINISHED, VerdictKind.PASSED)
    followed = {"run-1": Followed("shop", 0.0, view=ended), "run-2": Followed("shop", 0.0)}

    assert list(choose(followed, {})) == ["run-2"]


def test_runs_that_nobody_asks_for_are_read_no_more() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, text=view().to_wire())

    time = Time()
    views = views_over(answer, time)
    views.latest("run-1", team="shop")
    time.now += FORGOTTEN_AFTER + 1
    asyncio.run(views.read_round())

    assert asked == []


def test_one_run_that_is_hidden_keeps_none_of_the_others_and_shows_again() -> None:
    hidden = True

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("run-1") and hidden:
            problem = {"type": "t", "title": "Not found", "status": 404, "detail": "no run"}
            return httpx.Response(404, json=problem)
        return httpx.Response(200, text=view().to_wire())

    views = views_over(answer, Time())
    first, second = views.latest("run-1", team="shop"), views.latest("run-2", team="shop")
    asyncio.run(views.read_round())
    assert (first.hidden, first.view) == (True, None)
    assert second.view == view()

    hidden = False
    asyncio.run(views.read_round())
    assert (first.hidden, first.view) == (False, view())


def test_an_outage_rises_so_that_rounds_become_rarer_and_what_was_known_stays() -> None:
    away = False

    def answer(request: httpx.Request) -> httpx.Response:
        if away:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, text=view().to_wire())

    views = views_over(answer, Time())
    held = views.latest("run-1", team="shop")
    asyncio.run(views.read_round())
    away = True
    with pytest.raises(UnreachableError):
        asyncio.run(views.read_round())

    assert held.view == view()
