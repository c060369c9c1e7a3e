"""The example shop as four services on this machine, for the chaos demo: started, mended, looked at, ended."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from crosswind.cli.errors import CliError
from crosswind.local.processes import free_ports, port_is_free

ORDER_PORT = 8001
"""Where the documents in examples/experiments look for `order`."""

FIX = "SHOP_PAYMENT_TIMEOUT=0.5"
_COMMAND_SECONDS = 60
_ASK_SECONDS = 5


@dataclass(frozen=True)
class Shop:
    """One shop: its code, the folder with its registry, where its orders are taken, and its Toxiproxy, or ""."""

    code: Path
    home: Path
    port: int
    toxiproxy: str

    def mend(self) -> None:
        """Start `order` again with the fix."""
        self._command("restart", "order", "--set", FIX)

    def left_injected(self) -> list[str]:
        """What the operating system and Toxiproxy themselves say is still broken, as sentences."""
        return [*self._stopped(), *self._toxics()]

    def start(self) -> None:
        """Start all services."""
        options = ["--order-port", str(self.port)]
        self._command("up", *options, *(["--toxiproxy", self.toxiproxy] if self.toxiproxy else []))

    def end(self) -> None:
        """End what was started, and nothing else."""
        self._command("down")

    def _stopped(self) -> Iterator[str]:
        registry = json.loads((self.home / "application.json").read_text(encoding="utf-8"))
        for name, service in registry["services"].items():
            try:
                status = psutil.Process(service["pid"]).status()
            except psutil.NoSuchProcess:
                yield f"{name} has ended"
                continue
            if status == psutil.STATUS_STOPPED:
                yield f"{name} is frozen"

    def _toxics(self) -> Iterator[str]:
        if not self.toxiproxy:
            return
        proxies: dict[str, Any] = httpx.get(f"{self.toxiproxy}/proxies", timeout=_ASK_SECONDS).json()
        for name, proxy in proxies.items():
            yield from (f"{toxic['name']} is in {name}" for toxic in proxy["toxics"])
            if not proxy["enabled"]:
                yield f"{name} is disabled"

    def _command(self, *words: str) -> None:
        """Raises CliError with what the shop said."""
        done = subprocess.run(  # noqa: S603  # this interpreter, on the example of this checkout
            [sys.executable, "-m", "shop.local", *words, "--home", str(self.home)],
            cwd=self.code,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise CliError(
                f"the shop could not be brought {words[0]}: {(done.stderr or done.stdout).strip()}"
            )


@contextmanager
def running_shop(code: Path, home: Path, *, toxiproxy: str) -> Iterator[Shop]:
    """A fresh shop; one that an earlier demo left behind is ended first. Ended in any case."""
    port = ORDER_PORT if port_is_free(ORDER_PORT) else free_ports(1)[0]
    shop = Shop(code=code, home=home, port=port, toxiproxy=toxiproxy)
    shop.end()
    try:
        shop.start()
        yield shop
    finally:
        shop.end()
