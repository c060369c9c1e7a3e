"""A Toxiproxy server on this machine: one that is installed, or one that Go builds once into the user's cache."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx

from crosswind.local.home import LOOPBACK, LocalError, ProcessRef, cache_folder
from crosswind.local.processes import scrubbed_environment, start_detached, wait_until
from crosswind.local.tools import install_once

VERSION = "2.12.0"
NAME = "toxiproxy"
DEFAULT_PORT = 8474
_MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
_BUILD_SECONDS = 300
_START_SECONDS = 10


def find_toxiproxy() -> Path | None:
    """The server, where one is installed or was built before."""
    installed = shutil.which("toxiproxy-server")
    if installed:
        return Path(installed)
    built = _folder() / "server"
    return built if (_folder() / "complete").exists() else None


def ensure_toxiproxy(report: Callable[[str], None]) -> Path:
    """The server, built where it is missing. Raises LocalError where there is neither one nor Go."""
    found = find_toxiproxy()
    if found:
        return found
    go = shutil.which("go")
    if go is None:
        raise LocalError(
            "Toxiproxy was not found, and no Go to build it: install toxiproxy-server or Go 1.23 or later"
        )
    report(f"building Toxiproxy {VERSION}")
    install_once(_folder(), lambda folder: _build(go, folder))
    return _folder() / "server"


def start_toxiproxy(binary: Path, *, port: int, log: Path) -> ProcessRef:
    """Start it on loopback and wait until it answers. Raises LocalError."""
    process = start_detached([str(binary), "-host", LOOPBACK, "-port", str(port)], log=log, environ={})
    wait_until(lambda: answers(port), seconds=_START_SECONDS, what="Toxiproxy", ref=process)
    return process


def answers(port: int) -> bool:
    """Whether a Toxiproxy is there."""
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/version", timeout=1, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _folder() -> Path:
    return cache_folder() / f"toxiproxy-{VERSION}"


def _build(go: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            [go, "install", _MODULE],
            env=scrubbed_environment({"GOBIN": str(folder), "GOFLAGS": "-mod=mod"}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LocalError(f"Toxiproxy was not built within {_BUILD_SECONDS} s") from error
    if done.returncode:
        raise LocalError(f"Toxiproxy could not be built: {done.stderr.strip()[-500:]}")
