"""What commands use of CPU and memory, looked at about once a second: taken where they run, kept where the agent is.

In the tests' container its own accounts tell, also of processes that have ended. Elsewhere the living processes of the
command do, with the children that they have waited for.
"""

import json
import math
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeGuard

from crosswind.contracts.work import FileRef, ResourceUse

INTERVAL_SECONDS = 1.0
LEAST_SECONDS = 0.2  # between two looks: a rate over less is noise
_MOST_OVERHEAD = 0.005  # of a CPU: where a look takes long, as at a large tree of processes, there are fewer
MOST_SAMPLES = 200_000  # of an attempt: more than two days
MOST_POINTS = 600  # of the series
_MIB = 1024 * 1024
_MOST_MILLIS = 4_000_000_000  # what an array's item holds
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Sample:
    """What was used since the look before, and the memory at this one."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    throttled_seconds: float | None = None
    cgroup: bool = False


Sampled = Callable[[Sample], None]


@dataclass(frozen=True, slots=True)
class Totals:
    """Since whenever, as an account tells them."""

    cpu_seconds: float
    memory_bytes: int
    throttled_seconds: float | None = None


class Account(Protocol):
    """Where totals come from."""

    @property
    def cgroup(self) -> bool:
        """Whether it is the container's."""
        ...

    def read(self) -> Totals | None:
        """The totals now; None where they cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class TreeAccount:
    """Of the living processes of a command. `usage` gives CPU seconds and bytes."""

    usage: Callable[[], tuple[float, int]]
    cgroup: bool = False

    def read(self) -> Totals | None:
        """Their sum."""
        cpu, memory = self.usage()
        return Totals(cpu, memory)


@dataclass(frozen=True, slots=True)
class CgroupV2:
    """Of a container with cgroup v2."""

    folder: Path = _CGROUP
    cgroup: bool = True

    def read(self) -> Totals | None:
        """Memory without the page cache that would be given up first, as Kubernetes counts it."""
        try:
            cpu = _pairs(self.folder / "cpu.stat")
            memory = int((self.folder / "memory.current").read_bytes())
            cache = _pairs(self.folder / "memory.stat").get("inactive_file", 0)
        except (OSError, ValueError):
            return None
        if "usage_usec" not in cpu:
            return None
        throttled = cpu["throttled_usec"] / 1e6 if "throttled_usec" in cpu else None
        return Totals(cpu["usage_usec"] / 1e6, max(0, memory - cache), throttled)


@dataclass(frozen=True, slots=True)
class CgroupV1:
    """Of a container with cgroup v1."""

    folder: Path = _CGROUP
    cgroup: bool = True

    def read(self) -> Totals | None:
        """As in version 2."""
        try:
            used = int((self.folder / "cpuacct" / "cpuacct.usage").read_bytes())
            memory = int((self.folder / "memory" / "memory.usage_in_bytes").read_bytes())
            cache = _pairs(self.folder / "memory" / "memory.stat").get("total_inactive_file", 0)
        except (OSError, ValueError):
            return None
        try:
            throttled = _pairs(self.folder / "cpu" / "cpu.stat")["throttled_time"] / 1e9
        except (OSError, ValueError, KeyError):
            return Totals(used / 1e9, max(0, memory - cache))
        return Totals(used / 1e9, max(0, memory - cache), throttled)


def container_account(folder: Path = _CGROUP) -> Account | None:
    """This container's own accounts; None where there are none. On a host they would be the whole machine's."""
    for account in (CgroupV2(folder), CgroupV1(folder)):
        if account.read() is not None:
            return account
    return None


@dataclass(slots=True)
class Sampler:
    """Looks at an account when it is time to."""

    account: Account
    sampled: Sampled
    _last: Totals | None = None
    _last_at: float = 0.0
    _interval: float = INTERVAL_SECONDS

    def begin(self, now: float) -> None:
        """What was used before is not the command's."""
        self._last, self._last_at = self.account.read(), now

    def look(self, now: float, *, last: bool = False) -> None:
        """Tell a sample where the interval is over, or the command is."""
        passed = now - self._last_at
        if passed < (LEAST_SECONDS if last else self._interval):
            return
        began = time.thread_time()
        totals, before = self.account.read(), self._last
        self._interval = max(INTERVAL_SECONDS, (time.thread_time() - began) / _MOST_OVERHEAD)
        self._last, self._last_at = totals, now
        if totals is None or before is None:
            return
        throttled = None
        if totals.throttled_seconds is not None and before.throttled_seconds is not None:
            throttled = max(0.0, totals.throttled_seconds - before.throttled_seconds)
        self.sampled(
            Sample(
                seconds=passed,
                cpu_seconds=max(0.0, totals.cpu_seconds - before.cpu_seconds),
                memory_bytes=totals.memory_bytes,
                throttled_seconds=throttled,
                cgroup=self.account.cgroup,
            )
        )


@dataclass(slots=True)
class UseRecorder:
    """Keeps an attempt's samples: twelve bytes each. Any thread may add; samples from a hand are not trusted."""

    _lock: Lock = field(default_factory=Lock)
    _ends: "array[float]" = field(
        default_factory=lambda: array("f")
    )  # seconds from the first command's start on
    _millis: "array[int]" = field(default_factory=lambda: array("I"))
    _mebibytes: "array[int]" = field(default_factory=lambda: array("I"))
    _seconds: float = 0.0
    _cpu_seconds: float = 0.0
    _throttled: float | None = None
    _cgroup: bool = True

    def add(self, sample: Sample) -> None:
        """One more; what cannot be, and what is too much, is passed over."""
        if not _possible(sample):
            return
        with self._lock:
            if len(self._ends) >= MOST_SAMPLES:
                return
            self._seconds += sample.seconds
            self._cpu_seconds += sample.cpu_seconds
            self._ends.append(self._seconds)
            self._millis.append(min(_MOST_MILLIS, round(sample.cpu_seconds / sample.seconds * 1000)))
            self._mebibytes.append(min(_MOST_MILLIS, math.ceil(sample.memory_bytes / _MIB)))
            if sample.throttled_seconds is not None:
                self._throttled = (self._throttled or 0.0) + sample.throttled_seconds
            self._cgroup = self._cgroup and sample.cgroup

    def use(self, *, series_key: str | None = None, series_bytes: int = 0) -> ResourceUse | None:
        """The sum of it; None where nothing was seen."""
        with self._lock:
            if not self._ends:
                return None
            millis, memory = sorted(self._millis), sorted(self._mebibytes)
            series = None
            if series_key is not None:
                series = FileRef(
                    path=series_key.rpartition("/")[2],
                    key=series_key,
                    size=series_bytes,
                    content_type="application/x-ndjson",
                )
            return ResourceUse(
                source="cgroup" if self._cgroup else "processes",
                samples=len(millis),
                seconds=round(self._seconds, 3),
                cpu_seconds=round(self._cpu_seconds, 3),
                cpu_mean_millis=round(self._cpu_seconds / self._seconds * 1000),
                cpu_p95_millis=_percentile(millis, 0.95),
                cpu_max_millis=millis[-1],
                memory_p95_mib=_percentile(memory, 0.95),
                memory_max_mib=memory[-1],
                throttled_seconds=None if self._throttled is None else round(self._throttled, 3),
                series=series,
            )

    def series(self) -> bytes:
        """NDJSON, the seconds of tests that ran: at most 600 points, each the mean and the most of its samples."""
        with self._lock:
            count = len(self._ends)
            step = max(1, math.ceil(count / MOST_POINTS))
            lines = []
            for first in range(0, count, step):
                millis = self._millis[first : first + step]
                point = {
                    "seconds": round(self._ends[min(first + step, count) - 1], 1),
                    "cpuMillis": round(sum(millis) / len(millis)),
                    "cpuMaxMillis": max(millis),
                    "memoryMib": max(self._mebibytes[first : first + step]),
                }
                lines.append(json.dumps(point, separators=(",", ":")))
        return "".join(f"{line}\n" for line in lines).encode()


def to_json(sample: Sample) -> dict[str, Any]:
    """For the wire between hand and agent."""
    return {
        "s": sample.seconds,
        "c": sample.cpu_seconds,
        "m": sample.memory_bytes,
        "t": sample.throttled_seconds,
        "g": sample.cgroup,
    }


def from_json(read: dict[str, Any]) -> Sample | None:
    """None for what is no sample."""
    seconds, cpu, memory, throttled = (read.get(name) for name in "scmt")
    if not (_number(seconds) and _number(cpu) and _number(memory)):
        return None
    waited = float(throttled) if _number(throttled) else None
    return Sample(float(seconds), float(cpu), int(memory), waited, read.get("g") is True)


def _number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool):
        return False
    return (isinstance(value, float) and math.isfinite(value)) or (
        isinstance(value, int) and 0 <= value < 1 << 63
    )


def _possible(sample: Sample) -> bool:
    return (
        0 < sample.seconds < 1e6  # noqa: PLR2004  # no command takes eleven days
        and 0 <= sample.cpu_seconds < 1e9  # noqa: PLR2004
        and 0 <= sample.memory_bytes < 1 << 60
        and (sample.throttled_seconds is None or 0 <= sample.throttled_seconds < 1e9)  # noqa: PLR2004
    )


def _percentile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]


def _pairs(file: Path) -> dict[str, int]:
    found = {}
    for line in file.read_text("ascii").splitlines():
        name, _, value = line.partition(" ")
        found[name] = int(value)
    return found
