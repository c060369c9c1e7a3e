"""Reads a report in whatever format it is, told from its content."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import BinaryIO, cast

from crosswind.adapters.reports.sniffing import Format, format_of
from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.runs.reports import ReportedCase, ReportFault, ReportItem, ReportLimits, bounded

_Reading = Callable[[Source], Iterator[ReportItem]]

_READERS: dict[Format, tuple[str, str]] = {
    Format.PLAYWRIGHT: ("playwright", "read_playwright"),
    Format.JEST: ("jest", "read_jest"),
    Format.MOCHA: ("mocha", "read_mocha"),
    Format.MOCHAWESOME: ("mocha", "read_mochawesome"),
    Format.NEWMAN: ("newman", "read_newman"),
    Format.K6_SUMMARY: ("k6", "read_k6_summary"),
    Format.K6_POINTS: ("k6", "read_k6_points"),
    Format.JMETER_CSV: ("jmeter", "read_jmeter_csv"),
    Format.JMETER_XML: ("jmeter", "read_jmeter_xml"),
    Format.ALLURE: ("allure", "read_allure"),
    Format.ALLURE_CONTAINER: ("allure", "read_allure_container"),
    Format.TAP: ("tap", "read_tap"),
    Format.CTRF: ("ctrf", "read_ctrf"),
    Format.CUCUMBER: ("cucumber", "read_cucumber"),
    Format.ROBOT: ("robot", "read_robot"),
    Format.GO_TEST: ("gotest", "read_go_test"),
    Format.TRX: ("dotnet", "read_trx"),
    Format.NUNIT: ("dotnet", "read_nunit"),
    Format.XUNIT: ("dotnet", "read_xunit"),
    Format.TESTNG: ("dotnet", "read_testng"),
}
"""Module and function of each, imported when first needed: the command reads one file and is over."""


def _reader_of(found: Format | None) -> _Reading | None:
    if found is None or found not in _READERS:
        return None
    module, function = _READERS[found]
    return cast("_Reading", getattr(import_module(f"crosswind.adapters.reports.{module}"), function))


class AnyReportReader:
    """ReportReader for every format that is known."""

    def __init__(self, limits: ReportLimits | None = None) -> None:
        self._limits = limits or ReportLimits()

    def read(self, stream: BinaryIO, *, name: str) -> Iterator[ReportItem]:
        """Yield what the report holds; what cannot be read is a fault, and what came before it stays."""
        yield from self.detect(stream, name=name)[1]

    def detect(self, stream: BinaryIO, *, name: str) -> tuple[Format | None, Iterator[ReportItem]]:
        """The format as well."""
        try:
            source = Source(stream, self._limits, name=name)
        except BrokenReportError as error:
            return None, iter([ReportFault(name, str(error))])
        found = format_of(source.head)
        return found, self._items(source, found)

    def _items(self, source: Source, found: Format | None) -> Iterator[ReportItem]:
        if not source.head.strip():
            yield ReportFault(source.name, "the file is empty")
            return
        if found is None and source.head.lstrip()[:1] != b"<":
            yield ReportFault(source.name, "its format is not known: it is no report that can be read")
            return
        reader = _reader_of(found)
        items = self._junit(source) if reader is None else reader(source)
        try:
            yield from self._counted(items)
        except BrokenReportError as error:
            yield ReportFault(source.name, f"{error}; the rest of the file was not read")
        except RecursionError:
            yield ReportFault(source.name, "it is nested too deeply; the rest of the file was not read")

    def _counted(self, items: Iterator[ReportItem]) -> Iterator[ReportItem]:
        cases = 0
        for item in items:
            cases += isinstance(item, ReportedCase)
            if cases > self._limits.cases:
                raise BrokenReportError(f"there are more than {self._limits.cases} test cases")
            yield bounded(item, self._limits)

    def _junit(self, source: Source) -> Iterator[ReportItem]:
        junit = import_module("crosswind.adapters.reports.junit")
        encoding = "utf-8" if source.is_recoded else None
        yield from junit.JUnitReader(self._limits).read(
            cast("BinaryIO", source), name=source.name, encoding=encoding
        )
