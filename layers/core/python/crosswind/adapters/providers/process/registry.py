"""The registry file of a local application: which processes are its services, and how each is started again.

`<home>/<application>/application.json` is written by whoever starts the application (`examples/shop` does). Only what
stands there can be hit, and only while the process is the one that was started: number and start time have to fit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from crosswind.kernel.errors import DependencyError, InvalidInputError

FILE_NAME = "application.json"
_MAX_BYTES = 1024 * 1024
_START_TOLERANCE = (
    2.0  # seconds: two readings of one start time may differ, for the boot's time may be set anew
)


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the application."""

    name: str
    pid: int
    started: float  # seconds since 1970, as psutil tells it
    url: str
    command: tuple[str, ...]
    folder: str
    log: str
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def read_registry(home: Path, application: str) -> Mapping[str, Service]:
    """Its services by name.

    Raises:
        InvalidInputError: There is no such application.
        DependencyError: The file cannot be read.
    """
    path = home / application / FILE_NAME
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DependencyError(f"{path} is too large")
        document = json.loads(path.read_text(encoding="utf-8"))
        services = {name: _service(name, entry) for name, entry in document["services"].items()}
    except FileNotFoundError as error:
        raise InvalidInputError(f"no application {application!r} runs here") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DependencyError(f"the registry of {application!r} cannot be read: {error}") from error
    return services


def process_of(pid: int, started: float) -> psutil.Process | None:
    """The process, if it is the very one and still runs; stopped ones (SIGSTOP) run, too."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _START_TOLERANCE:
            return None
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def rewrite(home: Path, application: str, name: str, *, pid: int, started: float) -> None:
    """Put a service's new process into the registry, in one replacement of the file."""
    path = home / application / FILE_NAME
    document = json.loads(path.read_text(encoding="utf-8"))
    document["services"][name] |= {"pid": pid, "startedAt": started}
    written = path.with_suffix(".new")
    written.unlink(missing_ok=True)
    written.touch(mode=0o600)  # it may hold the services' credentials
    written.write_text(json.dumps(document, indent=2), encoding="utf-8")
    written.replace(path)


def _service(name: str, entry: Mapping[str, Any]) -> Service:
    return Service(
        name=name,
        pid=int(entry["pid"]),
        started=float(entry["startedAt"]),
        url=str(entry["url"]),
        command=tuple(str(part) for part in entry["command"]),
        folder=str(entry["cwd"]),
        log=str(entry["logFile"]),
        env={str(key): str(value) for key, value in entry.get("env", {}).items()},
        labels={str(key): str(value) for key, value in entry.get("labels", {}).items()},
    )
