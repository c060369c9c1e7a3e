"""The shop's own broker, for standing alone without a cloud: the queue itself, its HTTP routes, and their client."""

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from shop.kit.calls import Peer
from shop.kit.kept import Records
from shop.kit.metrics import Metrics
from shop.kit.web import Answer, Request, Route
from shop.queues import BATCH, INVISIBLE_SECONDS, Message

MAX_WAIT_SECONDS = 20
_CALL_SECONDS = 2.0


@dataclass
class _Stored:
    body: str
    sent_at: float
    visible_at: float = 0.0  # of the monotonic clock
    receipt: str = ""


@dataclass
class Broker:
    """One queue. A message that was taken comes again unless it is deleted in time, or when the broker was started anew."""

    records: Records = field(default_factory=dict)
    _stored: dict[str, _Stored] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def __post_init__(self) -> None:
        """Take up what was not done when the process ended."""
        for name, document in self.records.items():
            self._stored[name] = _Stored(document["body"], document["sentAt"])

    def send(self, body: str) -> str:
        """Put a message in; its name."""
        name = secrets.token_hex(8)
        with self._changed:
            stored = _Stored(body, sent_at=time.time())
            self.records[name] = {"body": stored.body, "sentAt": stored.sent_at}
            self._stored[name] = stored
            self._changed.notify()
        return name

    def receive(
        self, *, wait_seconds: float, invisible_seconds: float = INVISIBLE_SECONDS
    ) -> Sequence[Message]:
        """Take up to ten messages; waits for the first."""
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            while not (visible := self._visible()):
                now = time.monotonic()
                if now >= deadline or self._closed:
                    return ()
                self._changed.wait(min(deadline - now, 0.5))  # one taken before may become visible by itself
            return [self._take(name, seconds=invisible_seconds) for name in visible]

    def delete(self, receipt: str) -> None:
        """Forget the message of a receipt, if that is still its latest."""
        name = receipt.partition(".")[0]
        with self._changed:
            if name in self._stored and self._stored[name].receipt == receipt:
                del self._stored[name]
                del self.records[name]

    def depth(self) -> int:
        """Messages that are not done."""
        with self._changed:
            return len(self._stored)

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _visible(self) -> list[str]:
        now = time.monotonic()
        visible: list[str] = []
        for name, stored in self._stored.items():
            if stored.visible_at <= now:
                visible.append(name)
            if len(visible) == BATCH:
                break
        return visible

    def _take(self, name: str, *, seconds: float) -> Message:
        stored = self._stored[name]
        stored.visible_at = time.monotonic() + seconds
        stored.receipt = f"{name}.{secrets.token_hex(4)}"
        return Message(id=name, body=stored.body, receipt=stored.receipt, sent_at=stored.sent_at)


def broker_routes(broker: Broker) -> tuple[Route, ...]:
    """The broker over HTTP."""

    def send(request: Request) -> Answer:
        return Answer({"id": broker.send(request.field("body", str))}, HTTPStatus.CREATED)

    def receive(request: Request) -> Answer:
        wait = request.field("waitSeconds", int)
        taken = broker.receive(wait_seconds=min(wait, MAX_WAIT_SECONDS))
        return Answer(
            [
                {"id": each.id, "body": each.body, "receipt": each.receipt, "sentAt": each.sent_at}
                for each in taken
            ]
        )

    def delete(request: Request) -> Answer:
        broker.delete(request.path["receipt"])
        return Answer({})

    return (
        Route("POST", "/messages", send),
        Route("POST", "/messages/receive", receive),
        Route("DELETE", "/messages/{receipt}", delete),
        Route("GET", "/messages", lambda _: Answer({"depth": broker.depth()})),
    )


@dataclass(frozen=True)
class BrokerQueue:
    """The queue, from the side of those who use it."""

    peer: Peer

    @classmethod
    def at(cls, url: str, *, metrics: Metrics) -> "BrokerQueue":
        """The queue of the broker at an address."""
        return cls(Peer("queue", url, timeout=_CALL_SECONDS, metrics=metrics))

    def send(self, body: str) -> None:
        self.peer.call("POST", "/messages", {"body": body}).expect(HTTPStatus.CREATED)

    def receive(self, *, wait_seconds: int) -> Sequence[Message]:
        patient = replace(self.peer, timeout=wait_seconds + _CALL_SECONDS)
        reply = patient.call("POST", "/messages/receive", {"waitSeconds": wait_seconds})
        return [
            Message(id=each["id"], body=each["body"], receipt=each["receipt"], sent_at=each["sentAt"])
            for each in reply.expect(HTTPStatus.OK)
        ]

    def delete(self, receipt: str) -> None:
        self.peer.call("DELETE", f"/messages/{receipt}").expect(HTTPStatus.OK)

    def depth(self) -> int:
        return int(self.peer.call("GET", "/messages").expect(HTTPStatus.OK)["depth"])
