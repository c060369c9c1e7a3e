"""What a real node changes on the machine, and how it is put back: also after its tests were killed.

Each node writes down who it is and what it found. The next one cleans up after those that are dead; so does
`python -m tests.cluster.leftovers`.
"""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from crosswind.local import processes
from crosswind.local.home import ProcessRef

# The kubelet sets them at its start, and has no option not to.
_SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
_SETTINGS = Path("/proc/sys")
_CGROUPS = Path("/sys/fs/cgroup")
_PREFIX = "cw-node-"
_RECORD = "node.json"


def new_folder() -> Path:
    """A node's folder, with a record of what is changed now and put back in the end. Its path is short: sockets need that."""
    with _lock():
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # What a node beside this one has changed is not how the machine was.
        found = next((each["sysctls"] for each in _living()), {name: _read(name) for name in _SYSCTLS})
        record = {"owner": asdict(processes.ref_of(os.getpid())), "sysctls": found}
        (folder / _RECORD).write_text(json.dumps(record), encoding="utf-8")
    for group in _cgroup_folders(folder.name):
        _make_cgroup(group)
    return folder


def put_back(folder: Path) -> None:
    """End what is left of a node's containers, and put everything back. Raises ValueError for what is no node's folder."""
    if not folder.name.startswith(_PREFIX):
        raise ValueError(f"{folder} is no folder of a node")  # its name chooses which processes are killed
    _end_cgroup(folder.name)
    _end_shims(folder)
    with _lock():
        record = _record(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if record and not _living():  # the last one does it
            _restore(record["sysctls"])


def sweep() -> list[Path]:
    """Put back what nodes left behind whose tests are dead; their folders."""
    dead = [folder for folder, record in _records() if not _lives(record)]
    for folder in dead:
        put_back(folder)
    return dead


def _records() -> list[tuple[Path, dict[str, Any]]]:
    folders = Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")
    return [(folder, record) for folder in folders if (record := _record(folder))]


def _record(folder: Path) -> dict[str, Any]:
    """What a node wrote down; empty where it cannot be read: it is another user's."""
    try:
        record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record


def _living() -> list[dict[str, Any]]:
    return [record for _, record in _records() if _lives(record)]


def _lives(record: Mapping[str, Any]) -> bool:
    return processes.find(ProcessRef(**record["owner"])) is not None


def _lock() -> FileLock:
    return FileLock(Path(tempfile.gettempdir(), "cw-nodes.lock"))


def _cgroup_folders(name: str) -> list[Path]:
    """The group in each hierarchy: the one of cgroup v2, or one for each controller of v1 (and v2's beside them)."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS / name]
    return sorted({each.resolve() / name for each in _CGROUPS.iterdir() if each.is_dir()})


def _end_cgroup(name: str) -> None:
    """Kill what is left in a node's groups, and remove them."""
    for folder in _cgroup_folders(name):
        for _ in range(20):
            members = [
                int(line) for each in folder.rglob("cgroup.procs") for line in each.read_text().split()
            ]
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not members:
                break
            time.sleep(0.1)
        inner = sorted((each for each in folder.rglob("*") if each.is_dir()), reverse=True)
        for each in [*inner, folder]:
            with suppress(OSError):
                each.rmdir()


def _make_cgroup(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):  # in v1 a new group has neither, and takes no process
        if folder.parent.name == "cpuset" and (folder / name).exists():
            (folder / name).write_text((folder.parent / name).read_text(encoding="ascii"), encoding="ascii")


def _end_shims(folder: Path) -> None:
    """containerd's helpers outlive it; they are known by the socket of their containerd."""
    socket = str(folder / "containerd.sock")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if socket in process.cmdline():
                process.kill()


def _read(name: str) -> str:
    return (_SETTINGS / name).read_text(encoding="ascii").strip()


def _restore(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        (_SETTINGS / name).write_text(value, encoding="ascii")


if __name__ == "__main__":
    for found in sweep():
        print(f"put back what {found} had left")
