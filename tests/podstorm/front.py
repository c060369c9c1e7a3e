"""Stands before an API server: counts what is asked of it, and answers some calls with 429 or late.

Launcher and observer are given this address. It signs in as they would, and passes everything on.
"""

import json
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3

from crosswind.local.home import LOOPBACK
from tests.cluster.certificates import Authority, Identity
from tests.cluster.clusters import Endpoint

_PASSED_ON = ("Content-Type", "Accept")
_LONGEST_DELAY = 3.0
_REQUEST_SECONDS = 90.0  # a watch is silent for long


@dataclass
class Front:
    """One address before an API server.

    Attributes:
        calls: How often each verb was asked of each resource.
        refused, delayed: How often this front disturbed a call.
        disturbed_share: Of the calls that get 429, and of those that are answered up to three seconds late.
    """

    behind: Endpoint
    authority: Authority
    identity: Identity
    folder: Path
    disturbed_share: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    delayed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  # no secret

    @contextmanager
    def open(self) -> Iterator[Endpoint]:
        """As long as the block lasts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificate, key = self.authority.server((LOOPBACK,)).write(self.folder, "front")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = _Server((LOOPBACK, 0), _Handler)
        server.front = self
        server.pool = self._pool()
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Endpoint(f"https://{LOOPBACK}:{server.server_port}", self.authority.pem)
        finally:
            server.shutdown()
            server.server_close()

    def count(self, method: str, path: str) -> tuple[bool, float]:
        """Note a call. Returns whether it is to be refused, and by how many seconds it is to be late."""
        verb = "WATCH" if "watch=" in path else method
        with self._lock:
            self.calls[f"{verb} {_resource(path)}"] += 1
            if self._chance.random() < self.disturbed_share:
                self.refused += 1
                return True, 0.0
            if self._chance.random() < self.disturbed_share:
                self.delayed += 1
                return False, self._chance.uniform(0.5, _LONGEST_DELAY)
            return False, 0.0

    def _pool(self) -> urllib3.PoolManager:
        context = ssl.create_default_context(cadata=self.behind.authority.decode())
        context.load_cert_chain(*self.identity.write(self.folder, "front-client"))
        return urllib3.PoolManager(ssl_context=context, maxsize=32, timeout=_REQUEST_SECONDS, retries=False)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    front: Front
    pool: urllib3.PoolManager


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _pass_on(self) -> None:
        front = self.server.front
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refused, late = front.count(self.command, self.path)
        if refused:
            told = {
                "kind": "Status",
                "reason": "TooManyRequests",
                "message": "too many requests",
                "code": 429,
            }
            self._answer(HTTPStatus.TOO_MANY_REQUESTS, json.dumps(told).encode(), {"Retry-After": "1"})
            return
        time.sleep(late)
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        try:
            answer = self.server.pool.request(
                self.command,
                f"{front.behind.server}{self.path}",
                body=body or None,
                headers=headers,
                preload_content=False,
            )
            if "watch=" in self.path:
                self._stream(answer)
            else:
                self._answer(answer.status, answer.read(), {})
        except (urllib3.exceptions.HTTPError, OSError):
            self.close_connection = True  # the API server is away, or the caller
            return
        answer.release_conn()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815  # names that http.server gives

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: urllib3.BaseHTTPResponse) -> None:
        """A watch: its events are handed on as they come, until the connection ends."""
        self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in answer.stream(65_536):
            self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server calls it
        """Calls are counted, not written."""


def _resource(path: str) -> str:
    """The kind of thing that a path is about: `jobs`, `pods`, `nodes`."""
    parts = path.partition("?")[0].strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    return rest[0] if rest else path
