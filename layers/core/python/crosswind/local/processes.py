"""Starts, recognises and ends the processes of the embedded cloud. Nothing is ever ended by its name."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from crosswind.local.home import LOOPBACK, LocalError, ProcessRef

_START_TOLERANCE = 0.05  # seconds by which two readings of one start time may differ
LOG_LIMIT_BYTES = 20 * 1024 * 1024


def start_detached(
    command: Sequence[str], *, log: Path, environ: Mapping[str, str], folder: Path | None = None
) -> ProcessRef:
    """Start a process in a session of its own, so that it outlives the terminal. Its output is appended to `log`."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            cwd=folder,
            start_new_session=True,
        )
    return ref_of(process.pid)


def ref_of(pid: int) -> ProcessRef:
    """Name a running process. Raises LocalError when it has ended already."""
    boot = _boot_id()
    try:
        return ProcessRef(pid=pid, started=_start_time(pid, boot=boot), boot=boot)
    except psutil.NoSuchProcess as error:
        raise LocalError(f"process {pid} ended as soon as it was started; its log says why") from error


def find(ref: ProcessRef | None) -> psutil.Process | None:
    """The process, if it is the very one that was started and still runs."""
    if ref is None or ref.boot not in ("", _boot_id()):
        return None
    try:
        process = psutil.Process(ref.pid)
        if abs(_start_time(ref.pid, boot=ref.boot) - ref.started) > _START_TOLERANCE:
            return None
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def stop(ref: ProcessRef | None, *, grace_seconds: float) -> bool:
    """Ask the process to end, then insist, on its whole group: also on what is left of it when it was killed before.

    Returns False when nothing of it was there any more.
    """
    process = find(ref)
    if process is None or ref is None:
        return end_group(ref, grace_seconds=grace_seconds) > 0
    process.terminate()
    if not _all_gone([process], seconds=grace_seconds):
        process.kill()
        _all_gone([process], seconds=5)
    end_group(ref)
    return True


def _all_gone(waited: Sequence[psutil.Process], *, seconds: float) -> bool:
    """Wait for processes to end. A zombie has ended: not every first process of a container collects orphans."""
    deadline = time.monotonic() + seconds
    while any(process.is_running() and not _is_zombie(process.pid) for process in waited):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end_group(ref: ProcessRef | None, *, grace_seconds: float = 0) -> int:
    """End what a dead leader left behind in its process group. Returns how many there were.

    The number of a group stays taken while it has members, so members are ours when no other process leads the group
    and they started after our leader did.
    """
    if ref is None or ref.boot not in ("", _boot_id()) or find(ref) is not None:
        return 0
    if psutil.pid_exists(ref.pid) and not _is_zombie(ref.pid):
        return 0  # the number was given to another process, so the group had no members left
    members = [process for process in psutil.process_iter() if _is_member(process, ref)]
    if grace_seconds > 0:
        _signal(members, psutil.Process.terminate)
        _all_gone(members, seconds=grace_seconds)
    _signal(members, psutil.Process.kill)
    _all_gone(members, seconds=5)
    return len(members)


def _signal(members: Sequence[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in members:
        with suppress(psutil.NoSuchProcess):
            action(process)


def _is_member(process: psutil.Process, ref: ProcessRef) -> bool:
    try:
        if os.getpgid(process.pid) != ref.pid or os.getsid(process.pid) != ref.pid:
            return False
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and _start_time(process.pid, boot=ref.boot) >= ref.started - _START_TOLERANCE
    except (OSError, psutil.Error):
        return False


def _start_time(pid: int, *, boot: str) -> float:
    """When a process started, in seconds: from the machine's start, which no step of the clock moves, where `boot` names it.

    Otherwise from 1970, as psutil tells it. Raises psutil.NoSuchProcess.
    """
    if not boot:
        return psutil.Process(pid).create_time()
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    # The name, in parentheses, may hold anything; behind it the start is the twentieth word, the line's field 22.
    return int(line.rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


@cache
def _boot_id() -> str:
    """The name that Linux gives to this start of the machine; empty elsewhere."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def port_is_free(port: int) -> bool:
    """Whether the port can be bound on the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """Say who listens on a port, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another process"
    for connection in connections:
        address = connection.laddr
        listens = connection.status == psutil.CONN_LISTEN and address and address.port == port
        if listens and connection.pid:
            try:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {process.pid})"
            except psutil.Error:
                break
    return "another process"


def free_ports(count: int) -> list[int]:
    """Ports that are free now; for tests that start a cloud of their own."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def scrubbed_environment(
    extra: Mapping[str, str], *, drop: Iterable[str] = ("AWS_", "CROSSWIND_")
) -> dict[str, str]:
    """This process's environment without the given prefixes, and with `extra`: no real AWS account gets in."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(tuple(drop))}
    return {**kept, **extra}


def wait_until(
    ready: Callable[[], bool], *, seconds: float, what: str, ref: ProcessRef | None = None
) -> None:
    """Wait for a condition. Raises LocalError when time is up, or at once when the process behind it has died."""
    deadline = time.monotonic() + seconds
    while not ready():
        if ref is not None and find(ref) is None:
            raise LocalError(f"{what} ended while it was starting; `crosswind logs` shows why")
        if time.monotonic() > deadline:
            raise LocalError(f"{what} was not ready within {seconds:.0f} s; `crosswind logs` shows why")
        time.sleep(0.05)
