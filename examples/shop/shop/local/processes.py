"""Starts, recognises and ends processes. A process is known by its number and the time of its start, never by its name."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shop.kit.web import LOOPBACK

START_TOLERANCE = 2.0
"""Seconds by which two readings of one start may differ: on Linux it is told from the machine's boot, which is rounded, and moves with the clock."""
_PORTS = range(
    20_000, 32_000
)  # below those that systems give to outgoing connections, so that a restart finds its port free
_LOG_LIMIT_BYTES = 20 * 1024 * 1024


def spawn(command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> int:
    """Start a process with exactly this environment, in a session of its own. Its output is appended to `log`."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # no shell; the command is the registry's, which only its owner may write
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    return process.pid


def start_time(pid: int) -> float:
    """When a process started, in seconds since 1970, as psutil tells it. Raises ProcessLookupError; a zombie has ended."""
    if not sys.platform.startswith("linux"):
        return _start_time_by_psutil(pid)
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError as error:
        raise ProcessLookupError(pid) from error
    # The name, in parentheses, may hold anything; behind it come the state (field 3) and, 19 words on, the start (field 22).
    words = line.rpartition(b")")[2].split()
    if words[0] in (b"Z", b"X"):
        raise ProcessLookupError(pid)
    return int(words[19]) / os.sysconf("SC_CLK_TCK") + _boot_time()


def is_running(pid: int, started_at: float) -> bool:
    """Whether the very process that was started is still there. A frozen one is."""
    try:
        return abs(start_time(pid) - started_at) <= START_TOLERANCE
    except ProcessLookupError:
        return False


def end(pid: int, started_at: float, *, grace_seconds: float) -> bool:
    """Ask a process to end, then insist. A frozen one is woken to be asked. False: it was not there any more."""
    if not is_running(pid, started_at):
        return False
    for each in (signal.SIGTERM, signal.SIGCONT):
        _send(pid, each)
    if not _ended(pid, started_at, seconds=grace_seconds):
        _send(pid, signal.SIGKILL)
        _ended(pid, started_at, seconds=5)
    return True


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now, in no order, so that two shops seldom try the same."""
    free: list[int] = []
    for port in random.sample(_PORTS, k=len(_PORTS)):
        if len(free) == count:
            break
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((LOOPBACK, port))
                free.append(port)
    return free


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ended(pid: int, started_at: float, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid, started_at):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise OSError("/proc/stat does not tell when the machine started")


def _start_time_by_psutil(pid: int) -> float:
    import psutil  # noqa: PLC0415  # needed outside Linux only

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ProcessLookupError(pid)
        return float(process.create_time())
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(pid) from error
