"""Which failures are one cause: stacks of real tools, with values that change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reporting.clustering import cluster, normalise, signature
from crosswind.runs.reporting.diffs import Diff, read_diff
from crosswind.runs.reporting.stacks import read_stack
from tests.unit.runs.reporting import stacks_of_tools as tools
from tests.unit.runs.reporting.samples import case


def filled(template: str, number: int) -> str:
    return template.replace("{number}", str(number)).replace("{name}", f"n{number}")


@pytest.mark.parametrize(
    ("one", "other", "normal"),
    [
        ("took 31 ms", "took 4.5e3 ms", "took <n> ms"),
        ("no order 0x7f3a", "no order 0xFFEE01", "no order <hex>"),
        ("commit deadbeef01", "commit 0a1b2c3d4e5f", "commit <hex>"),
        (
            "user 6d0f3c57-2c0a-5b0e-9c56-0f6c1d1f7a11",
            "user 00000000-0000-0000-0000-000000000001",
            "user <uuid>",
        ),
        ("GET http://a:1/b?c=1 failed", "GET https://x.example/y failed", "GET <url> failed"),
        ("cannot read /tmp/a/b.txt", "cannot read ./c/d-1.json", "cannot read <path>"),
        ("cannot read C:\\a\\b.txt", "cannot read /x", "cannot read <path>"),
        ("at 2026-11-23T07:00:01.5Z it ended", "at 2025-01-02 it ended", "at <time> it ended"),
        ("key 'a' is missing", 'key "b c" is missing', "key <text> is missing"),
        ("\x1b[31mred\x1b[0m 1", "red 22", "red <n>"),
    ],
)
def test_values_do_not_tell_messages_apart(one: str, other: str, normal: str) -> None:
    assert normalise(one) == normalise(other) == normal


def test_words_with_an_apostrophe_and_http_statuses_stay() -> None:
    assert normalise("it doesn't work, isn't it") == "it doesn't work, isn't it"
    assert normalise("status code 404") == "status code 404"
    assert normalise("status code 404") != normalise("status code 503")
    assert normalise("<Response [503]>") == "<Response [503]>"


@pytest.mark.parametrize(
    ("template", "exception", "frames"),
    [
        (tools.PYTEST, "AssertionError", ["test_checkout.py"]),
        (
            tools.PYTEST_DEEP,
            "ConnectionError",
            ["client.py _send", "client.py login", "test_n7.py test_n7"],
        ),
        (tools.PYTHON, "OutOfStockError", ["stock.py reserve"]),
        (tools.PLAYWRIGHT, "Error", ["cart.ts CartPage.expectTotal", "cart.spec.ts"]),
        (
            tools.JAVA,
            "ConnectException",
            ["Pool.java shop.net.Pool.open", "PayClient.java shop.pay.PayClient.pay"],
        ),
        (tools.GO_PANIC, "panic", ["client.go pay.(*Client).Pay", "client_test.go pay_test.TestPays"]),
        (tools.TESTIFY, "Error", ["client_test.go"]),
        (tools.JEST, None, ["cart.test.ts Object.<anonymous>"]),
    ],
    ids=["pytest", "pytest-deep", "python", "playwright", "java", "go", "testify", "jest"],
)
def test_the_exception_and_the_frames_of_each_tool(
    template: str, exception: str | None, frames: list[str]
) -> None:
    stack = read_stack(None, filled(template, 7))
    assert stack.exception == exception
    assert [str(frame) for frame in stack.frames] == frames


@pytest.mark.parametrize(
    "template",
    [
        tools.PYTEST_DEEP,
        tools.PYTHON,
        tools.PLAYWRIGHT,
        tools.JAVA,
        tools.GO_PANIC,
        tools.TESTIFY,
    ],
    ids=["pytest", "python", "playwright", "java", "go", "testify"],
)
def test_one_cause_is_one_cluster_whatever_the_values_and_the_test(template: str) -> None:
    assert signature(None, filled(template, 12)).key == signature(None, filled(template, 39)).key


def test_different_tools_failures_are_different_causes() -> None:
    texts = (tools.PYTEST, tools.PYTEST_DEEP, tools.PYTHON, tools.PLAYWRIGHT, tools.JAVA, tools.GO_PANIC)
    assert len({signature(None, filled(text, 5)).key for text in texts}) == len(texts)


def test_messages_that_say_nothing_are_told_apart_by_the_tests_file() -> None:
    def key(file: str) -> str:
        return signature("assert 1 == 2", f"tests/{file}:3: AssertionError").key

    assert key("test_a.py") != key("test_b.py")
    assert key("test_a.py") == signature("assert 5 == 7", "tests/test_a.py:90: AssertionError").key


def test_failures_are_counted_by_cause_and_the_new_ones_come_first() -> None:
    refused = [
        case(n, CaseStatus.FAILED, message=f"connection to 10.0.0.{n} refused by peer") for n in range(400)
    ]
    timed_out = [
        case(n, CaseStatus.ERROR, message=f"gave up waiting after {n} ms of silence") for n in range(11)
    ]
    odd = [case(1, CaseStatus.MISSING, message="no record of this test came back")]
    known = {signature(refused[0].message, None).key, signature(timed_out[0].message, None).key}
    cases, summary = cluster(
        [*refused, *timed_out, *odd, case(2)], known=known, compared_with=("run-1", "run-2")
    )
    assert summary.sentence == "412 failures, 3 causes, 1 new"
    assert [(each.count, each.new) for each in summary.clusters] == [(1, True), (400, False), (11, False)]
    assert cases[0].cluster == summary.clusters[1].key
    assert cases[-1].cluster is None


def test_nothing_is_called_new_where_nothing_is_known_of_runs_before() -> None:
    _, summary = cluster([case(1, CaseStatus.FAILED, message="it broke")])
    assert summary.sentence == "1 failure, 1 cause"
    assert summary.clusters[0].new is None


@given(st.text(max_size=400), st.text(max_size=2_000))
def test_any_text_has_a_signature_and_a_message_is_normal_after_once(message: str, details: str) -> None:
    assert len(signature(message, details).key) == 16
    read_diff(message, details)


@pytest.mark.parametrize(
    "text", ["'" * 40_000, "a/" * 30_000, "0x" * 30_000, "E  " * 30_000, "at (" * 20_000, "-1" * 40_000]
)
def test_no_text_takes_long(text: str) -> None:
    assert len(signature(text, text).key) == 16
    assert read_diff(text, text) is None


@pytest.mark.parametrize(
    ("details", "diff"),
    [
        (tools.PYTEST, Diff("200", "503")),
        (tools.PLAYWRIGHT, Diff('"€ 12.00"', '"€ 0.00"')),
        (tools.JEST, Diff('{"total": 12}', '{"total": 0}')),
        (tools.TESTIFY, Diff("200", "503")),
        ("org.opentest4j.AssertionFailedError: expected: <a> but was: <b>", Diff("a", "b")),
        ("AssertionError: expected 1 to equal 2", Diff("2", "1")),
        ("- Expected\n+ Received\n\n  a\n- b\n+ c", Diff("b", "c")),
        (tools.JAVA, None),
        (None, None),
    ],
)
def test_both_sides_of_a_comparison(details: str | None, diff: Diff | None) -> None:
    assert read_diff(None, details) == diff
