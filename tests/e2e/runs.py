"""What the end-to-end tests say to a running Crosswind: small suites, and an HTTP client that knows the API's paths."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from crosswind.kernel.json import digest_bytes

PYTEST_SETUP = "python -m pip install --quiet --disable-pip-version-check --target .deps pytest==8.4.2"
LOOK_SECONDS = 0.5
"""Between two looks, twice that for an end: each is answered by a Lambda of the emulator, on the cores that the run itself needs."""

FINISH_SECONDS = 600.0
"""How long is waited at most. It is no measure: a busy machine takes its time, and what never comes is found late."""


def pack(files: Mapping[str, str]) -> bytes:
    """A tar.gz of some text files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def pytest_job(name: str = "unit", **fields: Any) -> dict[str, Any]:
    """A pytest job without its source."""
    return {
        "name": name,
        "framework": "pytest",
        "setup": [PYTEST_SETUP],
        "env": {"PYTHONPATH": ".deps"},
        "args": ["-p", "no:cacheprovider", "tests"],
        "shards": {"count": 1},
        "timeout": "2m",
    } | fields


def command_job(command: str, name: str = "job", **fields: Any) -> dict[str, Any]:
    """A job of framework `command` without its source."""
    return {
        "name": name,
        "framework": "command",
        "command": command,
        "reports": ["report.xml"],
        "shards": {"count": 1},
        "timeout": "2m",
    } | fields


def suite(
    *stages: list[dict[str, Any]], name: str = "e2e", team: str = "demo", **spec: Any
) -> dict[str, Any]:
    """A suite of stages, each a list of jobs."""
    return {
        "apiVersion": "crosswind.dev/v1",
        "kind": "TestSuite",
        "metadata": {"name": name, "team": team},
        "spec": {"stages": [{"name": f"stage-{n}", "tests": jobs} for n, jobs in enumerate(stages)], **spec},
    }


@dataclass(frozen=True)
class Api:
    """The HTTP API as one user."""

    http: httpx.Client

    @classmethod
    def at(cls, endpoint: str, token: str | None) -> "Api":
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return cls(httpx.Client(base_url=endpoint, headers=headers, timeout=30.0))

    def upload(self, data: bytes, *, team: str = "demo") -> str:
        """Put an archive where suites can name it; returns its digest."""
        digest = digest_bytes(data)
        answer = self.http.post("/api/v1/sources", json={"team": team, "digest": digest, "size": len(data)})
        answer.raise_for_status()
        if not answer.json()["exists"]:
            put = httpx.put(
                answer.json()["uploadUrl"], content=data, headers=answer.json()["uploadHeaders"], timeout=30.0
            )
            put.raise_for_status()
        return digest

    def submit(self, spec: dict[str, Any], *, files: Mapping[str, str] | None = None, **more: Any) -> str:
        """Submit a suite whose jobs all use `files` as their source; returns the execution id."""
        if files is not None:
            digest = self.upload(pack(files), team=spec["metadata"]["team"])
            for stage in spec["spec"]["stages"]:
                for job in stage["tests"]:
                    job["source"] = {"archive": {"digest": digest}}
        answer = self.http.post("/api/v1/tests", json={"spec": spec, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["executionId"])

    def run(self, execution_id: str, *, detail: bool = False) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/tests/{execution_id}", params={"detail": "true"} if detail else {})
        answer.raise_for_status()
        return dict(answer.json())

    def until(
        self,
        execution_id: str,
        reached: Callable[[dict[str, Any]], bool],
        *,
        seconds: float = FINISH_SECONDS,
        pause: float = LOOK_SECONDS,
    ) -> dict[str, Any]:
        """Ask until the run is as wanted. An answer lost with a killed Lambda is asked for again, as clients do."""
        deadline = time.monotonic() + seconds
        view: dict[str, Any] = {}
        while time.monotonic() < deadline:
            answer = self.http.get(f"/api/v1/tests/{execution_id}", params={"detail": "true"})
            if not answer.is_server_error:
                answer.raise_for_status()
                view = dict(answer.json())
                if reached(view):
                    return view
            time.sleep(pause)
        raise AssertionError(f"not reached in {seconds} s: {json.dumps(view, indent=1)}")

    def finished(self, execution_id: str, *, seconds: float = FINISH_SECONDS) -> dict[str, Any]:
        """Wait for the verdict."""
        return self.until(
            execution_id,
            lambda view: view["state"] == "finished",
            seconds=seconds,
            pause=2 * LOOK_SECONDS,
        )

    def cases(self, execution_id: str, **query: str) -> list[dict[str, Any]]:
        """All cases, through all pages."""
        cases: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = {"limit": "200", **query} | ({"cursor": cursor} if cursor else {})
            answer = self.http.get(f"/api/v1/tests/{execution_id}/results", params=params)
            answer.raise_for_status()
            cases += answer.json()["items"]
            cursor = answer.json().get("nextCursor")
            if not cursor:
                return cases

    def log(self, execution_id: str, work_id: str) -> str:
        """A shard's whole log."""
        text, offset = "", 0
        while True:
            answer = self.http.get(
                f"/api/v1/tests/{execution_id}/logs", params={"workId": work_id, "offset": str(offset)}
            )
            answer.raise_for_status()
            chunk = answer.json()
            text += str(chunk["text"])
            if chunk["complete"] and chunk["nextOffset"] == offset:
                return text
            offset = chunk["nextOffset"]


def running(view: dict[str, Any]) -> bool:
    """At least one shard is on a runner."""
    return any(work["state"] == "leased" and work["workId"].startswith("shard") for work in view["work"])
