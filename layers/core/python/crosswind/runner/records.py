"""Writes the JUnit records of tests whose process died before it could: nothing ends without a record (ADR 0006)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from crosswind.adapters.frameworks.base import Ended, Trace
from crosswind.runs.reports import NODE_ID_PROPERTY

_UNREADABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}
_PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Record:
    """One test."""

    test_id: str
    ended: Ended


def records_of(tests: Iterable[str], trace: Trace, *, death: str) -> list[Record]:
    """What is known of a dead process's tests: how they ended, or that the process ended while they ran.

    Those that it had not begun get no record: they may run elsewhere. An outcome that is none counts as an error.
    """
    records = []
    for test_id in tests:
        ended = trace.ended.get(test_id)
        if ended is not None and ended.outcome in {_PASSED, *_ELEMENTS}:
            records.append(Record(test_id, ended))
        elif ended is not None or test_id in trace.begun:
            records.append(
                Record(test_id, Ended("error", message=f"{death} while this test ran; the log may tell why"))
            )
    return records


def not_run(tests: Iterable[str], *, death: str) -> list[Record]:
    """Errors for tests that will not run any more."""
    return [Record(test_id, Ended("error", message=f"{death} before this test ran")) for test_id in tests]


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a report in which each record goes by its planned id."""
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", name="crosswind")
    for record in records:
        case = ET.SubElement(
            suite, "testcase", name=_readable(record.test_id), time=f"{record.ended.seconds:.3f}"
        )
        properties = ET.SubElement(case, "properties")
        ET.SubElement(properties, "property", name=NODE_ID_PROPERTY, value=_readable(record.test_id))
        element = _ELEMENTS.get(record.ended.outcome)
        if element is not None:
            last_line = record.ended.message.strip().rpartition("\n")[2]
            problem = ET.SubElement(case, element, message=_readable(last_line))
            problem.text = _readable(record.ended.message)
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _readable(text: str) -> str:
    """Without what XML cannot hold."""
    return _UNREADABLE.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
