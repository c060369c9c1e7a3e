"""Framework `k6`: a worker runs its segment of the script's load, and tells each sample as a line of JSON.

`args` are what follows `k6 run`; `command` starts k6 where it is not on the PATH. k6 judges nothing (`--no-thresholds`): a
worker sees its own part only. Which thresholds the script has, `k6 inspect` tells, which also proves that k6 can read it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from crosswind.adapters.frameworks.base import Invocation, Launch, read_left
from crosswind.adapters.frameworks.loads import LoadTool, SampleReader, called
from crosswind.contracts.load import MetricKind
from crosswind.runs.load.expressions import ThresholdError, select
from crosswind.runs.load.recording import Recorder

_SCRIPTS = (".js", ".mjs", ".ts", ".tar")
_ENV_FLAGS = ("-e", "--env")
_INSPECTED = "inspected.json"
_MOST_BYTES = 4 * 1024 * 1024
_REQUESTS = frozenset({"http_req_duration", "grpc_req_duration"})
_ITERATIONS = "iteration_duration"
_PARTS = frozenset(
    f"http_req_{part}"
    for part in ("blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving")
)
"""Six lines of each request that nobody reads unless a threshold asks for them."""


class K6Adapter(LoadTool):
    """k6 0.49 and later."""

    tool = "k6"

    def check(self, invocation: Invocation, *, folder: Path) -> Launch:
        """`k6 inspect` with the script's variables."""
        args = (
            "inspect",
            "--include-system-env-vars",
            *_variables(invocation.args),
            *_script(invocation.args),
        )
        command = invocation.command or "k6"
        return Launch(
            argv=("sh", "-c", f'{command} "$@" > "$CROSSWIND_INSPECTED"', "sh", *args),
            env={"CROSSWIND_INSPECTED": str(folder / _INSPECTED)},
        )

    def thresholds(self, folder: Path) -> Mapping[str, Sequence[str]]:
        """Of the script's options. `abortOnFail` has no effect: one worker alone cannot tell."""
        try:
            found = json.loads(read_left(folder / _INSPECTED, limit=_MOST_BYTES) or b"{}")
        except (ValueError, RecursionError):
            return {}
        given = found.get("thresholds") if isinstance(found, dict) else None
        return {
            str(metric): tuple(text for each in texts if (text := _expression(each)) is not None)
            for metric, texts in (given.items() if isinstance(given, dict) else ())
            if isinstance(texts, list)
        }

    def load(
        self,
        invocation: Invocation,
        *,
        samples: Path,
        worker: int,
        workers: int,
        split: Sequence[str],  # noqa: ARG002  # k6 divides by segments
    ) -> Launch:
        """The worker's segment; ours come last, so that they win."""
        args = (
            "run",
            *invocation.args,
            *("--execution-segment", f"{_part(worker, workers)}:{_part(worker + 1, workers)}"),
            *("--execution-segment-sequence", ",".join(_part(n, workers) for n in range(workers + 1))),
            *("--no-thresholds", "--no-usage-report", "--no-color", "--quiet"),
            *("--address", ""),  # several workers may share a machine, and nobody may steer them
            *("--out", f"json={samples}"),
        )
        return Launch(argv=called(invocation.command, "k6", args))

    def reader(self, recorder: Recorder, *, thresholds: Sequence[str]) -> SampleReader:
        """Of lines of JSON."""
        return K6Samples(recorder, thresholds=thresholds)


class K6Samples:
    """Reads `--out json`: a line declares a metric, or is a sample of one."""

    def __init__(self, recorder: Recorder, *, thresholds: Sequence[str]) -> None:
        self._recorder = recorder
        wanted = {_metric_of(name) for name in thresholds}
        self._passed_over = frozenset(name.encode() for name in _PARTS - wanted)

    def feed(self, line: bytes) -> None:
        """A line."""
        if line.startswith(b'{"metric":"') and line[11 : line.find(b'"', 11)] in self._passed_over:
            return
        try:
            found = json.loads(line)
            name, data = found["metric"], found["data"]
            if found["type"] == "Metric":
                self._recorder.declare(name, MetricKind(data["type"]))
            else:
                at = datetime.fromisoformat(data["time"]).timestamp()
                self._sample(name, float(data["value"]), data.get("tags") or {}, at)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            self._recorder.unread += 1

    def _sample(self, name: str, value: float, tags: Mapping[str, str], at: float) -> None:
        self._recorder.sample(name, value, tags, at=at)
        if name in _REQUESTS:
            ok = _succeeded(name, tags)
            self._recorder.request(
                _request_name(tags), value, ok=ok, at=at, message=None if ok else _message(tags)
            )
        elif name == _ITERATIONS:
            self._recorder.iteration(str(tags.get("scenario") or "default"), value, at=at)
        elif name == "checks":
            group = str(tags.get("group") or "").removeprefix("::").replace("::", " / ")
            check = str(tags.get("check") or "(no name)")
            self._recorder.check(f"{group} / {check}" if group else check, ok=value != 0)


def _succeeded(name: str, tags: Mapping[str, str]) -> bool:
    """As k6 sees it: the script may say which responses it expects."""
    if name == "grpc_req_duration":
        return str(tags.get("status", "0")) == "0"
    return tags.get("expected_response") != "false"


def _request_name(tags: Mapping[str, str]) -> str:
    name = str(tags.get("name") or tags.get("url") or "(no name)")
    method = tags.get("method")
    return f"{method} {name}" if method else name


def _message(tags: Mapping[str, str]) -> str:
    error = tags.get("error") or tags.get("error_code")
    status = f"status {tags.get('status', '0')}"
    return f"{status}, {error}" if error else status


def _metric_of(name: str) -> str:
    try:
        return select(name).metric
    except ThresholdError:
        return name


def _expression(given: object) -> str | None:
    text = given.get("threshold") if isinstance(given, dict) else given
    return text if isinstance(text, str) else None


def _script(args: Sequence[str]) -> tuple[str, ...]:
    return tuple(arg for arg in args if arg.endswith(_SCRIPTS) and not arg.startswith("-"))[-1:]


def _variables(args: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for index, arg in enumerate(args):
        if arg in _ENV_FLAGS:
            found += args[index : index + 2]
        elif arg.startswith("--env="):
            found.append(arg)
    return tuple(found)


def _part(number: int, of: int) -> str:
    return str(number // of) if number in {0, of} else f"{number}/{of}"
