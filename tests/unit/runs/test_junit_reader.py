"""The JUnit reader on its own. Input: the text of a report. Output: cases, suites, faults. Nothing is faked."""

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import MARK, ReportedCase, ReportedSuite, ReportFault, ReportItem, ReportLimits

SMALL = ReportLimits(
    file_bytes=100_000, depth=20, cases=50, text_chars=100, token_bytes=20_000, items=5, faults=10
)


def read(
    text: str | bytes, limits: ReportLimits | None = None
) -> tuple[list[ReportedCase], list[ReportedSuite], list[str]]:
    data = text.encode() if isinstance(text, str) else text
    items: list[ReportItem] = list(JUnitReader(limits).read(BytesIO(data), name="report.xml"))
    return (
        [item for item in items if isinstance(item, ReportedCase)],
        [item for item in items if isinstance(item, ReportedSuite)],
        [str(item) for item in items if isinstance(item, ReportFault)],
    )


def suite(inner: str, attributes: str = 'name="s"') -> str:
    return f"<testsuites><testsuite {attributes}>{inner}</testsuite></testsuites>"


def test_cases_carry_their_suites_class_file_and_time() -> None:
    cases, suites, faults = read(
        '<testsuites name="root"><testsuite name="outer"><testsuite name="inner">'
        '<testcase classname="pkg.Class" name="works" file="a.py" time="1,234.5"/>'
        "</testsuite></testsuite></testsuites>"
    )
    assert faults == []
    [case] = cases
    assert case.suites == ("outer", "inner")
    assert (case.class_name, case.name, case.file) == ("pkg.Class", "works", "a.py")
    assert case.duration_seconds == 1234.5
    assert case.status is CaseStatus.PASSED
    assert [each.path for each in suites] == [("outer", "inner"), ("outer",), ()]


@pytest.mark.parametrize(
    ("inner", "status"),
    [
        ("", CaseStatus.PASSED),
        ("<failure/>", CaseStatus.FAILED),
        ("<error/>", CaseStatus.ERROR),
        ("<skipped/>", CaseStatus.SKIPPED),
        ("<failure/><error/>", CaseStatus.ERROR),
        ("<skipped/><failure/>", CaseStatus.FAILED),
        ("<flakyFailure/>", CaseStatus.FLAKY),
        ("<flakyError/>", CaseStatus.FLAKY),
        ("<failure/><rerunFailure/>", CaseStatus.FAILED),
        ("<error/><rerunError/>", CaseStatus.ERROR),
    ],
)
def test_the_worst_element_makes_the_status(inner: str, status: CaseStatus) -> None:
    [case], _, faults = read(suite(f'<testcase name="a">{inner}</testcase>'))
    assert case.status is status
    assert faults == []


@pytest.mark.parametrize(
    ("attribute", "status"),
    [
        ('status="notrun"', CaseStatus.SKIPPED),
        ('status="run" result="suppressed"', CaseStatus.SKIPPED),
        ('status="disabled"', CaseStatus.SKIPPED),
        ('status="Failed"', CaseStatus.FAILED),
        ('result="error"', CaseStatus.ERROR),
        ('status="run" result="completed"', CaseStatus.PASSED),
    ],
)
def test_a_status_attribute_counts_when_no_element_does(attribute: str, status: CaseStatus) -> None:
    [case], _, _ = read(suite(f'<testcase name="a" {attribute}/>'))
    assert case.status is status


def test_messages_outputs_properties_and_attachments_are_kept() -> None:
    [case], _, faults = read(
        suite(
            '<testcase name="a"><properties><property name="crosswind.nodeid" value="t.py::a"/>'
            '<property name="note">in the text</property></properties>'
            '<failure message="boom" type="Assert">trace <b>bold</b> end</failure>'
            '<rerunFailure message="again"><stackTrace>inner</stackTrace><system-out>no</system-out></rerunFailure>'
            "<system-out>out [[ATTACHMENT|shots/a.png]]</system-out><system-err>err</system-err></testcase>"
        )
    )
    assert faults == []
    [problem] = case.problems
    assert (problem.kind, problem.message, problem.type) == ("failure", "boom", "Assert")
    assert problem.text == "trace bold end"
    [rerun] = case.reruns
    assert (rerun.kind, rerun.message, rerun.text) == ("rerunFailure", "again", "inner")
    assert case.output.startswith("out ")
    assert case.error_output == "err"
    assert case.attachments == ("shots/a.png",)
    assert case.node_id == "t.py::a"
    assert case.properties[1] == ("note", "in the text")


def test_a_suites_own_error_is_told_with_the_suite() -> None:
    cases, suites, faults = read(suite('<error message="set-up failed">why</error>', 'name="s" errors="1"'))
    assert cases == []
    assert faults == []
    assert suites[0].problems[0].message == "set-up failed"


def test_a_namespace_and_a_lone_suite_as_root_are_understood() -> None:
    [case], _, faults = read('<j:testsuite xmlns:j="urn:x" name="s"><j:testcase name="a"/></j:testsuite>')
    assert (case.name, case.suites, faults) == ("a", ("s",), [])


def test_doubled_names_are_all_kept() -> None:
    cases, _, faults = read(suite('<testcase name="a"/><testcase name="a"><failure/></testcase>'))
    assert [case.status for case in cases] == [CaseStatus.PASSED, CaseStatus.FAILED]
    assert faults == []


def test_a_truncated_report_keeps_what_was_read_and_says_so() -> None:
    whole = suite('<testcase name="a"/><testcase name="b"><failure message="m">text</failure></testcase>')
    cases, _, faults = read(whole[: whole.index("text") + 2])
    assert [(case.name, case.status) for case in cases] == [
        ("a", CaseStatus.PASSED),
        ("b", CaseStatus.FAILED),
    ]
    assert len(faults) == 1
    assert "not read" in faults[0]


def test_a_case_that_was_cut_off_before_its_end_is_not_taken_for_passed() -> None:
    cases, _, faults = read('<testsuites><testsuite name="s"><testcase name="a"/><testcase name="b">')
    assert [case.name for case in cases] == ["a"]
    assert "'b' has no known end" in faults[0]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd"><testsuites/>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuites><testsuite>&x;</testsuite></testsuites>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><testsuites/>',
        "<!DOCTYPE testsuites><testsuites/>",
    ],
)
def test_a_document_type_is_refused_before_any_entity_is_declared(text: str) -> None:
    cases, suites, faults = read(text)
    assert (cases, suites) == ([], [])
    assert "document type" in faults[0]
    assert "root:" not in "".join(faults)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("   ", "not read"),
        ("<html><body/></html>", "not JUnit XML"),
        ("{}", "not read"),
        (suite("&nbsp;"), "not read"),
        (suite("<testcase/>"), "no name"),
        (suite('<testcase name="a"><testcase name="b"/></testcase>'), "inside another"),
        (suite("", 'name="s" tests="5"'), "declares 5 tests"),
        (suite('<testcase name="a"/>', 'name="s" tests="1" failures="2"'), "declares 2 failures"),
    ],
)
def test_what_cannot_be_read_is_a_fault_with_its_place(text: str, why: str) -> None:
    _, _, faults = read(text)
    assert faults
    assert why in faults[0]
    assert faults[0].startswith("report.xml, line ")


def test_a_fault_of_a_suite_is_told_once_and_not_again_for_its_parents() -> None:
    _, _, faults = read(
        '<testsuites tests="5"><testsuite name="a" tests="5"><testsuite name="b" tests="5"/></testsuite></testsuites>'
    )
    assert len(faults) == 1


def test_assertion_counts_in_the_tests_attribute_are_no_fault() -> None:
    _, _, faults = read(suite('<testcase name="a"/>', 'name="s" tests="40"'))
    assert faults == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<testsuites>" + "<testsuite>" * 30 + "</testsuite>" * 30 + "</testsuites>", "deeper than 20"),
        (suite('<testcase name="a"/>' * 60), "more than 50"),
        (suite('<testcase name="a">' + "x" * 200_000 + "</testcase>"), "larger than 100000"),
    ],
)
def test_each_limit_is_kept_and_told(text: str, why: str) -> None:
    _, _, faults = read(text, SMALL)
    assert why in faults[-1]


@pytest.mark.parametrize(
    "token", [f'<testcase name="{"x" * 900_000}"/>', f"<!--{'x' * 900_000}-->", f"<?pi {'x' * 900_000}?>"]
)
def test_one_endless_tag_is_refused_before_it_fills_the_memory(token: str) -> None:
    _, _, faults = read(suite(token), ReportLimits(token_bytes=200_000))
    assert "longer than 200000" in faults[-1]


def test_long_texts_are_cut_and_marked() -> None:
    [case], _, faults = read(
        suite(
            f'<testcase name="{"n" * 300}"><failure message="{"m" * 300}">{"t" * 300}</failure>'
            f"<system-out>{'o' * 300}</system-out></testcase>"
        ),
        SMALL,
    )
    assert faults == []
    assert case.name == "n" * 100 + MARK
    assert case.problems[0].message == "m" * 100 + MARK
    assert case.problems[0].text == "t" * 100 + MARK
    assert case.output == "o" * 100 + MARK


def test_properties_of_one_case_are_bounded() -> None:
    many = "".join(f'<property name="p{number}" value="v"/>' for number in range(50))
    [case], _, _ = read(suite(f'<testcase name="a"><properties>{many}</properties></testcase>'), SMALL)
    assert len(case.properties) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(encoding: str) -> None:
    label = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{label}"?>' + suite('<testcase name="café"/>')
    cases, _, faults = read(text.encode(encoding))
    assert [case.name for case in cases] == ["café"]
    assert faults == []


@pytest.mark.parametrize("label", ["no-such-code", "zlib_codec", "shift_jis", "utf-7"])
def test_an_encoding_that_cannot_be_read_is_a_fault(label: str) -> None:
    text = f'<?xml version="1.0" encoding="{label}"?>' + suite('<testcase name="a"/>')
    cases, _, faults = read(text)
    assert faults or [case.name for case in cases] == ["a"]


def test_bytes_that_are_no_text_in_the_declared_encoding_are_a_fault() -> None:
    data = suite('<testcase name="ok"/><testcase name="X"/>').encode().replace(b"X", b"\xff\xfe")
    cases, _, faults = read(data)
    assert [case.name for case in cases] == ["ok"]
    assert len(faults) == 1


class Endless:
    """A stream that goes on for ever; remembers how much was asked of it."""

    def __init__(self, start: bytes, piece: bytes) -> None:
        self.given = 0
        self._start = start
        self._piece = piece

    def read(self, size: int = -1) -> bytes:
        data = self._piece * (size // len(self._piece)) if self.given else self._start
        self.given += len(data)
        return data


def test_an_endless_stream_is_left_at_the_limit() -> None:
    stream = Endless(b"<testsuites><testsuite name='s'>", b"<testcase name='a'/>" * 8)
    faults = [
        item
        for item in JUnitReader(ReportLimits(file_bytes=1_000_000)).read(
            cast("BinaryIO", stream), name="endless.xml"
        )
        if isinstance(item, ReportFault)
    ]
    assert "larger than" in str(faults[-1])
    assert stream.given < 1_200_000


def test_cases_come_while_the_file_is_still_being_read() -> None:
    stream = Endless(b"<testsuites><testsuite name='s'>", b"<testcase name='a'/>" * 8)
    items: Iterator[ReportItem] = JUnitReader().read(cast("BinaryIO", stream), name="endless.xml")
    for _ in range(10):
        assert isinstance(next(items), ReportedCase)
    assert stream.given < 300_000


_PIECES = st.lists(
    st.sampled_from(
        [
            "<testsuites>",
            "</testsuites>",
            "<testsuite name='s'>",
            "</testsuite>",
            "<testcase name='a'>",
            "</testcase>",
            "<testcase name='b'/>",
            "<failure message='m'>",
            "</failure>",
            "<error/>",
            "<skipped/>",
            "<properties>",
            "</properties>",
            "<property name='n' value='v'/>",
            "<system-out>[[ATTACHMENT|x]]</system-out>",
            "<rerunFailure>",
            "</rerunFailure>",
            "<flakyError/>",
            "<![CDATA[ text ]]>",
            "&#0;",
            "&amp;",
            "<!DOCTYPE x>",
            "<?pi x?>",
            "text",
            "\x1b",
        ]
    ),
    max_size=30,
)


@settings(deadline=None)
@given(_PIECES)
def test_any_mixture_of_elements_gives_values_and_no_exception(pieces: list[str]) -> None:
    read("<testsuites>" + "".join(pieces), SMALL)
    read("".join(pieces), SMALL)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_values_and_no_exception(data: bytes) -> None:
    cases, _, faults = read(data, SMALL)
    assert cases == []
    assert faults


_WHOLE = suite(
    '<testcase name="a"/><testcase name="b"><failure>f</failure></testcase><testcase name="c"><skipped/></testcase>',
    'name="s" tests="3" failures="1"',
).encode()


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(_WHOLE) - 1))
def test_every_truncation_is_told_and_invents_no_pass(length: int) -> None:
    cases, _, faults = read(_WHOLE[:length])
    assert faults
    passed = [case.name for case in cases if case.status is CaseStatus.PASSED]
    assert passed in ([], ["a"])


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(_WHOLE) - 1), st.integers(min_value=0, max_value=255))
def test_a_changed_byte_never_makes_the_failure_vanish_in_silence(position: int, value: int) -> None:
    data = bytearray(_WHOLE)
    data[position] = value
    cases, suites, faults = read(bytes(data))
    red = [case for case in cases if case.status in {CaseStatus.FAILED, CaseStatus.ERROR}]
    assert red or faults or any(each.problems for each in suites)
