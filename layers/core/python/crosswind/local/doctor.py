"""Checks what this machine has of what the embedded cloud needs, and says how to get the rest."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from crosswind.local import processes
from crosswind.local.cloud import DEFAULT_EMULATOR_PORT, DEFAULT_PORT
from crosswind.local.home import Home, LocalError, cache_folder, source_root

NODE_MAJOR = 20
FREE_DISK_BYTES = 2 * 1024**3
MEMORY_BYTES = 2 * 1024**3
_PYTHON = (3, 11)
_GIGA = 1024**3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check. A finding that is not ok and not required is advice."""

    name: str
    ok: bool
    detail: str
    required: bool = True
    remedy: str | None = None


def examine(home: Home) -> list[Finding]:
    """Every check, in the order that a person would mend them."""
    return [
        _python(),
        _node(),
        _command("npm", remedy="it comes with Node.js"),
        _command("git", remedy="install it with the system's package manager"),
        _source(),
        *_ports(home),
        _disk(home),
        _memory(),
        _writable("data directory", home.path),
        _writable("cache", cache_folder()),
    ]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        name="python", ok=sys.version_info >= _PYTHON, detail=version, remedy="install Python 3.11 or later"
    )


def _node() -> Finding:
    remedy = f"install Node.js {NODE_MAJOR} or later; the CDK CLI runs on it"
    said = _output("node", "--version")
    if said is None:
        return Finding(name="node", ok=False, detail="not found", remedy=remedy)
    major = said.removeprefix("v").split(".")[0]
    return Finding(name="node", ok=major.isdecimal() and int(major) >= NODE_MAJOR, detail=said, remedy=remedy)


def _command(name: str, *, remedy: str) -> Finding:
    said = _output(name, "--version")
    return Finding(name=name, ok=said is not None, detail=said or "not found", remedy=remedy)


def _source() -> Finding:
    try:
        return Finding(name="checkout", ok=True, detail=str(source_root()))
    except LocalError as error:
        return Finding(name="checkout", ok=False, detail="not found", remedy=str(error))


def _ports(home: Home) -> Iterator[Finding]:
    state = home.load()
    wanted = (
        ("gateway", state.port if state else DEFAULT_PORT, "--port"),
        ("emulator", state.emulator_port if state else DEFAULT_EMULATOR_PORT, "--emulator-port"),
    )
    for name, port, option in wanted:
        if state and processes.find(state.processes.get(name)):
            yield Finding(name=f"port {port}", ok=True, detail=f"in use by our {name}")
            continue
        free = processes.port_is_free(port)
        detail = "free" if free else f"taken by {processes.port_holder(port)}"
        yield Finding(name=f"port {port}", ok=free, detail=detail, remedy=f"crosswind up {option} N")


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(_nearest(home.path)).free
    return Finding(
        name="disk",
        ok=free >= FREE_DISK_BYTES,
        detail=f"{free / _GIGA:.1f} GiB free",
        remedy=f"free {FREE_DISK_BYTES // _GIGA} GiB, or set CROSSWIND_HOME to another disk",
    )


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    return Finding(
        name="memory",
        ok=available >= MEMORY_BYTES,
        detail=f"{available / _GIGA:.1f} GiB available",
        required=False,
        remedy="close something, or use fewer runners: crosswind up --runners 1",
    )


def _writable(name: str, path: Path) -> Finding:
    return Finding(
        name=name,
        ok=os.access(_nearest(path), os.W_OK | os.X_OK),
        detail=str(path),
        remedy="make it writable, or set CROSSWIND_HOME (data) or XDG_CACHE_HOME (cache)",
    )


def _nearest(path: Path) -> Path:
    """The path itself, or the first of its parents that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _output(*command: str) -> str | None:
    found = shutil.which(command[0])
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip().splitlines()[0] if done.returncode == 0 else None
