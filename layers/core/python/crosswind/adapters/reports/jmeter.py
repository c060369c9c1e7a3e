"""JMeter's JTL as CSV, with or without a header, and as XML. Samples inside others are parts of those and do not count."""

import csv
from collections.abc import Iterator, Sequence

from crosswind.adapters.reports.numbers import seconds_of
from crosswind.adapters.reports.samples import Samples
from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.adapters.reports.xml_stream import Start, events
from crosswind.runs.reports import ReportFault, ReportItem

DEFAULT_COLUMNS = (
    *(
        "timeStamp",
        "elapsed",
        "label",
        "responseCode",
        "responseMessage",
        "threadName",
        "dataType",
        "success",
    ),
    *(
        "failureMessage",
        "bytes",
        "sentBytes",
        "grpThreads",
        "allThreads",
        "URL",
        "Latency",
        "IdleTime",
        "Connect",
    ),
)
"""Of a file without a header, as JMeter writes it unless told otherwise."""

_DELIMITERS = ",;\t|"
_MOST_FAULTS = 5
_SAMPLES = frozenset({"sample", "httpSample"})


def delimiter_of(line: str) -> str:
    """What stands between the columns of a line."""
    return max(_DELIMITERS, key=line.count)


def is_header(line: str) -> bool:
    """Whether a line names JMeter's columns."""
    names = {name.strip().strip('"') for name in line.split(delimiter_of(line))}
    return "label" in names and bool(names & {"success", "elapsed", "timeStamp"})


def is_row(line: str) -> bool:
    """Whether a line may be a sample of a file without a header."""
    values = line.split(delimiter_of(line))
    least = 8
    return (
        len(values) >= least
        and values[0].isdigit()
        and values[1].isdigit()
        and bool({"true", "false"} & {value.strip().lower() for value in values[5:12]})
    )


def read_jmeter_csv(source: Source) -> Iterator[ReportItem]:
    """A case for each label."""
    csv.field_size_limit(source.limits.token_bytes)
    lines = (line for _, line in source.lines())
    first = next(lines, "")
    header = is_header(first)
    delimiter = delimiter_of(first)
    columns = _columns(first, delimiter) if header else DEFAULT_COLUMNS
    place = {name.strip(): index for index, name in enumerate(columns)}
    if "success" not in place:
        raise BrokenReportError("there is no column `success`, so nobody knows which samples failed")
    samples = Samples(most_names=source.limits.cases)
    faults = 0
    width = len(columns) if header else 0
    last = 0  # columns of the last row
    rows = csv.reader(
        (f"{line}\n" for line in (lines if header else _again(first, lines))), delimiter=delimiter
    )
    try:
        for row in rows:
            if not row or (header and row[: len(columns)] == list(columns)):
                continue
            last = len(row)
            width = width or last
            why = _add(samples, row, place)
            if why is not None:
                faults += 1
                if faults <= _MOST_FAULTS:
                    yield ReportFault(f"{source.name}, line {rows.line_num + header}", why)
    except csv.Error as error:
        yield from samples.cases()
        raise BrokenReportError(f"it is no valid CSV ({error})") from error
    yield from samples.cases()
    if why := _cut_short(width, last):
        yield ReportFault(source.name, why)


def _cut_short(width: int, last: int) -> str | None:
    """Why a file that ends so is not whole: JMeter writes every column of every row. The end alone is looked at, since a
    half row there is what a killed JMeter, or a half upload, leaves.
    """
    if not last:
        return "it holds no sample at all"
    if last < width:
        return f"its last row has {last} of {width} columns: the file was cut, and samples after it are lost"
    return None


def _columns(line: str, delimiter: str) -> Sequence[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise BrokenReportError(f"its header is no valid CSV ({error})") from error


def _again(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _add(samples: Samples, row: Sequence[str], place: dict[str, int]) -> str | None:
    """Count a row. Returns why it does not count, if so."""

    def value(name: str) -> str:
        index = place.get(name)
        return row[index].strip() if index is not None and index < len(row) else ""

    success = value("success").lower()
    if success not in {"true", "false"}:
        return f"the row says neither true nor false of its success: {','.join(row)[:80]!r}"
    message = value("failureMessage") or " ".join((value("responseCode"), value("responseMessage"))).strip()
    samples.add(
        value("label"), ok=success == "true", seconds=seconds_of(value("elapsed")) / 1000, message=message
    )
    return None


def read_jmeter_xml(source: Source) -> Iterator[ReportItem]:
    """A case for each label."""
    samples = Samples(most_names=source.limits.cases)
    depth = 0
    said = ""
    sample: dict[str, str] = {}
    try:
        for event in events(source):
            if isinstance(event, Start):
                if event.tag in _SAMPLES:
                    depth += 1
                    if depth == 1:
                        sample, said = event.attributes, ""
            elif event.tag == "failureMessage" and depth == 1:
                said = said or event.text.strip()
            elif event.tag in _SAMPLES:
                depth -= 1
                if depth == 0:
                    _add_sample(samples, sample, said)
    except BrokenReportError:
        yield from samples.cases()
        raise
    yield from samples.cases()


def _add_sample(samples: Samples, sample: dict[str, str], said: str) -> None:
    message = said or f"{sample.get('rc', '')} {sample.get('rm', '')}".strip()
    ok = sample.get("s", sample.get("success", "")).lower() == "true"
    name = sample.get("lb", sample.get("label", ""))
    elapsed = seconds_of(sample.get("t", sample.get("time"))) / 1000
    samples.add(name, ok=ok, seconds=elapsed, message=message)
