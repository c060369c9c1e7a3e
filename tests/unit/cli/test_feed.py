"""The feed: a socket where there is one, marks for the runners where there is none, and reconnects in between."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import httpx
import pytest
from rich.console import Console

from crosswind.cli.client import ApiClient
from crosswind.cli.feed import MARK_SECONDS, RENEW_SECONDS, Feed, socket_address
from crosswind.cli.follow import PlainObserver, follow
from crosswind.cli.logs import print_logs
from crosswind.cli.session import Session
from crosswind.cli.sockets import SocketClosedError
from crosswind.cli.surroundings import Surroundings
from crosswind.contracts.live import EventType, LiveEvent
from tests.unit.cli.fake_api import ENDPOINT, RUN, FakeApi, finished, problem, run_view

WATCH = f"POST /api/v1/tests/{RUN}/watch"
LOGS = f"GET /api/v1/tests/{RUN}/logs"
GET_RUN = f"GET /api/v1/tests/{RUN}"
WORK = {"workId": "shard-00001", "test": "api", "stage": 0, "state": "leased", "attempt": 1}
SOCKET = {"expiresInSeconds": 45, "socket": "/live"}


def piece(offset: int, text: str, *, stream: str = "log", run: str = RUN) -> str:
    return json.dumps(
        {
            "type": "piece",
            "runId": run,
            "workId": "shard-00001",
            "attempt": "01-001",
            "stream": stream,
            "offset": offset,
            "nextOffset": offset + len(text),
            "text": text,
        }
    )


def chunk(offset: int, text: str, *, complete: bool = False) -> dict[str, Any]:
    return {
        "workId": "shard-00001",
        "attempt": "01-001",
        "offset": offset,
        "nextOffset": offset + len(text),
        "complete": complete,
        "text": text,
    }


@dataclass
class FakeSocket:
    """Gives its messages, then nothing; None among them stands for a lost connection."""

    messages: list[str | None]
    clock: "Clock"
    sent: list[dict[str, Any]] = field(default_factory=list)

    def send(self, message: str) -> None:
        self.sent.append(json.loads(message))

    def receive(self, seconds: float) -> str | None:
        if not self.messages:
            self.clock.now += seconds
            return None
        message = self.messages.pop(0)
        if message is None:
            raise SocketClosedError("lost")
        return message

    def close(self) -> None:
        self.messages.clear()


@dataclass
class Clock:
    """Time that passes as somebody waits."""

    now: float = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class World:
    """A session whose sockets are given out one after the other; an error in their place is raised."""

    api: FakeApi
    sockets: list[Any] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    out: StringIO = field(default_factory=StringIO)
    err: StringIO = field(default_factory=StringIO)

    def connect(self, address: str, authorization: str | None) -> Any:
        self.asked.append((address, authorization))
        given = self.sockets.pop(0) if self.sockets else SocketClosedError("none")
        if isinstance(given, Exception):
            raise given
        return given

    def socket(self, *messages: str | None) -> FakeSocket:
        made = FakeSocket(list(messages), self.clock)
        self.sockets.append(made)
        return made

    @property
    def session(self) -> Session:
        return Session(
            client=ApiClient(
                endpoint=ENDPOINT,
                token="t",
                transport=httpx.MockTransport(self.api.handle),
                sleep=self.clock.wait,
            ),
            endpoint=ENDPOINT,
            profile="default",
            surroundings=Surroundings(
                environ={}, sleep=self.clock.wait, monotonic=lambda: self.clock.now, connect=self.connect
            ),
            as_json=False,
            out=Console(file=self.out),
            err=Console(file=self.err, color_system=None, width=120),
        )

    def feed(self, **options: Any) -> Feed:
        return Feed(self.session, RUN, chance=lambda: 0.5, **options)


def texts(found: Any) -> list[str]:
    return [message.text for message in found]


def test_a_watcher_marks_the_run_opens_the_socket_and_subscribes(api: FakeApi) -> None:
    world = World(api)
    api.on(WATCH, SOCKET)
    socket = world.socket(piece(0, "a"), piece(0, "x", run="run-other"), "{}", piece(1, "b"))
    feed = world.feed(work_id="shard-00001", log=True)
    assert texts(feed.wait(1)) == ["a", "b"]
    assert world.asked == [("ws://127.0.0.1:8080/live", "Bearer t")]
    assert json.loads(api.sent(WATCH)[0].content) == {"workId": "shard-00001", "log": True}
    assert socket.sent == [
        {"action": "subscribe", "runId": RUN, "workId": "shard-00001", "log": True, "fromOffset": 0}
    ]


def test_a_subscription_is_renewed_which_also_keeps_the_socket_open(api: FakeApi) -> None:
    world = World(api)
    api.on(WATCH, SOCKET)
    socket = world.socket()
    feed = world.feed()
    for _ in range(int(600 / 5)):
        feed.wait(5)
    assert len(socket.sent) == pytest.approx(600 / RENEW_SECONDS, abs=1)
    assert len(api.sent(WATCH)) == 1


def test_a_lost_socket_is_opened_again_with_growing_pauses_and_polling_meanwhile(api: FakeApi) -> None:
    world = World(api)
    api.on(WATCH, SOCKET)
    world.socket(piece(0, "a"), None)
    world.sockets += [SocketClosedError("away"), SocketClosedError("away")]
    again = world.socket(piece(1, "b"))
    feed = world.feed()
    seen = [*feed.wait(1), *feed.wait(1)]
    assert not feed.live
    while not feed.live:
        seen += feed.wait(0.5)
        assert world.clock.now < 30
    assert feed.reconnected
    assert texts([*seen, *feed.wait(1)]) == ["a", "b"]
    assert len(api.sent(WATCH)) >= 2
    assert again.sent[0]["action"] == "subscribe"


@pytest.mark.parametrize(
    ("answer", "sockets", "asked"),
    [
        ({"expiresInSeconds": 45}, [], 0),
        (SOCKET, [SocketClosedError("refused with status 403", refused=True)], 1),
        (SOCKET, [], 5),
    ],
)
def test_where_no_socket_can_be_had_the_runners_are_told_of_a_poller(
    api: FakeApi, answer: dict[str, Any], sockets: list[Exception], asked: int
) -> None:
    world = World(api, sockets=list(sockets))
    api.on(WATCH, answer)
    feed = world.feed()
    for _ in range(120):
        assert feed.wait(1) == []
    assert len(world.asked) == asked
    assert len(api.sent(WATCH)) >= 120 / MARK_SECONDS


def test_an_api_without_marks_is_polled_as_before(api: FakeApi) -> None:
    world = World(api)
    api.on(WATCH, problem(404, "Not found", "no such path"))
    feed = world.feed()
    for _ in range(60):
        feed.wait(1)
    assert (len(api.sent(WATCH)), world.asked, world.clock.now) == (1, [], 60)


def test_logs_come_by_the_socket_and_what_it_lost_by_rest(api: FakeApi) -> None:
    world = World(api)
    api.on(WATCH, SOCKET)
    api.on(GET_RUN, run_view(), run_view(), run_view(), finished("passed", "fine"))
    log = "one\ntwo\nthree\nfour\n"

    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        stored = len(log) if world.clock.now > 5 else 8 if world.clock.now > 1 else 4
        return httpx.Response(200, json=chunk(offset, log[offset:stored], complete=world.clock.now > 8))

    api.on(LOGS, answer)
    world.socket(piece(8, "three\n"), piece(0, "one\n"))
    print_logs(world.session, RUN, work_id="shard-00001", follow=True)
    assert world.out.getvalue() == log


def event(kind: str, **fields: Any) -> str:
    made = {"type": kind, "at": "2026-01-31T08:00:00.000Z", "step": "attempt-1", "logOffset": 0}
    return json.dumps({**made, **fields}) + "\n"


def test_watch_tells_of_a_failure_once_and_as_it_comes(api: FakeApi) -> None:
    world = World(api)
    api.on(WATCH, SOCKET)
    lines = event("start", test="t.py::a") + event("finish", test="t.py::a", outcome="failed", message="boom")
    counted = {"total": 1, "failed": 1}
    api.on(
        GET_RUN,
        run_view(work=[WORK]),
        run_view(work=[WORK], tests=counted),
        finished("failed", "1 of 1 tests failed.", tests=counted),
    )
    api.on(LOGS, chunk(0, ""))
    case = {"id": "i", "test": "api", "name": "t.py::a", "status": "failed", "workId": "shard-00001"}
    api.on(f"GET /api/v1/tests/{RUN}/results", {"items": [case], "complete": False})
    world.socket(piece(0, lines[:40], stream="events"), piece(40, lines[40:], stream="events"))
    follow(world.session, RUN)
    shown = [line for line in world.err.getvalue().splitlines() if "t.py::a" in line]
    assert shown == ["[   0 s] failed  t.py::a (shard-00001, attempt-1): boom"]


def test_watch_polls_the_events_of_a_few_shards_where_there_is_no_socket(api: FakeApi) -> None:
    world = World(api)
    api.on(GET_RUN, run_view(work=[WORK]), finished("passed", "fine"))
    api.on(LOGS, chunk(0, event("finish", test="t", outcome="error", message="boom")), chunk(200, ""))
    follow(world.session, RUN)
    assert "error  t (shard-00001, attempt-1): boom" in world.err.getvalue()
    assert api.sent(LOGS)[0].url.params["stream"] == "events"


@pytest.mark.parametrize("tests", [True, False])
def test_tests_that_begin_and_end_are_told_where_they_are_asked_for(api: FakeApi, *, tests: bool) -> None:
    world = World(api)
    observer = PlainObserver(world.session, tests=tests)
    make: Callable[..., LiveEvent] = LiveEvent
    common = {"at": "t", "log_offset": 0}
    observer.happened("shard-00001", make(type=EventType.STEP, step="setup", **common))
    observer.happened("shard-00001", make(type=EventType.START, step="retry-1", test="a", **common))
    observer.happened(
        "shard-00001", make(type=EventType.FINISH, step="retry-1", test="a", outcome="passed", **common)
    )
    lines = [line.partition("] ")[2] for line in world.err.getvalue().splitlines()]
    told = [
        "shard-00001 begins setup",
        "started  a (shard-00001, retry-1)",
        "passed  a (shard-00001, retry-1)",
    ]
    assert lines == (told if tests else [])


def test_the_sockets_address_is_the_endpoints_own_or_another() -> None:
    assert socket_address("https://x.example:8", "/live") == "wss://x.example:8/live"
    assert socket_address("https://x.example", "wss://y.example/live") == "wss://y.example/live"
