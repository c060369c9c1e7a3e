"""The registry of a shop that was started: which processes it has, and how to start each again.

Written by `up` and `restart`, read by whoever wants to know the shop or to break it.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

APPLICATION = "shop"
DEFAULT_HOME = Path(".shop")
_FILE = "application.json"
_LOCK = "starting.lock"  # the same that Crosswind takes when it starts a service again


@dataclass(frozen=True, slots=True)
class Process:
    """A service as a process. `env` is its whole environment; it inherits nothing."""

    pid: int
    started_at: float
    port: int
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    log_file: str
    labels: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where it answers, past any proxy."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read an entry of the registry."""
        return cls(
            pid=document["pid"],
            started_at=document["startedAt"],
            port=document["port"],
            command=document["command"],
            env=document["env"],
            cwd=document["cwd"],
            log_file=document["logFile"],
            labels=document["labels"],
        )

    def to_document(self) -> dict[str, Any]:
        """Write an entry of the registry."""
        return {
            "pid": self.pid,
            "startedAt": self.started_at,
            "url": self.url,
            "port": self.port,
            "command": list(self.command),
            "env": dict(self.env),
            "cwd": self.cwd,
            "logFile": self.log_file,
            "labels": dict(self.labels),
        }


@dataclass(frozen=True, slots=True)
class Proxy:
    """A connection from one to another that leads through Toxiproxy, under this name there."""

    listen: str
    upstream: str

    @property
    def url(self) -> str:
        """What the caller calls."""
        return f"http://{self.listen}"


@dataclass(frozen=True, slots=True)
class Registry:
    """All that `up` started."""

    started_at: str
    services: Mapping[str, Process]
    proxies: Mapping[str, Proxy]
    toxiproxy: str | None = None

    def with_service(self, name: str, process: Process) -> "Registry":
        """The registry with one entry replaced."""
        return replace(self, services={**self.services, name: process})


class Home:
    """The folder of a shop: registry, logs, records."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @property
    def file(self) -> Path:
        """The registry file."""
        return self.path / _FILE

    @property
    def logs(self) -> Path:
        """One file per service."""
        return self.path / "logs"

    @property
    def data(self) -> Path:
        """The services' records."""
        return self.path / "data"

    def create(self) -> None:
        """Make the folder, closed to other users."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True)
        self.data.mkdir(exist_ok=True)

    def load(self) -> Registry | None:
        """Read the registry; None when no shop was started here."""
        try:
            document = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Registry(
            started_at=document["startedAt"],
            services={name: Process.from_document(each) for name, each in document["services"].items()},
            proxies={
                name: Proxy(each["listen"], each["upstream"]) for name, each in document["proxies"].items()
            },
            toxiproxy=document["toxiproxy"],
        )

    def save(self, registry: Registry) -> None:
        """Write the registry in one step, readable by its owner only: it may hold credentials."""
        document = {
            "application": APPLICATION,
            "startedAt": registry.started_at,
            "toxiproxy": registry.toxiproxy,
            "services": {name: each.to_document() for name, each in registry.services.items()},
            "proxies": {
                name: {"listen": each.listen, "upstream": each.upstream, "url": each.url}
                for name, each in registry.proxies.items()
            },
        }
        staged = self.file.with_name(f"{_FILE}.{os.getpid()}.new")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(json.dumps(document, indent=2) + "\n")
        staged.replace(self.file)

    def forget(self) -> None:
        """Remove the registry; logs and records stay."""
        self.file.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the shop against whoever else would change it."""
        self.create()
        with (self.path / _LOCK).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
