"""Experiments as users start them, on a small application whose process they freeze; shared by tests and benches."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from crosswind.local.processes import free_ports
from tests.e2e.conftest import Cloud
from tests.e2e.runs import FINISH_SECONDS, LOOK_SECONDS, Api

ENDED = frozenset({"Analyzed", "RecoveryUnverified"})
_TEAM = {"team": "demo"}
_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Application:
    """One service in the registry that the process provider reads."""

    name: str
    url: str
    process: psutil.Process

    @property
    def frozen(self) -> bool:
        """What the operating system says."""
        return bool(self.process.status() == psutil.STATUS_STOPPED)


@contextmanager
def application(cloud: Cloud, name: str) -> Iterator[Application]:
    """A service that answers at once, in a registry of its own."""
    (port,) = free_ports(1)
    command = [sys.executable, "-c", _SERVER, str(port)]
    process = subprocess.Popen(command, start_new_session=True)
    seen = psutil.Process(process.pid)
    folder = cloud.home.applications / name
    folder.mkdir(parents=True)
    service = {
        "pid": process.pid,
        "startedAt": seen.create_time(),
        "url": f"http://127.0.0.1:{port}",
        "command": command,
        "cwd": str(folder),
        "logFile": str(folder / "log"),
        "env": {},
    }
    document = {"application": name, "services": {"answer": service}}
    (folder / "application.json").write_text(json.dumps(document), encoding="utf-8")
    try:
        yield Application(name, f"http://127.0.0.1:{port}/", seen)
    finally:
        process.kill()
        process.wait()


@dataclass
class Experiments:
    """The API as two users: one who writes and starts, one who approves."""

    cloud: Cloud
    _http: dict[str, httpx.Client] = field(default_factory=dict)

    def as_(self, user: str) -> httpx.Client:
        """The API as a local user."""
        if user not in self._http:
            self._http[user] = Api.at(self.cloud.endpoint, self.cloud.token(user)).http
        return self._http[user]

    def store(self, document: Mapping[str, Any]) -> str:
        """Store a draft; its name."""
        name = str(document["metadata"]["name"])
        ok(self.as_("editor").put(f"/api/v1/experiments/{name}", json=document))
        return name

    def approve(self, name: str) -> None:
        """Submitted by one, approved by the other, who looked at exactly this content."""
        ok(self.as_("editor").post(f"/api/v1/experiments/{name}/submit", params=_TEAM))
        preview = ok(self.as_("admin").post(f"/api/v1/experiments/{name}/preview", params=_TEAM))
        body = {"digest": preview["digest"]}
        ok(self.as_("admin").post(f"/api/v1/experiments/{name}/approve", params=_TEAM, json=body))

    def start(self, document: Mapping[str, Any]) -> str:
        """Store, approve and start; the run's id."""
        name = self.store(document)
        self.approve(name)
        return self.again(name)

    def again(self, name: str) -> str:
        """Another run of what is approved."""
        answer = self.as_("editor").post(f"/api/v1/experiments/{name}/start", params=_TEAM, json={})
        return str(ok(answer)["runId"])

    def run(self, run_id: str) -> dict[str, Any]:
        return ok(self.as_("editor").get(f"/api/v1/experiments/-/runs/{run_id}", params=_TEAM))

    def results(self, run_id: str) -> dict[str, Any]:
        return ok(self.as_("editor").get("/api/v1/experiments/-/results", params={**_TEAM, "run": run_id}))

    def moves(self, run_id: str) -> list[str]:
        """The states that its timeline says it went through."""
        path = "/api/v1/experiments/-/timeline"
        page = ok(self.as_("editor").get(path, params={**_TEAM, "run": run_id, "limit": 100}))
        return [line["state"] for line in page["items"] if line.get("state")]

    def until(self, run_id: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The run as soon as it is as wanted."""
        deadline = time.monotonic() + FINISH_SECONDS
        view: dict[str, Any] = {}
        while time.monotonic() < deadline:
            view = self.run(run_id)
            if reached(view):
                return view
            time.sleep(LOOK_SECONDS)
        raise TimeoutError(f"not reached in {FINISH_SECONDS:g} s: {json.dumps(view)}")

    def in_state(self, run_id: str, state: str) -> dict[str, Any]:
        return self.until(run_id, lambda view: view["state"] == state)

    def ended(self, run_id: str) -> dict[str, Any]:
        return self.until(run_id, lambda view: view["state"] in ENDED)


def ok(answer: httpx.Response) -> dict[str, Any]:
    """The document. Raises RuntimeError with what the API said."""
    if not answer.is_success:
        request = answer.request
        raise RuntimeError(f"{request.method} {request.url}: {answer.status_code} {answer.text}")
    document: dict[str, Any] = answer.json()
    return document


def document(name: str, url: str, fault: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """An experiment whose probe asks a url each second."""
    probe = {"name": "answers", "type": "http", "url": url, "timeout": "1s"}
    return {
        "apiVersion": "crosswind.dev/v1",
        "kind": "ChaosExperiment",
        "metadata": {"name": name, "team": "demo"},
        "spec": {
            "environment": "local",
            "hypothesis": {"title": "it answers", "probes": [probe]},
            "faults": [{"name": "fault", **fault}],
            "blastRadius": {"maxTargets": 1},
            "baseline": "2s",
            "recovery": "20s",
            "timeout": "5m",
            "risk": "low",
            **spec,
        },
    }


def guard(url: str, **more: Any) -> list[dict[str, Any]]:
    """One guard that asks a url each second."""
    return [{"name": "slo", "probe": {"name": "guard", "type": "http", "url": url, "timeout": "1s", **more}}]


def freeze(application: str, seconds: int) -> dict[str, Any]:
    """The service hangs."""
    return {
        "provider": "process",
        "action": "freeze",
        "target": {"application": application, "names": ["answer"]},
        "duration": f"{seconds}s",
    }
