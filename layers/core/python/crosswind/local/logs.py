"""Reads the embedded cloud's logs: a file per process, and the Lambdas' from the emulator's CloudWatch Logs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crosswind.adapters.aws.deployment import Deployment
from crosswind.bootstrap.deployment import deployment as build_deployment
from crosswind.local import emulator
from crosswind.local.home import Home, LocalError

LAMBDA_HISTORY = timedelta(minutes=15)
_TAIL_BYTES = 64 * 1024
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line and whose it is."""

    component: str
    text: str


@dataclass
class FileTail:
    """Reads what a growing file gained since the last look."""

    path: Path
    offset: int = 0
    _rest: str = field(default="", repr=False)

    def from_end(self, size: int = _TAIL_BYTES) -> "FileTail":
        """Start near the end instead of at the beginning."""
        self.offset = max(0, self.path.stat().st_size - size)
        return self

    def read(self) -> Iterator[str]:
        """Whole new lines. A file that became shorter was started anew."""
        size = self.path.stat().st_size
        if size < self.offset:
            self.offset, self._rest = 0, ""
        with self.path.open("rb") as handle:
            handle.seek(self.offset)
            data = handle.read()
        self.offset += len(data)
        *lines, self._rest = (self._rest + data.decode("utf-8", errors="replace")).split("\n")
        yield from lines


def components(home: Home) -> list[str]:
    """Everything whose log can be read: processes, and functions while the emulator runs."""
    deployment = _deployment(home)
    return [path.stem for path in _files(home)] + [
        _short(group) for group in (deployment.log_groups() if deployment else ())
    ]


def read_logs(home: Home, *, component: str | None, follow: bool) -> Iterator[LogLine]:
    """Lines of one component, or of every process. Raises LocalError when there is no such component."""
    files = [path for path in _files(home) if component in (None, path.stem)]
    if files:
        return _read_files([FileTail(path).from_end() for path in files], follow=follow)
    deployment = _deployment(home)
    groups = deployment.log_groups() if deployment else ()
    matching = [name for name in groups if component is not None and names_function(_short(name), component)]
    if deployment is None or not matching:
        known = ", ".join(components(home)) or "none yet"
        raise LocalError(f"there is no log of {component or 'the embedded cloud'}; there are: {known}")
    return _read_functions(deployment, matching, follow=follow, now=lambda: datetime.now(UTC))


def names_function(function: str, component: str) -> bool:
    """Whether people mean this function: by its module (`plan_run`), its construct (`PlanRun`) or its whole name."""
    return component in function or component.replace("_", "").lower() in function.lower()


def _short(group: str) -> str:
    """`PlanRunLogs1234` of `…/crosswind-local-runs/PlanRunLogs1234`."""
    return group.rsplit("/", 1)[-1]


def _files(home: Home) -> list[Path]:
    return sorted(home.logs.glob("*.log")) if home.logs.is_dir() else []


def _deployment(home: Home) -> Deployment | None:
    state = home.load()
    if state is None or not emulator.is_healthy(home, state):
        return None
    return build_deployment(emulator.client_environment(home, state))


def _read_files(tails: list[FileTail], *, follow: bool) -> Iterator[LogLine]:
    while True:
        for tail in tails:
            for text in tail.read():
                yield LogLine(tail.path.stem, text)
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _read_functions(
    deployment: Deployment, names: list[str], *, follow: bool, now: Callable[[], datetime]
) -> Iterator[LogLine]:
    since = now() - LAMBDA_HISTORY
    while True:
        started = now()
        for name in names:
            for text in deployment.log_lines(name, since=since):
                yield LogLine(_short(name), text)
        if not follow:
            return
        since = started
        time.sleep(2 * _POLL_SECONDS)
