"""How fast reports are read, and with how much memory, beside a bare walk of the same bytes and beside junitparser.

`python -m tests.bench.readers [--cases 1000 10000 100000]` prints a table. Each reading is a process of its own, so that its peak memory is its own;
what the process takes before it reads is told apart.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.parsers import expat

import ijson

from crosswind.adapters.reports.anyformat import AnyReportReader
from crosswind.runs.reports import ReportLimits

_LIMITS = ReportLimits(file_bytes=1 << 40)
_KINDS = ("junit", "playwright", "ctrf", "jmeter")
_ROUNDS = 3


def write(kind: str, cases: int, path: Path) -> None:
    """A report with so many cases, of which every hundredth fails."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_parts(kind, cases))


def _parts(kind: str, cases: int) -> Iterator[str]:
    begin, end = {
        "junit": ("<testsuite>", "</testsuite>"),
        "playwright": ('{"config": {}, "suites": [', '], "errors": []}'),
        "ctrf": ('{"reportFormat": "CTRF", "results": {"tests": [', "]}}"),
        "jmeter": ("timeStamp,elapsed,label,responseCode,responseMessage,threadName,success\n", ""),
    }[kind]
    yield begin
    for number in range(cases):
        separator = "," if number and kind in {"playwright", "ctrf"} else ""
        yield separator + _case(kind, number, failed=number % 100 == 0)
    yield end


def _case(kind: str, number: int, *, failed: bool) -> str:
    name = f"test number {number} of the shop"
    if kind == "junit":
        inner = '<failure message="expected 1">at shop.py:3 in total</failure>' if failed else ""
        return f'<testcase classname="shop.Cart" name="{name}" time="0.25">{inner}</testcase>\n'
    if kind == "jmeter":
        return f"{number},12,label {number % 50},200,OK,thread 1,{str(not failed).lower()}\n"
    if kind == "ctrf":
        status = "failed" if failed else "passed"
        return json.dumps(
            {"name": name, "status": status, "duration": 250, "message": "expected 1" if failed else None}
        )
    result = {
        "status": "failed" if failed else "passed",
        "duration": 250,
        "errors": [{"message": "expected 1"}] if failed else [],
    }
    test = {"projectName": "chromium", "status": "unexpected" if failed else "expected", "results": [result]}
    return json.dumps(
        {"title": f"{number}.spec.js", "specs": [{"title": name, "ok": not failed, "tests": [test]}]}
    )


def read_ours(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in AnyReportReader(_LIMITS).read(stream, name=path.name))


def read_bare(path: Path) -> int:
    """The least that any reader of the format does: expat's events, ijson's, csv's rows."""
    with path.open("rb") as stream:
        if path.suffix == ".xml":
            count = 0

            def start(_: str, __: dict[str, str]) -> None:
                nonlocal count
                count += 1

            parser = expat.ParserCreate()
            parser.StartElementHandler = start
            parser.CharacterDataHandler = lambda _: None
            parser.ParseFile(stream)
            return count
        if path.suffix == ".json":
            return sum(1 for _ in ijson.parse(stream, use_float=True))
    with path.open(newline="", encoding="utf-8") as text:
        return sum(1 for _ in csv.reader(text))


def read_junitparser(path: Path) -> int:
    import junitparser  # type: ignore[import-not-found]  # noqa: PLC0415  # only where it is installed

    return sum(
        len(suite) if hasattr(suite, "__len__") else 1 for suite in junitparser.JUnitXml.fromfile(str(path))
    )


READERS: dict[str, Callable[[Path], int]] = {
    "ours": read_ours,
    "bare": read_bare,
    "junitparser": read_junitparser,
}


def measure(reader: str, path: Path) -> tuple[float, float] | None:
    """The best seconds of some rounds, and the peak memory in MiB above what the process had before; None where it cannot."""
    best: tuple[float, float] | None = None
    for _ in range(_ROUNDS):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.readers", "--one", reader, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return None
        seconds, memory = map(float, done.stdout.split())
        best = (seconds, memory) if best is None else (min(best[0], seconds), min(best[1], memory))
    return best


def _one(reader: str, path: Path) -> None:
    if reader == "junitparser":
        import junitparser  # noqa: F401, PLC0415  # its import is not its reading
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    READERS[reader](path)
    seconds = time.perf_counter() - started
    print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--one", nargs=2, metavar=("READER", "FILE"))
    given = parser.parse_args()
    if given.one:
        _one(given.one[0], Path(given.one[1]))
        return
    print(
        "| format | cases | MB | ours, s | MB/s | a bare walk | times it | junitparser | times ours | ours, MiB more | junitparser, MiB more |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in _KINDS:
            for cases in given.cases:
                path = Path(folder, f"{kind}.{ {'junit': 'xml', 'jmeter': 'jtl'}.get(kind, 'json') }")
                write(kind, cases, path)
                _row(kind, cases, path)


def _row(kind: str, cases: int, path: Path) -> None:
    size = path.stat().st_size / 1e6
    ours, bare = measure("ours", path), measure("bare", path)
    other = measure("junitparser", path) if kind == "junit" else None
    if ours is None or bare is None:
        raise SystemExit(f"{path.name} cannot be read")
    theirs = (
        ("-", "-", "-")
        if other is None
        else (f"{other[0]:.3f} s", f"{other[0] / ours[0]:.2f}", f"{other[1]:.1f}")
    )
    print(
        f"| {kind} | {cases} | {size:.1f} | {ours[0]:.3f} | {size / ours[0]:.1f} | {bare[0]:.3f} s | {ours[0] / bare[0]:.1f} "
        f"| {theirs[0]} | {theirs[1]} | {ours[1]:.1f} | {theirs[2]} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
