"""A shop that runs, seen from outside: its commands, its registry, its HTTP, and a slow line to put between services."""

import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from typing import Any

import httpx
import psutil

SHOP = Path(__file__).parents[2] / "examples" / "shop"
CARD = "4242424242424242"
_COMMAND_SECONDS = 60


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the shop's folder, with nothing of this machine's settings for the shop or for AWS."""
    scrubbed = {
        key: value for key, value in os.environ.items() if not key.startswith(("SHOP_", "AWS_", "PYTEST_"))
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=SHOP,
        env=scrubbed,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )


@dataclass
class Shop:
    """One shop, in a folder of its own."""

    home: Path
    original: dict[str, str] = field(default_factory=dict)

    def local(self, *words: str) -> dict[str, Any]:
        """A command of `shop.local` that has to work; its JSON."""
        done = python("-m", "shop.local", *words, "--home", str(self.home), "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def steady_load(self) -> dict[str, Any]:
        """The figures of a load that was steady: a busy machine may spoil one look or two, hardly three."""
        for _ in range(2):
            summary = self.load()
            if summary["steady"]:
                return summary
        return self.load()

    def load(self, *, rate: float = 50, seconds: float = 0.8, timeout: float = 2) -> dict[str, Any]:
        """Steady orders; the summary."""
        options = ("--rate", str(rate), "--seconds", str(seconds), "--timeout", str(timeout))
        done = python("-m", "shop.load", *options, "--home", str(self.home), "--json")
        assert done.returncode == 0, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    @property
    def registry(self) -> dict[str, Any]:
        """The registry file."""
        document: dict[str, Any] = json.loads((self.home / "application.json").read_text(encoding="utf-8"))
        return document

    def service(self, name: str) -> dict[str, Any]:
        """A service's entry."""
        entry: dict[str, Any] = self.registry["services"][name]
        return entry

    def ask(self, name: str, method: str, path: str, *, body: Any = None) -> httpx.Response:
        """A request to a service, past any proxy."""
        url = f"{self.service(name)['url']}{path}"
        return httpx.request(method, url, json=body, timeout=5, trust_env=False)

    def buy(self) -> dict[str, Any]:
        """Place an order that has to be accepted."""
        answer = self.ask("order", "POST", "/orders", body={"items": {"mug": 1}, "card": CARD})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        order: dict[str, Any] = answer.json()
        return order

    def state(self, order_id: str) -> str:
        """Where an order is."""
        return str(self.ask("order", "GET", f"/orders/{order_id}").json()["state"])

    def metric(self, name: str, metric: str, **labels: str) -> float:
        """The sum of a metric's values that have these labels."""
        text = self.ask(name, "GET", "/metrics").text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in text.splitlines() if line.startswith(metric + "{")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(each in line for each in wanted))

    def set(self, **switches: str) -> None:
        """Start the order service again as `up` started it, but for these switches."""
        before = self.service("order")["env"]
        self.original = self.original or before
        after = self.original | switches
        if before != after:
            changes = {key: after.get(key, "") for key in before | after}
            self.local("restart", "order", *(f"--set={key}={value}" for key, value in changes.items()))

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """SIGSTOP a service, and SIGCONT it in the end."""
        pid = int(self.service(name)["pid"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def until(ready: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and was not collected is none."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def slow_line(entry: Mapping[str, Any], *, seconds: float) -> Iterator[str]:
    """An address that leads to a service, whose answers come later: as Toxiproxy's latency, for where there is none."""

    class Line(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with create_connection(("127.0.0.1", entry["port"])) as upstream:
                back = threading.Thread(target=_pump, args=(upstream, self.request, seconds), daemon=True)
                back.start()
                _pump(self.request, upstream, 0)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Line) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _pump(source: socket, sink: socket, delay: float) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            time.sleep(delay)
            sink.sendall(data)
        sink.shutdown(SHUT_WR)
