"""Framework `jmeter`: a worker runs the plan with its part of the threads, and tells each sample as a line of CSV.

`args` are what follows `jmeter -n`; `command` starts JMeter where it is not on the PATH. A plan asks for its threads by a
property, such as `${__P(threads,1)}`; `-Jthreads=30` among three workers gives each ten. A plan that asks for none is
sent whole by each worker. `-Jcrosswind.worker` and `-Jcrosswind.workers` tell it where it stands.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from crosswind.adapters.frameworks.base import Invocation, Launch
from crosswind.adapters.frameworks.loads import LoadTool, SampleReader, called
from crosswind.contracts.load import MetricKind
from crosswind.runs.load.recording import Recorder

TRANSACTIONS = "transaction_duration"
"""The metric of transaction controllers, with the tag `name`: they sum up requests and are none themselves."""

_SAVE = "jmeter.save.saveservice"
_PROPERTIES = {
    f"{_SAVE}.output_format": "csv",
    f"{_SAVE}.print_field_names": "true",
    f"{_SAVE}.timestamp_format": "ms",
    f"{_SAVE}.default_delimiter": ",",
    f"{_SAVE}.autoflush": "true",  # so that samples come while they are made
    f"{_SAVE}.time": "true",
    f"{_SAVE}.label": "true",
    f"{_SAVE}.response_code": "true",
    f"{_SAVE}.response_message": "true",
    f"{_SAVE}.successful": "true",
    f"{_SAVE}.assertion_results_failure_message": "true",
    **{
        f"{_SAVE}.{name}": "false"
        for name in (
            *("thread_name", "data_type", "bytes", "sent_bytes", "thread_counts", "url", "latency"),
            *("idle_time", "connect_time", "sample_count", "hostname", "subresults", "assertions"),
        )
    },
    "sampleresult.timestamp.start": "false",  # when it ended, as of every tool
}
_COLUMNS = ("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "success", "failureMessage")
"""What these properties leave, in JMeter's order. It writes no line of names into what is there already, such as a pipe."""

_MARK = "Number of samples in transaction"
_LONGEST_RECORD = 1024 * 1024


class JMeterAdapter(LoadTool):
    """JMeter 2.13 and later."""

    tool = "jmeter"

    def check(self, invocation: Invocation, *, folder: Path) -> Launch:  # noqa: ARG002  # the port's words
        """The plan can be read, and JMeter starts."""
        plan = next((arg for arg in invocation.args if arg.endswith(".jmx")), "")
        command = invocation.command or "jmeter"
        script = f'test -r "$1" || {{ echo "there is no plan $1"; exit 2; }}; {command} --version'
        return Launch(argv=("sh", "-c", script, "sh", plan))

    def thresholds(self, folder: Path) -> Mapping[str, Sequence[str]]:  # noqa: ARG002  # the port's words
        """A plan has none; the suite says them."""
        return {}

    def load(
        self,
        invocation: Invocation,
        *,
        samples: Path,
        worker: int,
        workers: int,
        split: Sequence[str],
    ) -> Launch:
        """The worker's part of the threads; ours come last, so that they win."""
        places = {"crosswind.worker": str(worker), "crosswind.workers": str(workers)}
        args = (
            "-n",
            *(_divided(arg, split, worker=worker, workers=workers) for arg in invocation.args),
            *("-l", str(samples)),
            *(f"-J{name}={value}" for name, value in (_PROPERTIES | places).items()),
        )
        return Launch(argv=called(invocation.command, "jmeter", args))

    def reader(self, recorder: Recorder, *, thresholds: Sequence[str]) -> SampleReader:  # noqa: ARG002
        """Of lines of CSV."""
        return JMeterSamples(recorder)


class JMeterSamples:
    """Reads a JTL file in CSV: a record each sample, which may have line ends in quotes; perhaps a line of names before."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._names: Sequence[str] = _COLUMNS
        self._open = ""
        recorder.declare(TRANSACTIONS, MetricKind.TREND)

    def feed(self, line: bytes) -> None:
        """A line; a record ends with the line that closes its quotes."""
        text = self._open + line.decode("utf-8", "replace")
        if text.count('"') % 2:
            self._open = text if len(text) < _LONGEST_RECORD else ""
            self._recorder.unread += not self._open
            return
        self._open = ""
        try:
            record = next(csv.reader([text]), [])
            if record[:1] == ["timeStamp"]:
                self._names = record
            elif record:
                self._sample(dict(zip(self._names, record, strict=True)))
        except (ValueError, KeyError, OverflowError, csv.Error):
            self._recorder.unread += 1

    def _sample(self, record: Mapping[str, str]) -> None:
        at, milliseconds = float(record["timeStamp"]) / 1000, float(record["elapsed"])
        name, ok = record["label"] or "(no name)", record["success"].lower() == "true"
        if record.get("responseMessage", "").startswith(_MARK):
            self._recorder.sample(TRANSACTIONS, milliseconds, {"name": name}, at=at)
            return
        message = None if ok else _message(record)
        self._recorder.request(name, milliseconds, ok=ok, at=at, message=message)


def share(total: int, worker: int, workers: int) -> int:
    """A worker's part of a number; the parts add up to it."""
    return total * (worker + 1) // workers - total * worker // workers


def _divided(arg: str, split: Sequence[str], *, worker: int, workers: int) -> str:
    name, equals, value = arg.removeprefix("-J").partition("=")
    if not (arg.startswith("-J") and equals and name in split and value.isdecimal()):
        return arg
    return f"-J{name}={share(int(value), worker, workers)}"


def _message(record: Mapping[str, str]) -> str:
    parts = (record.get("responseCode"), record.get("responseMessage"), record.get("failureMessage"))
    return " ".join(part.strip() for part in parts if part and part.strip()) or "failed"
