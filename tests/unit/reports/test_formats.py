"""Reports in every format. Input: a file's bytes. Output: cases, red suites and faults, and never an exception."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.adapters.reports.anyformat import AnyReportReader
from crosswind.adapters.reports.sniffing import Format, format_of
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem, ReportLimits
from tests.unit.reports.samples import FIGURES, RED

FORMATS = list(Format)
BROKEN = {CaseStatus.FAILED, CaseStatus.ERROR}


def read(data: bytes | str, limits: ReportLimits | None = None) -> list[ReportItem]:
    raw = data.encode() if isinstance(data, str) else data
    return list(AnyReportReader(limits).read(BytesIO(raw), name="report"))


def cases(items: list[ReportItem]) -> list[ReportedCase]:
    return [item for item in items if isinstance(item, ReportedCase)]


def faults(items: list[ReportItem]) -> list[str]:
    return [str(item) for item in items if isinstance(item, ReportFault)]


def is_green(items: list[ReportItem]) -> bool:
    """Tests that passed, nothing red, nothing lost."""
    red = any(case.status in BROKEN for case in cases(items))
    problems = any(item.problems for item in items if isinstance(item, ReportedSuite))
    return bool(cases(items)) and not red and not problems and not faults(items)


def figures(items: list[ReportItem]) -> tuple[int, int, int, int]:
    found = cases(items)

    def of(status: CaseStatus) -> int:
        return sum(case.failed_samples or 1 for case in found if case.status is status)

    return (
        sum(case.samples for case in found),
        of(CaseStatus.FAILED),
        of(CaseStatus.ERROR),
        of(CaseStatus.SKIPPED),
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_told_from_its_content_and_gives_its_figures(kind: Format) -> None:
    data = RED[kind].encode()

    items = read(data)

    assert format_of(data) is kind
    assert figures(items) == FIGURES[kind]
    assert faults(items) == []
    assert not is_green(items)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind is not Format.ALLURE_CONTAINER])
def test_a_failure_has_its_message(kind: Format) -> None:
    (failed,) = (case for case in cases(read(RED[kind])) if case.status in BROKEN)

    assert failed.problems
    assert failed.problems[0].message
    assert "\x1b" not in failed.problems[0].message


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_changes_nothing(kind: Format, encoding: str) -> None:
    assert figures(read(RED[kind].encode(encoding))) == FIGURES[kind]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_red_report_cut_anywhere_is_never_green(kind: Format) -> None:
    data = RED[kind].encode()
    whole = len(data.rstrip())

    green = [end for end in range(whole) if is_green(read(data[:end]))]

    assert green == []


@given(st.sampled_from(FORMATS), st.data())
@settings(max_examples=300)
def test_no_damage_makes_a_reader_raise(kind: Format, data: st.DataObject) -> None:
    raw = bytearray(RED[kind].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 20)))
        raw[start:end] = data.draw(
            st.binary(max_size=12) | st.sampled_from([b"null", b"[]", b"{}", b"1e999", b"-1", b'"'])
        )

    assert all(isinstance(item, ReportedCase | ReportedSuite | ReportFault) for item in read(bytes(raw)))


JSON_FORMATS = [kind for kind in FORMATS if RED[kind][:1] in "{["]


@given(st.sampled_from(JSON_FORMATS), st.data())
@settings(max_examples=300)
def test_values_of_wrong_types_are_no_exception(kind: Format, data: st.DataObject) -> None:
    text = RED[kind].splitlines()[0] if kind in {Format.GO_TEST, Format.K6_POINTS} else RED[kind]
    document = json.loads(text)
    places = list(_places(document))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.just([])
        | st.just({})
        | st.just([[]])
    )

    read(json.dumps(document))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in list(members):
        yield value, key
        yield from _places(inner)


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_they_are_read_or_told_of(data: bytes) -> None:
    assert not is_green(read(data)) or cases(read(data)) or b"testsuite" in data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("hello", "not known"),
        ("{}", "not known"),
        ("[]", "not known"),
        ('{"stats": {"tests": 1}, "tests": [], "failures": [], "passes": []}', "declares 1 tests"),
        ('{"stats": {"failures": 2}, "tests": [], "failures": [], "passes": []}', "declares 2 failures"),
        ('{"numFailedTests": 2, "testResults": []}', "declares 2 failures"),
        ('{"results": {"tool": {}, "summary": {"tests": 2, "failed": 0}, "tests": []}}', "declares 2 tests"),
        (
            '{"collection": {"item": []}, "run": {"stats": {"assertions": {"failed": 3}}, "executions": []}}',
            "declares 3 failed",
        ),
        ("1..3\nok 1\nok 2\n", "3 tests were planned, and 2"),
        ("ok 1\nok 2\n", "no plan"),
        ('{"Action": "run", "Package": "p", "Test": "T"}\n', "has no end"),
        ('{"Action": "start", "Package": "p"}\ngarbage\n', "no event of go test"),
        (
            '{"type": "Metric", "metric": "m", "data": {"thresholds": ["p(95)<1"]}}\n',
            "does not tell whether they held",
        ),
        ("timeStamp,elapsed,label\n1,2,a\n", "no column `success`"),
        ("timeStamp,elapsed,label,success\n1,2,a,maybe\n", "neither true nor false"),
        ('{"uuid": "u", "historyId": "h", "name": "n", "status": null}', "no status"),
        ('{"config": {}, "suites": [' + '{"suites": [' * 300 + "]}" * 301, "nested deeper"),
    ],
)
def test_what_is_missing_or_cannot_be_known_is_told(data: str, words: str) -> None:
    assert any(words in fault for fault in faults(read(data))), faults(read(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            '{"metrics": {"http_reqs": {"thresholds": {"p(95)<1": true}}}, "root_group": {}}',
            "`p(95)<1` on http_reqs",
        ),
        (
            '{"metrics": {"http_reqs": {"thresholds": {"p(95)<1": {"ok": false}}}}, "root_group": {}}',
            "was breached",
        ),
        ('{"config": {}, "suites": [], "errors": [{"message": "cannot load a.spec.js"}]}', "cannot load"),
        (
            '{"numTotalTests": 0, "testResults": [{"name": "a", "status": "failed", "message": "cannot find module", "assertionResults": []}]}',
            "cannot find module",
        ),
        (
            '{"stats": {}, "tests": [], "failures": [{"title": "\\"before all\\" hook", "fullTitle": "x", "err": {"message": "no database"}}]}',
            "no database",
        ),
        (
            '{"stats": {}, "results": [{"suites": [{"title": "s", "beforeHooks": [{"title": "h", "fail": true, "err": {"message": "no database"}}]}]}]}',
            "no database",
        ),
        (
            '{"collection": {"item": []}, "run": {"executions": [{"item": {"name": "r"}, "requestError": {"code": "ECONNREFUSED"}}]}}',
            "ECONNREFUSED",
        ),
        (
            '{"collection": {"item": []}, "run": {"executions": [], "failures": [{"at": "test-script", "error": {"name": "ReferenceError", "message": "x is not defined"}}]}}',
            "x is not defined",
        ),
        ("1..2\nok 1\nBail out! no database\n", "no database"),
        (
            '{"Action": "build-output", "ImportPath": "p", "Output": "a.go:1: no"}\n{"Action": "build-fail", "ImportPath": "p"}\n',
            "does not build",
        ),
        ('{"Action": "start", "Package": "p"}\n{"Action": "fail", "Package": "p"}\n', "outside of its tests"),
        (
            '<robot><suite name="S"><test name="t"><status status="PASS"/></test><status status="FAIL">tear-down</status></suite></robot>',
            "tear-down",
        ),
        (
            '<test-run><test-suite name="S" result="Failed" site="SetUp"><failure><message>no database</message></failure></test-suite></test-run>',
            "no database",
        ),
        ('<assemblies><assembly name="a" errors="2"></assembly></assemblies>', "2 errors outside"),
        (
            '<testng-results><suite name="S"><test name="T"><class name="C"><test-method is-config="true" name="setUp" status="FAIL"/></class></test></suite></testng-results>',
            "setUp failed",
        ),
        (
            '<TestRun><ResultSummary><RunInfos><RunInfo outcome="Error"><Text>the host crashed</Text></RunInfo></RunInfos></ResultSummary></TestRun>',
            "host crashed",
        ),
    ],
)
def test_what_failed_outside_of_every_test_is_red(data: str, words: str) -> None:
    told = [
        problem.message or ""
        for item in read(data)
        if isinstance(item, ReportedSuite)
        for problem in item.problems
    ]

    assert any(words in each for each in told), told


def test_a_threshold_that_held_is_green_in_both_shapes_of_k6() -> None:
    exported = '{"metrics": {"http_reqs": {"thresholds": {"a<1": false}}}, "root_group": {"checks": {"c": {"name": "c", "passes": 1, "fails": 0}}}}'
    handled = '{"metrics": {"http_reqs": {"thresholds": {"a<1": {"ok": true}}}}, "root_group": {"checks": [{"name": "c", "passes": 1, "fails": 0}]}}'

    for data in (exported, handled):
        assert is_green(read(data))
        assert len(cases(read(data))) == 1


HOSTILE_FILES = {
    "xxe": b'<!DOCTYPE robot [<!ENTITY x SYSTEM "file:///etc/passwd">]><robot><suite name="&x;"/></robot>',
    "bomb": b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><test-run>&b;</test-run>',
    "deep": b"<robot>" + b"<suite>" * 5000,
    "long": b'<robot><suite name="' + b"x" * 6_000_000,
    "nan": b'{"config": {}, "suites": [], "errors": [], "stats": {"duration": NaN}}',
    "huge": b'{"numFailedTests": 1e999, "testResults": [{"assertionResults": [{"title": "t", "status": "passed", "duration": 1e400}]}]}',
    "nul": b'{"config": {}, "suites": [\x00]}',
    "twice": b'{"results": {"tool": {}, "tests": [{"name": "t", "status": "failed", "status": 1}]}}',
    "return in a header": b"timeStamp,elapsed,label\rx,success\n1,2,a,true\n",
    "line": b'{"Action": "start", "Package": "p"}\n' + b"x" * 6_000_000,
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_hostile_files_are_refused_and_leak_nothing(name: str) -> None:
    items = read(HOSTILE_FILES[name], ReportLimits(token_bytes=1_000_000))

    assert not is_green(items)
    assert "root:" not in repr(items)


_JTL_HEADER = (
    "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes"
)


@pytest.mark.parametrize("header", [f"{_JTL_HEADER}\n", ""])
def test_a_jtl_whose_last_row_is_half_is_told_though_every_whole_row_passed(header: str) -> None:
    whole = f"{header}1492260110340,18,look,200,OK,t 1-1,text,true,,153\n"
    half = '1492260112271,11,"buy, failing'

    assert faults(read(whole)) == []
    assert is_green(read(whole))
    assert is_green(read(whole.removesuffix("\n")))
    assert any("was cut" in fault for fault in faults(read(whole + half)))


@pytest.mark.parametrize("length", [40, len(_JTL_HEADER)])
def test_a_jtl_without_a_sample_is_told(length: int) -> None:
    assert faults(read(_JTL_HEADER[:length] + "\n")) != []


def test_a_million_cases_are_cut_off_and_that_is_told() -> None:
    row = '{"name": "t", "status": "passed", "duration": 1},'
    data = '{"results": {"tool": {}, "tests": [' + row * 3000

    items = read(data, ReportLimits(cases=1000))

    assert len(cases(items)) == 1000
    assert "more than 1000 test cases" in faults(items)[0]


def test_a_file_over_the_limit_is_told() -> None:
    assert "larger than" in faults(read("1..1\nok 1\n" + "# \n" * 40_000, ReportLimits(file_bytes=90_000)))[0]
