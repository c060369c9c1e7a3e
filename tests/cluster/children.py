"""Processes of a cluster: each in a session of its own, with its output in a file, and gone when the tests' process is.

They are started by a thread that lives as long as the interpreter: Linux takes the thread that started a process for
its parent, and tells the children when that ends, also when the tests were killed -9.
"""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from crosswind.local import processes
from crosswind.local.home import ProcessRef

_MIB = 1024 * 1024
_COLLECT_SECONDS = 3


@cache
def _starter() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="cluster-starter")


def start_child(command: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None) -> ProcessRef:
    """Start a process that ends when this one does. Its number is that of the command: what is put before it is exec'd."""
    setpriv = shutil.which("setpriv")
    watched = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
    environ = processes.scrubbed_environment(environ or {}, drop=("AWS_", "CROSSWIND_", "KUBE"))
    return (
        _starter().submit(processes.start_detached, [*watched, *command], log=log, environ=environ).result()
    )


def end_child(ref: ProcessRef | None, *, grace_seconds: float = 1) -> None:
    """End a process, and wait until it is gone. A stopped one (SIGSTOP) is ended, too."""
    process = processes.find(ref)
    if process is not None and process.status() == psutil.STATUS_STOPPED:
        process.resume()
    processes.stop(ref, grace_seconds=grace_seconds)
    if ref is not None:
        _collect(ref.pid)


def _collect(pid: int) -> None:
    """Ask for a process's end, so that it does not stay as a zombie; its threads may take a moment to go."""
    deadline = time.monotonic() + _COLLECT_SECONDS
    with suppress(ChildProcessError):  # it was asked for already
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)


def tail(log: Path, lines: int = 15) -> str:
    """The last words of a process."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def usage(ref: ProcessRef) -> dict[str, float]:
    """What a process took so far: CPU seconds, and MiB of memory now and at most."""
    process = processes.find(ref)
    if process is None:
        return {"cpu_seconds": 0.0, "mib": 0.0, "peak_mib": 0.0}
    times = process.cpu_times()
    peak = 0.0
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            peak = int(line.split()[1]) / 1024
    return {
        "cpu_seconds": times.user + times.system,
        "mib": process.memory_info().rss / _MIB,
        "peak_mib": peak,
    }
