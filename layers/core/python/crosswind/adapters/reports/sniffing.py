"""What a report is, told from its first bytes. A file's name is never trusted: suites write JUnit XML into `report.json`."""

import json
import re
from enum import StrEnum
from typing import Any

import ijson

from crosswind.adapters.reports.jmeter import is_header, is_row
from crosswind.adapters.reports.values import mapping, text

_ROOT = re.compile(rb"<\s*([A-Za-z_][\w.:-]{0,200})[\s/>]")
_COMMENT = re.compile(rb"<!--.{0,60000}?-->", re.DOTALL)
_TAP = re.compile(r"^(?:TAP version \d+|1\.\.\d+|(?:not )?ok\b|Bail out!)", re.MULTILINE)
_SUMMARY_METRICS = frozenset(
    {"http_reqs", "iterations", "vus", "vus_max", "data_sent", "data_received", "checks"}
)
_ALLURE = frozenset({"historyId", "uuid", "fullName", "testCaseId", "stage", "statusDetails"})


class Format(StrEnum):
    """Report formats that can be read."""

    JUNIT = "junit-xml"
    PLAYWRIGHT = "playwright-json"
    JEST = "jest-json"
    MOCHA = "mocha-json"
    MOCHAWESOME = "mochawesome-json"
    NEWMAN = "newman-json"
    K6_SUMMARY = "k6-summary"
    K6_POINTS = "k6-ndjson"
    JMETER_CSV = "jmeter-csv"
    JMETER_XML = "jmeter-xml"
    ALLURE = "allure-result"
    ALLURE_CONTAINER = "allure-container"
    TAP = "tap"
    CTRF = "ctrf"
    CUCUMBER = "cucumber-json"
    ROBOT = "robot-xml"
    GO_TEST = "gotest-json"
    TRX = "trx"
    NUNIT = "nunit-xml"
    XUNIT = "xunit-net-xml"
    TESTNG = "testng-xml"


_ROOTS = {
    b"testsuites": Format.JUNIT,
    b"testsuite": Format.JUNIT,
    b"robot": Format.ROBOT,
    b"TestRun": Format.TRX,
    b"test-run": Format.NUNIT,
    b"test-results": Format.NUNIT,
    b"assemblies": Format.XUNIT,
    b"assembly": Format.XUNIT,
    b"testng-results": Format.TESTNG,
    b"testResults": Format.JMETER_XML,
}


def format_of(head: bytes) -> Format | None:
    """The format of a file that begins like this; None where it is none that is known."""
    start = head.lstrip()
    if start[:1] == b"<":
        return _of_xml(start)
    if start[:1] in {b"{", b"["}:
        return _of_json(start)
    return _of_text(head.decode(errors="replace"))


def _of_xml(start: bytes) -> Format | None:
    root = _ROOT.search(_COMMENT.sub(b"", start))
    return _ROOTS.get(root[1].rpartition(b":")[2]) if root else None


def _of_text(content: str) -> Format | None:
    lines = [line for line in content.splitlines() if line.strip()]
    if lines and (is_header(lines[0]) or is_row(lines[0])):
        return Format.JMETER_CSV
    if _TAP.search(content):
        return Format.TAP
    started = next((line for line in lines if line.startswith("{")), None)
    return _of_lines(started) if started else None


def _of_json(start: bytes) -> Format | None:
    line = start.partition(b"\n")[0].decode(errors="replace")
    by_line = _of_lines(line)
    if by_line is not None:
        return by_line
    places, values = _places(start)
    top = {place for place in places if place and "." not in place}
    if start[:1] == b"[":
        return Format.CUCUMBER if places & {"item.elements", "item.keyword", "item.uri"} else None
    return _of_object(top, places, values)


def _of_lines(line: str) -> Format | None:
    """Of a file with one JSON value a line, by its first one."""
    try:
        entry = mapping(json.loads(line))
    except (ValueError, RecursionError):
        return None
    if isinstance(entry.get("Action"), str) and (
        "Package" in entry or "ImportPath" in entry or "Time" in entry
    ):
        return Format.GO_TEST
    if text(entry.get("type")) in {"Metric", "Point"} and "data" in entry:
        return Format.K6_POINTS
    return None


def _of_object(  # noqa: C901, PLR0911  # one line a format
    top: set[str], places: set[str], values: dict[str, Any]
) -> Format | None:
    if "testResults" in top or "numTotalTests" in top:
        return Format.JEST
    if values.get("reportFormat") == "CTRF" or places & {"results.tool", "results.summary", "results.tests"}:
        return Format.CTRF
    if "suites" in top and (top & {"config", "errors"} or places & {"suites.item.specs", "stats.expected"}):
        return Format.PLAYWRIGHT
    if "config" in top and places & {"config.projects", "config.configFile", "config.rootDir"}:
        return Format.PLAYWRIGHT
    if "results" in top and ("stats" in top or places & {"results.item.suites", "results.item.tests"}):
        return Format.MOCHAWESOME
    if "stats" in top and (top & {"tests", "passes", "failures", "pending"}):
        return Format.MOCHA
    if "collection" in top and (
        top & {"run", "environment", "globals"} or places & {"collection.item", "collection._"}
    ):
        return Format.NEWMAN
    if "run" in top and places & {"run.stats", "run.executions"}:
        return Format.NEWMAN
    if "root_group" in top or any(f"metrics.{name}" in places for name in _SUMMARY_METRICS):
        return Format.K6_SUMMARY
    if "children" in top and top & {"befores", "afters"}:
        return Format.ALLURE_CONTAINER
    if "children" in top and "uuid" in top and "status" not in top:
        return Format.ALLURE_CONTAINER
    if "status" in top and "name" in top and top & _ALLURE:
        return Format.ALLURE
    return None


def _places(start: bytes) -> tuple[set[str], dict[str, Any]]:
    """The places of the values that begin in the first bytes, and the top-level texts."""
    places: set[str] = set()
    values: dict[str, Any] = {}
    try:
        for place, event, value in ijson.parse(_Once(start)):
            if event == "map_key":
                places.add(f"{place}.{value}" if place else value)
            elif event == "string" and "." not in place:
                values[place] = value
    except (ijson.JSONError, UnicodeDecodeError, ValueError):
        pass  # it is cut off, or damaged: what came before tells enough
    return places, values


class _Once:
    """Bytes to read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        taken, self._data = self._data[:size], self._data[size:]
        return taken
