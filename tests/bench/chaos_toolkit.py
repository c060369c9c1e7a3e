"""What the Chaos Toolkit leaves injected, side by side with Crosswind: a real Toxiproxy, the same fault, three mishaps.

    python -m tests.bench.chaos_toolkit [--json]

The hypothesis deviates; a safeguard trips (ours: a guard); the process that injected is killed -9 (ours: the runner that
monitors). Each time the Toxiproxy server is asked what is still in it, up to a minute later. The Chaos Toolkit is the
released one from PyPI with its default settings, in a virtual environment of its own; its experiments tell the rollback
that undoes the fault.
"""

import argparse
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil

from crosswind.local.home import Home, cache_folder
from crosswind.local.processes import free_ports, stop
from crosswind.local.tools import install_once
from crosswind.local.toxiproxy import ensure_toxiproxy, start_toxiproxy
from tests.e2e.conftest import Cloud
from tests.e2e.experiments import Experiments, document, guard

_PACKAGES = ("chaostoolkit==1.19.0", "chaostoolkit-addons==0.11.0", "setuptools<81")
_WATCHED_SECONDS = 60.0
_LATENCY = 900
_TOXIC = "slow"
_BREACHED = "guard is breached"
_QUICK = {"measure": "latency", "tolerance": {"range": [None, 500]}}


@dataclass(frozen=True, slots=True)
class Left:
    """What was left after one mishap."""

    mishap: str
    status: str
    toxics: int  # in the server after a minute, or when they were gone
    seconds: float | None  # from the mishap until nothing was left; None: never within a minute
    reason: str = ""  # what the run itself says of its verdict


@dataclass(frozen=True)
class Server:
    """A Toxiproxy with one proxy in front of a server that answers at once."""

    api: str
    url: str

    def toxics(self) -> list[str]:
        """Names of what is in the proxy."""
        answer = httpx.get(f"{self.api}/proxies/pay/toxics", trust_env=False).raise_for_status()
        return [str(toxic["name"]) for toxic in answer.json()]

    def clear(self) -> None:
        httpx.post(f"{self.api}/reset", trust_env=False).raise_for_status()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("theirs", "ours"))
    parser.add_argument("--rounds", type=int, default=20, help="of our guard's breach, for its p95")
    options = parser.parse_args()
    found: dict[str, list[Left]] = {}
    with tempfile.TemporaryDirectory(prefix="crosswind-peer-") as folder:
        if options.only != "ours":
            with toxiproxy(Path(folder)) as server:
                found["Chaos Toolkit"] = theirs(server, Path(folder))
        if options.only != "theirs":
            found["Crosswind"] = ours(Path(folder), rounds=options.rounds)
    if options.json:
        told: dict[str, Any] = {
            name: [dataclasses.asdict(each) for each in rows] for name, rows in found.items()
        }
        print(json.dumps(told | {"guard is breached": undone(found.get("Crosswind", []))}, indent=2))
        return
    print(f"{'':<15}{'mishap':<24}{'status':<24}{'left':<6}gone after")
    for name, rows in found.items():
        for each in rows:
            gone = (
                f"{each.seconds:.1f} s" if each.seconds is not None else f"never in {_WATCHED_SECONDS:.0f} s"
            )
            print(f"{name:<15}{each.mishap:<24}{each.status:<24}{each.toxics:<6}{gone}")
    for name, figure in undone(found.get("Crosswind", [])).items():
        print(f"{name:<48}{figure}")


def undone(rows: Sequence[Left]) -> dict[str, Any]:
    """From the breaching sample to the proven removal. A run without a breach measured nothing, and says why."""
    rounds = [each for each in rows if each.mishap == _BREACHED]
    seconds = sorted(each.seconds for each in rounds if each.seconds is not None)
    if not seconds:
        return {}
    return {
        "rounds": len(rounds),
        "p50 seconds": seconds[len(seconds) // 2],
        "p95 seconds": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        "longest seconds": seconds[-1],
        "toxics left": sum(each.toxics for each in rounds),
        "rounds without a breach": [each.reason or each.status for each in rounds if each.seconds is None],
    }


@contextmanager
def toxiproxy(folder: Path) -> Iterator[Server]:
    """A server of our own, and what it stands before."""
    port, proxied = free_ports(2)
    process = start_toxiproxy(ensure_toxiproxy(print), port=port, log=folder / "toxiproxy.log")
    api = f"http://127.0.0.1:{port}"
    try:
        with upstream() as behind:
            add_proxy(api, listen=proxied, upstream=behind)
            yield Server(api, f"http://127.0.0.1:{proxied}/")
    finally:
        stop(process, grace_seconds=2)


@contextmanager
def upstream() -> Iterator[int]:
    """The port of a server that answers at once."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def add_proxy(api: str, *, listen: int, upstream: int) -> None:
    """The proxy `pay`."""
    proxy = {"name": "pay", "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{upstream}"}
    httpx.post(f"{api}/proxies", json=proxy, trust_env=False).raise_for_status()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that http.server gives
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name that http.server gives
        """Be silent."""


# --- theirs -------------------------------------------------------------------------------------------------------


def theirs(server: Server, folder: Path) -> list[Left]:
    """The Chaos Toolkit through the three mishaps."""
    chaos = ensure_chaos_toolkit()
    return [
        _mishap(server, "hypothesis deviates", lambda: _run(chaos, _experiment(server, pause=0), folder)),
        _mishap(
            server,
            "safeguard trips",
            lambda: _run(chaos, _experiment(server, pause=20, guarded=True), folder),
        ),
        _mishap(
            server,
            "process killed -9",
            lambda: _run(chaos, _experiment(server, pause=20), folder, kill_when=server.toxics),
        ),
    ]


def ensure_chaos_toolkit() -> Path:
    """Its command, installed once into the user's cache."""
    folder = cache_folder() / f"chaostoolkit-{_PACKAGES[0].partition('==')[2]}-py{sys.version_info.minor}"
    install_once(folder, _install)
    return folder / "bin" / "chaos"


def _install(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *_PACKAGES]
    subprocess.run(pip, check=True, timeout=300)


def _mishap(server: Server, name: str, run: Callable[[], str]) -> Left:
    server.clear()
    status = run()
    began = time.monotonic()
    while (left := server.toxics()) and time.monotonic() - began < _WATCHED_SECONDS:
        time.sleep(0.2)
    seconds = None if left else time.monotonic() - began
    server.clear()
    return Left(name, status, len(left), seconds)


def _run(
    chaos: Path, experiment: dict[str, Any], folder: Path, *, kill_when: Callable[[], list[str]] | None = None
) -> str:
    """One run; its journal's status, or how it was ended."""
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "experiment.json").write_text(json.dumps(experiment), encoding="utf-8")
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            [str(chaos), "--log-file", "log", "run", "experiment.json"],
            cwd=place,
            stdout=output,
            stderr=output,
            env={**os.environ, "NO_COLOR": "1", "HOME": str(place)},
        )
        if kill_when is not None:
            while not kill_when() and process.poll() is None:
                time.sleep(0.1)
            process.send_signal(signal.SIGKILL)
        process.wait(timeout=120)
    journal = place / "journal.json"
    if not journal.exists():
        return "killed" if kill_when else "no journal"
    document = json.loads(journal.read_text(encoding="utf-8"))
    shutil.rmtree(place)
    return f"{document['status']}{', deviated' if document.get('deviated') else ''}"


def _experiment(server: Server, *, pause: float, guarded: bool = False) -> dict[str, Any]:
    """Latency goes in, the answer has to come within half a second, and a rollback takes the latency out."""
    probe = {
        "type": "probe",
        "name": "answers-quickly",
        "tolerance": 200,
        "provider": {"type": "http", "url": server.url, "timeout": 0.5},
    }
    toxics = f"{server.api}/proxies/pay/toxics"
    inject = {
        "type": "action",
        "name": "add-latency",
        "provider": {
            "type": "http",
            "url": toxics,
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "arguments": {"name": _TOXIC, "type": "latency", "attributes": {"latency": _LATENCY}},
        },
        "pauses": {"after": pause},
    }
    undo = {
        "type": "action",
        "name": "remove-latency",
        "provider": {"type": "http", "url": f"{toxics}/{_TOXIC}", "method": "DELETE"},
    }
    experiment: dict[str, Any] = {
        "title": "a slow payment is borne",
        "description": "side by side",
        "steady-state-hypothesis": {"title": "answers quickly", "probes": [probe]},
        "method": [inject],
        "rollbacks": [undo],
    }
    if guarded:
        watched = {**probe, "name": "guard", "background": True, "frequency": 1}
        experiment["controls"] = [
            {
                "name": "safeguards",
                "provider": {
                    "type": "python",
                    "module": "chaosaddons.controls.safeguards",
                    "arguments": {"probes": [watched]},
                },
            }
        ]
    return experiment


# --- ours ---------------------------------------------------------------------------------------------------------


def ours(folder: Path, *, rounds: int) -> list[Left]:
    """Crosswind through the three mishaps, on an embedded cloud of its own with its own Toxiproxy."""
    port, emulator_port = free_ports(2)
    cloud = Cloud(home=Home(folder / "home"), port=port, emulator_port=emulator_port)
    try:
        cloud.up()
        with upstream() as behind:
            proxied = free_ports(1)[0]
            server = Server(cloud.state.toxiproxy_url, f"http://127.0.0.1:{proxied}/")
            add_proxy(server.api, listen=proxied, upstream=behind)
            experiments = Experiments(cloud)
            found = [_deviates(experiments, server)]
            found += [_breaches(experiments, server, number) for number in range(rounds)]
            found.append(_loses_its_monitor(experiments, server))
    finally:
        cloud.crosswind("reset", "--yes")
    return found


def _slow(server: Server, *, latency: int, seconds: int) -> dict[str, Any]:
    """Latency at the proxy, and a hypothesis that it answers within half a second."""
    fault = {
        "provider": "toxiproxy",
        "action": "latency",
        "target": {"names": ["pay"]},
        "parameters": {"latency": latency},
        "duration": f"{seconds}s",
    }
    probe = {"name": "answers", "type": "http", "url": server.url, "timeout": "1s", **_QUICK}
    hypothesis = {"title": "a slow payment is borne", "probes": [probe]}
    return {"fault": fault, "hypothesis": hypothesis}


def _deviates(experiments: Experiments, server: Server) -> Left:
    """The probe deviates and no guard ends the run: the fault goes when its step is over."""
    run = experiments.start(document("deviates", server.url, **_slow(server, latency=_LATENCY, seconds=4)))
    view = experiments.ended(run)
    return _left("hypothesis deviates", view, server, view["timings"].get("injected"))


def _breaches(experiments: Experiments, server: Server, number: int) -> Left:
    watched = guard(server.url, **_QUICK)
    spec = _slow(server, latency=_LATENCY, seconds=60)
    run = experiments.start(document(f"breaches-{number}", server.url, abortOn=watched, **spec))
    view = experiments.ended(run)
    return _left(_BREACHED, view, server, view["timings"].get("toAbort"))


def _loses_its_monitor(experiments: Experiments, server: Server) -> Left:
    run = experiments.start(document("silent", server.url, **_slow(server, latency=1, seconds=120)))
    experiments.in_state(run, "Monitoring")
    assert server.toxics()
    for runner in psutil.Process(experiments.cloud.state.processes["pool"].pid).children():
        runner.kill()
    killed = time.monotonic()
    while server.toxics() and time.monotonic() - killed < 2 * _WATCHED_SECONDS:
        time.sleep(0.1)
    seconds = time.monotonic() - killed
    return _left("monitor killed -9", experiments.ended(run), server, seconds)


def _left(mishap: str, view: dict[str, Any], server: Server, seconds: float | None) -> Left:
    status = f"{view['state']}, {view.get('verdict')}"
    return Left(mishap, status, len(server.toxics()), seconds, reason=view.get("reason") or "")


if __name__ == "__main__":
    main()
