"""Who may follow a run, what its runners learn of it, and what reaches which socket."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.live import Piece, Ping, Pong, Stream, Subscribe, Unsubscribe, WatchRequest
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import RunState
from crosswind.edge import socket_handler
from crosswind.kernel.errors import DependencyError, ForbiddenError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs.live.model import RUN_EVENTS, RUN_LOGS, Demand, Way
from crosswind.runs.usecases.following_live import (
    AnswerSocket,
    CloseConnection,
    FanOut,
    OpenConnection,
    WatchRun,
)
from crosswind.runs.usecases.reading import FindRun
from tests.fakes import MemoryRunStore, SettableClock, make_run
from tests.fakes.live import MemoryConnectionStore, MemorySockets, MemoryWatchStore
from tests.unit.runs.suites_samples import STRANGER, VIEWER

WORK = "shard-00001"


@dataclass
class World:
    """The use cases around one run of team demo."""

    state: RunState = RunState.EXECUTING
    clock: SettableClock = field(default_factory=SettableClock)

    def __post_init__(self) -> None:
        self.runs = MemoryRunStore()
        self.run, _ = self.runs.create(make_run(state=self.state), idempotency=None)
        self.watches = MemoryWatchStore()
        self.connections = MemoryConnectionStore()
        self.sockets = MemorySockets()
        find = FindRun(self.runs, Guard(decide))
        self.watch = WatchRun(find, self.watches, self.clock, socket="/live")
        self.answer = AnswerSocket(find, self.watches, self.connections, self.clock)
        self.fan_out = FanOut(self.connections, self.sockets, self.clock)

    def open(self, connection: str, actor: Any = VIEWER) -> None:
        OpenConnection(self.connections, self.clock)(connection, actor)

    def subscribe(self, connection: str, **changes: Any) -> Any:
        message = Subscribe(**{"action": "subscribe", "run_id": self.run.run_id, "log": True, **changes})
        return self.answer(connection, message)

    def demand(self) -> Demand:
        return self.watches.read(self.run.run_id).demand(WORK, now=self.clock.now())

    def piece(self, offset: int, text: str) -> Piece:
        return Piece(
            run_id=self.run.run_id,
            work_id=WORK,
            attempt="01-001",
            stream=Stream.LOG,
            offset=offset,
            next_offset=offset + len(text),
            text=text,
        )

    def told(self, connection: str) -> list[str]:
        """What a connection was told: texts, and gaps in brackets."""
        found = [json.loads(text) for name, text in self.sockets.sent if name == connection]
        return [
            each["text"] if each["type"] == "piece" else f"[{each['fromOffset']}-{each['toOffset']}]"
            for each in found
        ]


def test_a_poller_is_known_to_the_runners_for_a_while() -> None:
    world = World()
    view = world.watch(world.run.run_id, WatchRequest(work_id=WORK), actor=VIEWER)
    assert view.socket == "/live"
    assert world.demand().log == {Way.POLLED}
    world.clock.advance(timedelta(seconds=view.expires_in_seconds))
    assert world.demand() == Demand()


def test_a_finished_run_is_not_marked_and_a_stranger_marks_nothing() -> None:
    over = World(state=RunState.FINISHED)
    over.watch(over.run.run_id, WatchRequest(), actor=VIEWER)
    world = World()
    with pytest.raises(NotFoundError):
        world.watch(world.run.run_id, WatchRequest(), actor=STRANGER)
    assert not over.watches.marks
    assert not world.watches.marks


def test_a_subscription_makes_runners_push_and_for_a_moment_store_at_once() -> None:
    world = World()
    world.open("c")
    answer = world.subscribe("c", log=False)
    assert list(world.watches.marks[world.run.run_id]) == [(Way.PUSHED, RUN_EVENTS), (Way.POLLED, RUN_EVENTS)]
    assert world.demand().events == {Way.PUSHED, Way.POLLED}
    world.clock.advance(timedelta(seconds=20))
    assert world.demand().events == {Way.PUSHED}
    world.clock.advance(timedelta(seconds=answer.expires_in_seconds - 20))
    assert world.demand() == Demand()
    world.subscribe("c")
    assert (Way.PUSHED, RUN_LOGS) in world.watches.marks[world.run.run_id]


def test_only_a_reader_of_the_runs_team_may_subscribe() -> None:
    world = World()
    world.open("stranger", STRANGER)
    with pytest.raises(NotFoundError):
        world.subscribe("stranger")
    with pytest.raises(ForbiddenError):
        world.subscribe("never-opened")
    assert not world.connections.held
    assert not world.watches.marks


def test_pieces_reach_those_who_subscribed_until_they_end_it() -> None:
    world = World()
    for name in ("one", "all", "quiet"):
        world.open(name)
    world.subscribe("one", work_id=WORK, from_offset=2)
    world.subscribe("all")
    world.subscribe("quiet", log=False)
    assert world.fan_out([world.piece(2, "cd"), world.piece(0, "ab")]) == 3
    world.answer("all", Unsubscribe(action="unsubscribe", run_id=world.run.run_id))
    CloseConnection(world.connections)("quiet")
    world.fan_out([world.piece(4, "ef")])
    assert (world.told("one"), world.told("all"), world.told("quiet")) == (["cd", "ef"], ["ab", "cd"], [])


def test_a_slow_connection_is_told_what_it_missed_and_others_do_not_wait_for_it() -> None:
    world = World()
    for name in ("slow", "fast"):
        world.open(name)
        world.subscribe(name)
    world.sockets.slow = {"slow"}
    world.fan_out([world.piece(0, "ab"), world.piece(2, "cd")])
    world.fan_out([world.piece(4, "ef")])
    world.sockets.slow = set()
    world.fan_out([world.piece(6, "gh")])
    world.fan_out([world.piece(8, "ij")])
    assert world.told("fast") == ["ab", "cd", "ef", "gh", "ij"]
    assert world.told("slow") == ["[0-6]", "gh", "ij"]


def test_a_connection_that_is_gone_is_forgotten() -> None:
    world = World()
    world.open("c")
    world.subscribe("c")
    world.sockets.closed = {"c"}
    assert world.fan_out([world.piece(0, "ab")]) == 0
    assert not world.connections.held
    assert not world.connections.actors


def event(body: str = "", *, kind: str = "MESSAGE", actor: str | None = None) -> dict[str, Any]:
    request: dict[str, Any] = {"connectionId": "c", "eventType": kind}
    return {"requestContext": request | ({"authorizer": {"actor": actor}} if actor else {}), "body": body}


@dataclass
class Context:
    """Of a Lambda."""

    aws_request_id: str = "r"
    function_name: str = "f"


def test_the_edge_opens_and_closes_connections_for_the_actor_of_the_authorizer() -> None:
    world = World()
    opened, closed = OpenConnection(world.connections, world.clock), CloseConnection(world.connections)
    uses: dict[str, Any] = {"open_connection": opened, "close_connection": closed}
    assert socket_handler.connect(event(kind="CONNECT", actor=VIEWER.to_wire()), Context(), **uses) == {
        "statusCode": 200
    }
    assert world.connections.actors == {"c": VIEWER}
    socket_handler.connect(event(kind="DISCONNECT"), Context(), **uses)
    assert world.connections.actors == {}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ('{"action": "ping"}', {"type": "pong"}),
        ('{"action": "dance"}', {"type": "refused", "status": 400}),
        ("no json", {"type": "refused", "status": 400}),
        ('{"action": "subscribe", "runId": "run-1", "workId": "../x"}', {"type": "refused", "status": 400}),
        ('{"action": "subscribe", "runId": "run-1"}', {"type": "refused", "status": 404}),
    ],
)
def test_every_message_is_answered_through_the_socket(body: str, answer: dict[str, Any]) -> None:
    world = World()
    world.open("c")
    socket_handler.answer(event(body), Context(), carry_out=world.answer, sockets=world.sockets)
    ((connection, text),) = world.sockets.sent
    assert connection == "c"
    assert answer.items() <= json.loads(text).items()


def test_a_store_that_is_away_and_a_client_that_is_gone_are_no_crash() -> None:
    world = World()

    def away(_: str, __: object) -> Pong:
        raise DependencyError("away")

    socket_handler.answer(event('{"action": "ping"}'), Context(), carry_out=away, sockets=world.sockets)
    assert json.loads(world.sockets.sent[0][1])["status"] == 503
    world.sockets.closed = {"c"}
    socket_handler.answer(
        event('{"action": "ping"}'), Context(), carry_out=lambda _, __: Pong(), sockets=world.sockets
    )
    assert world.answer("c", Ping(action="ping")) == Pong()
