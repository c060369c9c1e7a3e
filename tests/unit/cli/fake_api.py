"""A small API behind httpx.MockTransport: it keeps what it was sent and answers from values that tests set."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from crosswind.cli.main import app
from crosswind.cli.surroundings import Surroundings

ENDPOINT = "http://127.0.0.1:8080"
RUN = "run-01k0000000000000000000000a"
NOW = datetime(2026, 1, 31, 8, 1, tzinfo=UTC)


def run_view(**changes: Any) -> dict[str, Any]:
    """A run of two shards that is being executed."""
    view: dict[str, Any] = {
        "executionId": RUN,
        "team": "demo",
        "suite": "shop",
        "priority": "P1",
        "state": "executing",
        "stage": "api",
        "actor": "editor",
        "createdAt": "2026-01-31T08:00:00.000Z",
        "tests": {"total": 0},
        "shards": {"total": 2, "running": 1, "waiting": 1},
    }
    return {**view, **changes}


def finished(kind: str, reason: str, **changes: Any) -> dict[str, Any]:
    """A run that ended after 12.5 s."""
    ended = {
        "state": "finished",
        "finishedAt": "2026-01-31T08:00:12.500Z",
        "verdict": {"kind": kind, "reason": reason},
        "tests": {"total": 3, "passed": 3},
        "shards": {"total": 2, "done": 2},
    }
    return run_view(**{**ended, **changes})


def case(name: str, status: str = "failed", **changes: Any) -> dict[str, Any]:
    """A test case of shard 1."""
    made = {
        "id": f"id-{name}",
        "test": "api",
        "name": name,
        "status": status,
        "durationSeconds": 0.25,
        "workId": "shard-00001",
    }
    return {**made, **changes}


def problem(
    status: int, title: str, detail: str, errors: list[dict[str, Any]] | None = None
) -> httpx.Response:
    """An answer as problem+json."""
    body = {"type": "https://crosswind.dev/problems/x", "title": title, "status": status, "detail": detail}
    return httpx.Response(status, json={**body, "errors": errors} if errors else body)


def jwt(*, expires: datetime) -> str:
    """A token with an expiry; nobody here checks its signature."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(expires.timestamp())}).encode()).decode()
    return f"e30.{claims.rstrip('=')}.c2ln"


Answer = Callable[[httpx.Request], httpx.Response] | httpx.Response | dict[str, Any]


@dataclass
class FakeApi:
    """Answers by `METHOD /path`; a list is answered one after the other, its last item again and again."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def on(self, what: str, *answers: Answer) -> None:
        """Set what a method and path are answered with."""
        self.answers[what] = list(answers)

    def handle(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answers = self.answers.get(f"{request.method} {request.url.path}")
        if not answers:
            return problem(404, "Not found", f"{request.method} {request.url.path}")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, dict):
            return httpx.Response(200, json=answer)
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)

    def sent(self, what: str) -> list[httpx.Request]:
        """Every request of a method and path."""
        return [request for request in self.requests if f"{request.method} {request.url.path}" == what]


@dataclass
class Terminal:
    """Runs commands against the fake API, in a home of its own, signed in by a token in the environment."""

    api: FakeApi
    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)
    sleep: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        self.environ = {
            "CROSSWIND_TOKEN": "a-token",
            "CROSSWIND_ENDPOINT": ENDPOINT,
            "CROSSWIND_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
        }

    def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run `crosswind ARGUMENTS`."""
        around = Surroundings(
            environ=self.environ,
            transport=httpx.MockTransport(self.api.handle),
            sleep=self.sleep or self.pauses.append,
            monotonic=lambda: sum(self.pauses),
            now=lambda: NOW,
        )
        return CliRunner(env={"NO_COLOR": "1"}).invoke(app, list(arguments), obj=around, input=stdin)
