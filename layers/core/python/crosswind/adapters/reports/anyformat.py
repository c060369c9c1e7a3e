"""Reads a report in whatever format it is, told from its content."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from crosswind.adapters.reports.allure import read_allure, read_allure_container
from crosswind.adapters.reports.ctrf import read_ctrf
from crosswind.adapters.reports.cucumber import read_cucumber
from crosswind.adapters.reports.dotnet import read_nunit, read_testng, read_trx, read_xunit
from crosswind.adapters.reports.gotest import read_go_test
from crosswind.adapters.reports.jest import read_jest
from crosswind.adapters.reports.jmeter import read_jmeter_csv, read_jmeter_xml
from crosswind.adapters.reports.junit import JUnitReader
from crosswind.adapters.reports.k6 import read_k6_points, read_k6_summary
from crosswind.adapters.reports.mocha import read_mocha, read_mochawesome
from crosswind.adapters.reports.newman import read_newman
from crosswind.adapters.reports.playwright import read_playwright
from crosswind.adapters.reports.robot import read_robot
from crosswind.adapters.reports.sniffing import Format, format_of
from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.adapters.reports.tap import read_tap
from crosswind.runs.reports import ReportedCase, ReportFault, ReportItem, ReportLimits, bounded

_READERS: dict[Format, Callable[[Source], Iterator[ReportItem]]] = {
    Format.PLAYWRIGHT: read_playwright,
    Format.JEST: read_jest,
    Format.MOCHA: read_mocha,
    Format.MOCHAWESOME: read_mochawesome,
    Format.NEWMAN: read_newman,
    Format.K6_SUMMARY: read_k6_summary,
    Format.K6_POINTS: read_k6_points,
    Format.JMETER_CSV: read_jmeter_csv,
    Format.JMETER_XML: read_jmeter_xml,
    Format.ALLURE: read_allure,
    Format.ALLURE_CONTAINER: read_allure_container,
    Format.TAP: read_tap,
    Format.CTRF: read_ctrf,
    Format.CUCUMBER: read_cucumber,
    Format.ROBOT: read_robot,
    Format.GO_TEST: read_go_test,
    Format.TRX: read_trx,
    Format.NUNIT: read_nunit,
    Format.XUNIT: read_xunit,
    Format.TESTNG: read_testng,
}


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
        reader = _READERS.get(found) if found is not None else None
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
        encoding = "utf-8" if source.is_recoded else None
        yield from JUnitReader(self._limits).read(
            cast("BinaryIO", source), name=source.name, encoding=encoding
        )
