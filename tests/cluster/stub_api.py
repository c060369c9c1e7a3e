"""The few operations of the API that a controller calls, on 127.0.0.1, answering as a test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from crosswind.local.home import LOOPBACK

TOKEN = "let-me-in"
TOO_LONG = "47h"
_TESTS, _SUITES = "/api/v1/tests", "/api/v1/suites/"
_SUMMARY = ("executionId", "team", "suite", "priority", "state", "actor", "createdAt")
_PAGE = 200
_DIGEST = f"sha256:{'a' * 64}"


@dataclass
class StubApi:
    """What it was asked, and what it keeps."""

    suites: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Runs by Idempotency-Key."""

    submissions: list[str] = field(default_factory=list)
    """The key of each request to submit, repeated ones too."""

    cancelled: list[str] = field(default_factory=list)
    reads: int = 0
    away: bool = False
    answering: threading.Event = field(default_factory=threading.Event)
    """Cleared: submissions are carried out, and their answers are held back."""

    endpoint: str = ""

    def change(self, run_id: str, **values: Any) -> None:
        """What a run is from now on."""
        self.runs[run_id] |= values

    def finish(self, run_id: str, verdict: str, reason: str) -> None:
        """End a run."""
        counts = {"total": 3, "passed": 2, "failed": 1}
        self.change(
            run_id,
            state="finished",
            tests=counts,
            finishedAt="2026-11-23T09:01:00.000Z",
            verdict={"kind": verdict, "reason": reason},
        )

    def answer(
        self, method: str, path: str, headers: Any, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        """Status and body."""
        if self.away:
            return 503, _problem(503, "The API is away")
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, _problem(401, "Sign in first")
        if path == _TESTS and method == "POST":
            return self._submit(headers["Idempotency-Key"], body)
        if path.startswith(f"{_TESTS}/"):
            return self._run(method, path.removeprefix(f"{_TESTS}/"))
        if path == _TESTS:
            newest = list(reversed(self.runs.values()))[:_PAGE]
            return 200, {"items": [{name: each[name] for name in _SUMMARY} for each in newest]}
        return self._suite(method, path.removeprefix(_SUITES), body)

    def _submit(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.submissions.append(key)
        known = key in self.keys
        run_id = self.keys.setdefault(key, f"run-{len(self.keys) + 1}")
        if not known:
            team = body.get("team") or body["spec"]["metadata"]["team"]
            self.runs[run_id] = {
                "executionId": run_id,
                "team": team,
                "suite": body.get("suite") or body["spec"]["metadata"]["name"],
                "priority": "P1",
                "state": "accepted",
                "actor": "controller",
                "createdAt": "2026-11-23T09:00:00.000Z",
                "tests": {},
                "shards": {},
            }
        self.answering.wait(30)
        return 202, {"executionId": run_id, "state": "accepted", "repeated": known}

    def _run(self, method: str, run_id: str) -> tuple[int, dict[str, Any]]:
        if run_id not in self.runs:
            return 404, _problem(404, "no such run")
        if method == "DELETE":
            self.cancelled.append(run_id)
        else:
            self.reads += 1
        return 200, self.runs[run_id]

    def _suite(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        if method == "DELETE":
            return (204, None) if self.suites.pop(name, None) else (404, _problem(404, "no such suite"))
        if body["spec"].get("timeout") == TOO_LONG:
            fault = {"path": "spec.timeout", "message": "is too long", "expected": "24h at most"}
            return 422, _problem(422, "the suite has faults") | {"errors": [fault]}
        self.suites[name] = body
        return 200, {"name": name, "team": body["metadata"]["team"], "digest": _DIGEST, "created": True}


def _problem(status: int, detail: str) -> dict[str, Any]:
    return {"type": "https://crosswind.dev/problems/x", "title": "No", "status": status, "detail": detail}


@contextmanager
def stub_api() -> Iterator[StubApi]:
    """Serve one."""
    api = StubApi()
    api.answering.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = api.answer(
                self.command, self.path.partition("?")[0], self.headers, json.loads(text or b"{}")
            )
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(BrokenPipeError):  # whoever asked was killed
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  # names that http.server gives

        def log_message(self, *_: Any) -> None:
            """Nothing: a test fails by itself."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.endpoint = f"http://{LOOPBACK}:{server.server_address[1]}"
    try:
        yield api
    finally:
        api.answering.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
