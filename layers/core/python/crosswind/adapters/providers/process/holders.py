"""The processes that hold faults, found again by their command lines, and how it is known that a process has ended."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psutil

from crosswind.chaos.model import Injection

HOLDER = "crosswind.adapters.providers.process.holder"
_ENDED = frozenset({psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """A running holder, as its command line tells."""

    marker: str
    service: str
    pid: int  # of the process that it holds
    process: psutil.Process


def _every_one() -> Iterator[Holder]:
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if HOLDER in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            marker, service, order = line[line.index(HOLDER) + 1 :][:3]
            yield Holder(marker, service, int(json.loads(order)["pid"]), process)


def holders_of(injection: Injection) -> Mapping[str, psutil.Process]:
    """Running holders of this injection, by their target."""
    return {each.service: each.process for each in _every_one() if each.marker == injection.marker}


def held_by_others(injection: Injection) -> frozenset[int]:
    """Processes that another injection holds: what they show is not ours to undo."""
    return frozenset(each.pid for each in _every_one() if each.marker != injection.marker)


def wait_until_ended(processes: Iterable[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Those that still run. One that nobody has reaped, as of a worker that injected and lives on, has ended."""
    deadline = time.monotonic() + seconds
    while True:
        alive = [each for each in processes if status_of(each) not in _ENDED]
        if not alive or time.monotonic() >= deadline:
            return alive
        time.sleep(_LOOK_SECONDS)


def status_of(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD
