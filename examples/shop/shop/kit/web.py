"""A small HTTP server: routes, a bound on work in hand, metrics, and an end that waits for what is in flight."""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar, cast

from shop.kit.metrics import DURATION, IN_FLIGHT, REQUESTS, Metrics

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024
WORKERS = 32
WAIT_FOR_WORKER_SECONDS = 1.0
_CLIENT_SECONDS = 10.0  # a client that neither sends nor reads for so long is let go
_SLOW_SECONDS = 1.0
JSON = "application/json"
_HEADERS = (
    ("Connection", "close"),  # as HTTP/1.0 has it; some clients keep a connection unless they are told
    ("Content-Security-Policy", "default-src 'self'; img-src 'self' data:"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of every answer. A browser loads nothing from elsewhere, and runs no script that an answer quotes."""

T = TypeVar("T")

log = logging.getLogger("shop.web")


class WebError(Exception):
    """A request that is refused; the sentence is the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is given: the named parts of the path, and the body."""

    path: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body. Raises ValueError."""
        return json.loads(self.body)

    def field(self, name: str, kind: type[T]) -> T:
        """A member of the body. Raises WebError where there is none, or one of another kind."""
        try:
            value = self.json()[name]
        except (ValueError, KeyError, TypeError):
            value = None
        if type(value) is not kind:
            raise WebError(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"{name} is missing in the body, or not as it should be"
            )
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back; the body is sent as JSON, or as it is where another type is named."""

    body: Any
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = JSON

    @property
    def text(self) -> str:
        """The body as it is sent."""
        return json.dumps(self.body) if self.content_type == JSON else str(self.body)


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path like `/orders/{id}`."""

    method: str
    template: str
    handler: Callable[[Request], Answer]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The named parts of the path, if it is this route's."""
        if method != self.method:
            return None
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


class WebServer(ThreadingHTTPServer):
    """Serves routes on 127.0.0.1, one thread a request, of which `workers` at most are at work; the others wait a moment.

    GET /healthz and GET /metrics are answered in any case, and not counted. Port 0 takes a free port.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, routes: Sequence[Route], *, metrics: Metrics, port: int = 0, workers: int = WORKERS
    ) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.routes = tuple(routes)
        self.metrics = metrics
        self._workers = threading.BoundedSemaphore(workers)
        self._idle = threading.Condition()
        self._in_flight = 0
        metrics.set(IN_FLIGHT, 0)

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Hold one of the workers. Raises WebError when all stay busy."""
        if not self._workers.acquire(timeout=WAIT_FOR_WORKER_SECONDS):
            raise WebError(HTTPStatus.SERVICE_UNAVAILABLE, "all workers are busy")
        try:
            yield
        finally:
            self._workers.release()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while it waits for its answer."""
        self._move(1)
        try:
            yield
        finally:
            self._move(-1)

    def drain(self, *, seconds: float) -> int:
        """Wait until nothing is in flight, or time is up. Returns how many requests are left."""
        with self._idle:
            self._idle.wait_for(lambda: self._in_flight == 0, timeout=seconds)
            return self._in_flight

    def handle_error(self, *_: Any) -> None:
        """Say little of a connection that its client gave up."""
        log.debug("a connection ended early: %s", sys.exception())

    def _move(self, step: int) -> None:
        with self._idle:
            self._in_flight += step
            self.metrics.set(IN_FLIGHT, self._in_flight)
            self._idle.notify_all()


class _Handler(BaseHTTPRequestHandler):
    timeout = _CLIENT_SECONDS
    wbufsize = -1  # head and body of an answer leave together

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._send(HTTPStatus.OK, json.dumps({"status": "ok"}))
        elif self.path == "/metrics":
            self._send(HTTPStatus.OK, self._web.metrics.text(), content_type="text/plain; version=0.0.4")
        else:
            self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are logged by `_note`."""

    @property
    def _web(self) -> WebServer:
        return cast("WebServer", self.server)

    def _serve(self) -> None:
        started = time.monotonic()
        route, parts = self._route()
        with self._web.in_flight():
            answer = self._answer(route, parts)
            self._note(route, answer.status, time.monotonic() - started)
            self._send(answer.status, answer.text, content_type=answer.content_type)

    def _route(self) -> tuple[Route | None, dict[str, str]]:
        path = self.path.partition("?")[0]
        for route in self._web.routes:
            parts = route.match(self.command, path)
            if parts is not None:
                return route, parts
        return None, {}

    def _answer(self, route: Route | None, parts: dict[str, str]) -> Answer:
        try:
            return self._handled(route, parts)
        except WebError as error:
            return Answer({"error": str(error)}, error.status)
        except Exception:  # a fault of one request is told its client and the log, and ends nothing else
            log.exception("a request failed")
            return Answer({"error": "the service failed"}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _handled(self, route: Route | None, parts: dict[str, str]) -> Answer:
        body = self._body()
        if route is None:
            raise WebError(HTTPStatus.NOT_FOUND, "there is nothing here")
        with self._web.worker():
            return route.handler(Request(path=parts, body=body))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal():
            raise WebError(HTTPStatus.BAD_REQUEST, "the Content-Length is not a number")
        if int(length) > MAX_BODY_BYTES:
            raise WebError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MAX_BODY_BYTES} bytes"
            )
        try:
            return self.rfile.read(int(length))
        except TimeoutError as error:
            raise WebError(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from error

    def _note(self, route: Route | None, status: HTTPStatus, seconds: float) -> None:
        template = route.template if route else "other"
        self._web.metrics.add(REQUESTS, method=self.command, route=template, status=str(int(status)))
        self._web.metrics.observe(DURATION, seconds, method=self.command, route=template)
        notable = status >= HTTPStatus.INTERNAL_SERVER_ERROR or seconds > _SLOW_SECONDS
        fields = {"route": template, "status": int(status), "seconds": round(seconds, 4)}
        log.log(
            logging.WARNING if notable else logging.DEBUG,
            "%s %s",
            self.command,
            self.path,
            extra={"fields": fields},
        )

    def _send(self, status: HTTPStatus, text: str, *, content_type: str = JSON) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in _HEADERS:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
