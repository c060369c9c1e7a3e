"""Every form: whole, escaped, bounded, and never green for what was not."""

import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.requests import VerdictKind, VerdictView
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reporting import Format, RunReport, render
from crosswind.runs.reporting.assembling import from_cases, from_items
from crosswind.runs.reporting.model import LoadMetric, LoadPoint, LoadReport, LoadSeries
from crosswind.runs.reporting.timeline import draw, plot
from crosswind.runs.reports import Problem, ReportedCase, ReportedSuite, ReportFault
from tests.unit.runs.reporting.ctrf_schema import CTRF
from tests.unit.runs.reporting.samples import case, every_kind, report, shards, view

MEGABYTE = 1_000_000
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)></pre></code></details></summary>"
    "\n\n# h\n[a](javascript:b) ![i](http://evil.example/i.png) @everyone `x` ]]> &amp; \x00\x1b[31m\ud800\ufffe"
)
# What a broken test may write: control characters and halves of surrogate pairs too.
ANY_TEXT = st.text(st.characters(blacklist_categories=()), max_size=80)


class Page(HTMLParser):
    """Tags, their attributes, and what closes what."""

    VOID = frozenset({"meta", "img", "br", "hr", "input", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def html(made: RunReport) -> str:
    return render(made, Format.HTML).decode()


def figures(data: bytes) -> tuple[Counter[CaseStatus], list[Any]]:
    items = list(JUnitReader().read(io.BytesIO(data), name="junit.xml"))
    cases = [item for item in items if isinstance(item, ReportedCase)]
    return Counter(each.status for each in cases), [item for item in items if isinstance(item, ReportFault)]


def test_a_page_has_its_verdict_its_failures_and_nothing_from_elsewhere() -> None:
    page = html(every_kind())
    for part in ("failed", "it broke", "expected", "Shards", "Load:", "Flaky", "Slowest", "log-shard-00001"):
        assert part in page
    assert page.count("data:image/png;base64,") == 3
    assert "image/svg+xml;" not in page
    parsed = Page(page)
    assert not parsed.open
    assert not {"script", "iframe", "link", "object", "form"} & set(parsed.tags)
    policy = dict(parsed.attributes)["content"]
    assert "default-src 'none'" in re.findall(r'Policy" content="([^"]+)"', page)[0]
    assert policy is not None
    for name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in {"src", "href"}:
            assert (value or "").startswith(("data:image/", "#"))


def test_no_text_of_a_test_becomes_markup() -> None:
    harmless, hostile = Page(html(every_kind("it broke"))), Page(html(every_kind(HOSTILE)))
    assert {tag for tag in hostile.tags if tag not in harmless.tags} == set()
    assert hostile.tags["img"] <= harmless.tags["img"]
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]


@settings(max_examples=25, deadline=None)
@given(ANY_TEXT)
def test_any_text_is_written_in_every_form(text: str) -> None:
    made = every_kind(text)
    tags = Page(html(made)).tags
    assert "script" not in tags
    ET.fromstring(render(made, Format.JUNIT))  # noqa: S314  # what we wrote ourselves
    jsonschema.validate(json.loads(render(made, Format.CTRF)), CTRF)
    assert len(render(made, Format.MARKDOWN)) > 0
    render(made, Format.MARKDOWN).decode()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CaseStatus), ANY_TEXT, ANY_TEXT), max_size=12))
def test_junit_is_read_back_with_equal_figures(rows: list[tuple[CaseStatus, str, str]]) -> None:
    cases = [
        case(number, status, name=name or "x", message=text, details=text, test=text[:20])
        for number, (status, name, text) in enumerate(rows)
    ]
    made = report(cases, verdict=None)
    seen, faults = figures(render(made, Format.JUNIT))
    want = Counter(each.status for each in cases)
    want[CaseStatus.ERROR] += want.pop(CaseStatus.MISSING, 0)
    assert seen == +want
    assert not faults


def test_junit_has_what_jenkins_schema_knows_and_no_more() -> None:
    root = ET.fromstring(render(every_kind(), Format.JUNIT))  # noqa: S314  # what we wrote ourselves
    allowed = {
        "testsuites": {"name", "time", "tests", "failures", "errors"},
        "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
        "testcase": {"name", "time", "classname"},
        **{kind: {"type", "message"} for kind in ("failure", "error", "skipped", "flakyFailure")},
    }
    for element in root.iter():
        assert set(element.attrib) <= allowed[element.tag]
        if "time" in element.attrib:
            assert re.fullmatch(r"\d+\.\d{6}", element.attrib["time"])
    suite = root[0]
    assert {"name", "tests", "failures", "errors"} <= set(suite.attrib)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "1", "2")
    assert [each.get("type") for each in root.iter("error")] == ["error", "missing"]


def test_ctrf_is_valid_and_counts_what_it_lists() -> None:
    document = json.loads(render(every_kind(), Format.CTRF))
    jsonschema.validate(document, CTRF)
    summary = document["results"]["summary"]
    assert {name: summary[name] for name in ("tests", "passed", "failed", "skipped", "flaky")} == {
        "tests": 6,
        "passed": 2,
        "failed": 3,
        "skipped": 1,
        "flaky": 1,
    }
    assert summary["stop"] - summary["start"] == 98_000


@pytest.mark.parametrize(
    "kind", [VerdictKind.ERROR, VerdictKind.INCONCLUSIVE, VerdictKind.FAILED, VerdictKind.CANCELLED]
)
def test_a_run_that_is_not_green_is_not_green_in_any_form(kind: VerdictKind) -> None:
    made = report([case(1), case(2)], verdict=VerdictView(kind=kind, reason="records are missing"))
    assert figures(render(made, Format.JUNIT))[0][CaseStatus.ERROR] == 1
    assert json.loads(render(made, Format.CTRF))["results"]["summary"]["failed"] == 1
    assert f'class="verdict {kind.value}"' in html(made)
    assert "records are missing" in render(made, Format.MARKDOWN).decode()


def test_a_run_that_goes_on_is_not_green() -> None:
    made = report([case(1)], verdict=None, complete=False)
    assert figures(render(made, Format.JUNIT))[0][CaseStatus.ERROR] == 1
    assert "going on" in html(made)
    assert "going on" in render(made, Format.MARKDOWN).decode()


def test_json_is_the_whole_report() -> None:
    made = every_kind()
    assert RunReport.model_validate_json(render(made, "json")) == made


@pytest.mark.parametrize(
    ("number", "text"),
    [(1_000, "x" * 16_000), (1_000, "🔥" * 4_000), (1_000, "'<&" * 6_000), (10_000, "'<&" * 100)],
    ids=["plain", "fire", "quotes", "many"],
)
def test_a_page_is_below_a_megabyte_whatever_failed(number: int, text: str) -> None:
    file = {
        "path": text[:300] + ".png",
        "work_id": "shard-00000",
        "content_type": "image/png",
        "data": "A" * 60_000,
    }
    cases = [
        case(
            n,
            CaseStatus.FAILED,
            name=f"{n} {text[:2000]}",
            message=text,
            details=text,
            files=(file,) if n < 50 else (),
        )
        for n in range(number)
    ]
    logs = tuple(each.model_copy(update={"log_tail": text, "failed": 1}) for each in shards(300))
    made = report(cases, shards=logs)
    page = html(made)
    assert len(page.encode()) < MEGABYTE
    assert "more failures" in page
    comment = render(made, Format.MARKDOWN).decode()
    assert len(comment) < 65_536
    assert comment.count("<details>") == comment.count("</details>")


def test_ten_thousand_passing_tests_are_listed_as_far_as_there_is_room() -> None:
    page = html(report([case(n) for n in range(10_000)]))
    assert len(page) < MEGABYTE / 2
    assert "of 10,000, failed first" in page


def test_no_name_acts_in_a_comment() -> None:
    comment = render(every_kind(HOSTILE), Format.MARKDOWN).decode()
    known = {"details", "summary", "code", "sub", "pre"}
    assert set(Page(comment).tags) <= known
    outside = re.sub(r"&#\d+;|<[^>]*>", "", comment)
    for danger in ("](", "![", "`", "javascript:", "http:"):
        assert danger not in outside
    shown = re.sub(r"<(code|pre)>.*?</\1>", "", comment, flags=re.DOTALL)
    assert "&#64;\u200beveryone" in shown
    assert "&#64;everyone" not in shown


def test_a_comment_folds_failures_and_tells_causes() -> None:
    cases = [case(n, CaseStatus.FAILED, message=f"cannot reach shop-{n}", details="a\n\nb") for n in range(3)]
    comment = render(report([*cases, case(9)]), Format.MARKDOWN).decode()
    assert comment.startswith("### ❌ demo/shop: failed\n")
    assert "| tests | passed | failed |" in comment
    assert "3 failures, 1 cause" in comment
    assert comment.count("<details><summary>failed") == 3
    assert "<pre>a\n&#8203;\nb</pre>" in comment


def test_a_report_is_made_of_cases_alone() -> None:
    made = from_cases([view(1, CaseStatus.FAILED), view(2, CaseStatus.PASSED)], title="local")
    assert made.verdict == VerdictView(kind=VerdictKind.FAILED, reason="1 of 2 tests failed")
    assert "local" in html(made)
    for form in Format:
        assert render(made, form)


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((), VerdictKind.INCONCLUSIVE),
        ((CaseStatus.SKIPPED,), VerdictKind.SKIPPED),
        ((CaseStatus.PASSED, CaseStatus.FLAKY, CaseStatus.SKIPPED), VerdictKind.PASSED),
        ((CaseStatus.PASSED, CaseStatus.MISSING), VerdictKind.FAILED),
    ],
)
def test_the_verdict_of_cases_alone(statuses: tuple[CaseStatus, ...], kind: VerdictKind) -> None:
    made = from_cases([view(n, status) for n, status in enumerate(statuses)], title="x")
    assert made.verdict is not None
    assert made.verdict.kind is kind


def test_what_a_reader_could_not_read_is_not_green() -> None:
    good = ReportedCase(
        name="a", class_name="A", suites=("s",), status=CaseStatus.PASSED, duration_seconds=1, line=1
    )
    suite = ReportedSuite(path=("s",), line=2, problems=(Problem("error", "no server", None, "trace"),))
    fault = ReportFault("a.xml:9", "the file ends in the middle")
    assert from_items([good], title="x").verdict == VerdictView(
        kind=VerdictKind.PASSED, reason="1 tests passed"
    )
    torn = from_items([good, fault], title="x")
    assert torn.verdict is not None
    assert torn.verdict.kind is VerdictKind.INCONCLUSIVE
    assert torn.notes == ("a.xml:9: the file ends in the middle",)
    broken = from_items([good, suite], title="x")
    assert broken.verdict is not None
    assert broken.verdict.kind is VerdictKind.FAILED
    assert [each.message for each in broken.failures] == ["no server"]


def test_the_timeline_of_many_shards_keeps_those_that_failed() -> None:
    many = tuple(
        each.model_copy(update={"failed": 1 if place % 100 == 7 else 0})
        for place, each in enumerate(shards(1_000))
    )
    drawn = draw(many)
    assert drawn is not None
    assert (len(drawn.bars), drawn.left_out) == (120, 880)
    assert sum(bar.kind == "bad" for bar in drawn.bars) == 10
    assert all(0 <= bar.x <= bar.x + bar.width <= drawn.width for bar in drawn.bars)
    assert draw(()) is None


def test_a_peak_of_a_load_stays_in_its_chart() -> None:
    points = tuple(LoadPoint(seconds=n, value=1000 if n == 7_777 else 1) for n in range(20_000))
    line = plot(LoadSeries(name="p99", unit="ms", points=points))
    assert line is not None
    assert (line.top, line.seconds) == (1000, 19_999)
    assert len(line.points.split()) <= 600
    assert plot(LoadSeries(name="one", points=points[:1])) is None


def test_a_comment_tells_what_load_tests_measured_and_which_thresholds_broke() -> None:
    load = LoadReport(
        test="buy",
        metrics=(
            LoadMetric(name="p95", value=1234.5, unit="ms", baseline=800.0),
            LoadMetric(name="error_rate", value=0.02, threshold="rate<1%", held=False),
        ),
    )

    comment = render(report([case(0)], load=(load,)), Format.MARKDOWN).decode()

    assert "**Load: buy**" in comment
    assert "| <code>p95</code> | 1,234 ms |  | 800 ms |" in comment
    assert "| <code>error_rate</code> | 0.02 | ❌ <code>rate&#60;1%</code> |  |" in comment
