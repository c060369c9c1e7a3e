"""What is told of a run while it goes on: events of its tests, pieces of its streams, and the messages of the socket.

A stream is bytes in order, named by offset: a shard's log as its command wrote it, and its events, one `LiveEvent` as a
JSON line each. Each attempt at a shard has streams of its own. Whoever has read up to an offset goes on from there,
through the REST API or the socket.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel

MAX_PIECE_BYTES = 20 * 1024
"""Of a stream, in one message: if JSON makes six of each byte, it stays within the 128 KB of API Gateway."""

RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
WorkId = Annotated[str, StringConstraints(pattern=r"^(prepare|shard)-\d{5}$")]


class Stream(StrEnum):
    """What of a shard can be followed."""

    LOG = "log"
    EVENTS = "events"


class EventType(StrEnum):
    """What a line of the events tells."""

    STEP = "step"  # a part of the attempt begins: setup, attempt-1, retry-1, upload
    START = "start"  # a test begins
    FINISH = "finish"  # a test has ended
    CUT = "cut"  # the events reached their limit; results come from the reports all the same


class LiveEvent(WireModel):
    """One line of a shard's events. They are news, not evidence: what counts is read from the reports at the end."""

    type: EventType
    at: str
    step: str
    log_offset: int
    test: str | None = None
    outcome: str | None = None
    seconds: float | None = None
    message: str | None = None


class Piece(WireModel):
    """A part of a stream as a runner ships it to those who watch through the socket, and as they get it.

    `skippedFrom` says that the bytes from there to `offset` were not sent, because there were too many: the REST API
    has them (`GET /api/v1/tests/{id}/logs`). `text` is the bytes from `offset` to `nextOffset`, always whole characters.
    """

    type: Literal["piece"] = "piece"
    run_id: str
    work_id: str
    attempt: str
    stream: Stream
    offset: int
    next_offset: int
    text: str
    skipped_from: int | None = None
    final: bool = False  # the attempt's streams end here


class WatchRequest(WireModel):
    """POST /api/v1/tests/{id}/watch: for a while its runners ship what is new every 2 s instead of every 30 s."""

    work_id: WorkId | None = None
    log: bool = False


class WatchView(WireModel):
    """How long that lasts, and where the socket is: an address, or a path of the same endpoint; None without one."""

    expires_in_seconds: int
    socket: str | None = None


class Subscribe(WireModel):
    """Tell me of a run, or of one of its shards: events always, and logs where `log` is set. Repeating it prolongs it."""

    action: Literal["subscribe"]
    run_id: RunId
    work_id: WorkId | None = None
    log: bool = False
    from_offset: Annotated[int, Field(ge=0)] = 0  # of the one shard's log: what lies before is not sent


class Unsubscribe(WireModel):
    """Tell me no more of a run."""

    action: Literal["unsubscribe"]
    run_id: RunId


class Ping(WireModel):
    """Keeps the socket open: API Gateway closes it after 10 minutes without a message."""

    action: Literal["ping"]


SocketRequest = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="action")]


class Subscribed(WireModel):
    """A subscription holds for so long. Read by REST what was there before, from the offsets that you have."""

    type: Literal["subscribed"] = "subscribed"
    run_id: str
    work_id: str | None = None
    expires_in_seconds: int


class Pong(WireModel):
    """The answer to a ping, and to `unsubscribe`."""

    type: Literal["pong"] = "pong"


class Refused(WireModel):
    """The request was not carried out."""

    type: Literal["refused"] = "refused"
    status: int
    detail: str


class Skipped(WireModel):
    """Bytes `from`-`to` of a stream did not reach this socket, which was too slow; the REST API has them."""

    type: Literal["skipped"] = "skipped"
    run_id: str
    work_id: str
    attempt: str
    stream: Stream
    from_offset: int
    to_offset: int


SocketMessage = Annotated[Piece | Subscribed | Pong | Refused | Skipped, Field(discriminator="type")]
