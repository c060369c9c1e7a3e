"""Our half of tests.bench.chaos_toolkit: the same fault, the same mishaps, on an embedded cloud with real runners."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from crosswind.local.home import Home
from crosswind.local.processes import free_ports
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api

_ENDS = frozenset({"Analyzed", "RecoveryUnverified"})
_SECONDS = 180.0


@contextmanager
def own_cloud(folder: Path) -> Iterator[Cloud]:
    """An embedded cloud with runners and a Toxiproxy."""
    port, emulator_port = free_ports(2)
    cloud = Cloud(home=Home(folder / "home"), port=port, emulator_port=emulator_port)
    try:
        cloud.up(runners=2)
        yield cloud
    finally:
        cloud.crosswind("reset", "--yes")


def experiment(name: str, url: str, *, latency: int, seconds: int, guarded: bool) -> dict[str, Any]:
    """Latency goes in; the answer has to come within half a second."""
    probe = {
        "name": "answers",
        "type": "http",
        "url": url,
        "timeout": "1s",
        "measure": "latency",
        "tolerance": {"range": [None, 500]},
    }
    spec: dict[str, Any] = {
        "environment": "local",
        "hypothesis": {"title": "a slow payment is borne", "probes": [probe]},
        "faults": [
            {
                "name": "slow",
                "provider": "toxiproxy",
                "action": "latency",
                "target": {"names": ["pay"]},
                "parameters": {"latency": latency},
                "duration": f"{seconds}s",
            }
        ],
        "blastRadius": {"maxTargets": 1},
        "baseline": "2s",
        "recovery": "20s",
        "timeout": "5m",
        "risk": "low",
    }
    if guarded:
        spec["abortOn"] = [{"name": "slo", "probe": {**probe, "name": "guard"}}]
    return {
        "apiVersion": "crosswind.dev/v1",
        "kind": "ChaosExperiment",
        "metadata": {"name": name, "team": "demo"},
        "spec": spec,
    }


def approved(cloud: Cloud, document: dict[str, Any]) -> None:
    """Stored by one, submitted, and approved by another."""
    name = document["metadata"]["name"]
    editor, admin = (Api.at(cloud.endpoint, cloud.token(user)).http for user in ("editor", "admin"))
    _ok(editor.put(f"/api/v1/experiments/{name}", json=document))
    _ok(editor.post(f"/api/v1/experiments/{name}/submit", params={"team": "demo"}))
    preview = _ok(admin.post(f"/api/v1/experiments/{name}/preview", params={"team": "demo"}))
    _ok(
        admin.post(
            f"/api/v1/experiments/{name}/approve",
            params={"team": "demo"},
            json={"digest": preview["digest"]},
        )
    )


def started(cloud: Cloud, name: str) -> str:
    """A run's id."""
    editor = Api.at(cloud.endpoint, cloud.token("editor")).http
    return str(
        _ok(editor.post(f"/api/v1/experiments/{name}/start", params={"team": "demo"}, json={}))["runId"]
    )


def until(cloud: Cloud, run: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The run as soon as it is as wanted."""
    editor = Api.at(cloud.endpoint, cloud.token("editor")).http
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        view = _ok(editor.get(f"/api/v1/experiments/-/runs/{run}", params={"team": "demo"}))
        if reached(view):
            return view
        time.sleep(0.25)
    raise TimeoutError(f"{run} is {view['state']} after {_SECONDS:g} s")


def ended(cloud: Cloud, run: str) -> dict[str, Any]:
    """The run when it is over."""
    return until(cloud, run, lambda view: view["state"] in _ENDS)


def kill_monitor(cloud: Cloud) -> None:
    """kill -9 of every runner: whichever has the monitor."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            environ = (process / "environ").read_bytes().split(b"\0")
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        mine = any(each.startswith(b"CROSSWIND_WORK_FOLDER=" + bytes(cloud.home.path)) for each in environ)
        if mine and b"crosswind-runner" in line:
            os.kill(int(process.name), signal.SIGKILL)


def _ok(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise RuntimeError(
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
    document: dict[str, Any] = answer.json()
    return document
