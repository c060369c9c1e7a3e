"""News of tests from what frameworks print: real lines of each tool, and that no line or template can hold it up."""

# ruff: noqa: RUF001  # characters as the tools print them

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.adapters.frameworks.lines import LONGEST_LINE, LineProgress, LineTemplate
from crosswind.contracts.frameworks import ProgressSpec
from crosswind.runs.frameworks.catalogue import builtin_manifest

STARTED = ""

REAL = {
    "playwright": (
        (
            "Running 3 tests using 1 worker\n\n"
            "  ✓  1 [chromium] › tests/cart.spec.js:5:3 › cart › adds a mug (twice) (1.2s)\n"
            "  \x1b[31m✘\x1b[39m  2 tests/cart.spec.js:9:3 › cart › pays (5.0s)\n"
            "  -  3 tests/cart.spec.js:12:8 › cart › returns\n"
        ),
        [("cart › adds a mug (twice)", "passed"), ("cart › pays", "failed"), ("cart › returns", "skipped")],
    ),
    "newman": (
        (
            "shop\n\n❏ catalogue\n↳ list products\n  GET http://127.0.0.1:1/products [200 OK, 212B, 9ms]\n"
            "  ✓  answers\n  1. has a mug\n\n┌─────────┬──────┐\n  ✓  not news any more\n"
        ),
        [("list products", STARTED), ("answers", "passed"), ("has a mug", "failed")],
    ),
    "jest": (
        "PASS tests/cart.test.js\nFAIL tests/pay.test.js\n  ● pays\nSummary of all failing tests\nFAIL tests/pay.test.js\n",
        [("tests/cart.test.js", "passed"), ("tests/pay.test.js", "failed")],
    ),
    "vitest": (
        (
            " ✓ tests/cart.test.js (5 tests) 12ms\n ✓ tests/one.test.js (1 test) 2ms\n"
            " ❯ tests/pay.test.js (3 tests | 1 failed) 20ms\n   × pays 4ms\n"
        ),
        [("tests/cart.test.js", "passed"), ("tests/one.test.js", "passed"), ("tests/pay.test.js", "failed")],
    ),
    "unittest": (
        (
            "Running tests...\n----\n test_adds (tests.test_cart.Cart.test_adds) ... ok (0.001s)\n"
            " test_pays (tests.test_cart.Cart.test_pays) ... FAIL (0.002s)\n"
            " test_late (tests.test_cart.Cart.test_late) ... skip (0.000s)\n"
        ),
        [
            ("tests.test_cart.Cart.test_adds", "passed"),
            ("tests.test_cart.Cart.test_pays", "failed"),
            ("tests.test_cart.Cart.test_late", "skipped"),
        ],
    ),
    "maven": (
        (
            "[INFO] Running shop.CartTest\n"
            "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.05 s -- in shop.CartTest\n"
            "[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.1 s <<< FAILURE! -- in shop.PayTest\n"
            "[INFO] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0\n"
        ),
        [("shop.CartTest", STARTED), ("shop.CartTest", "passed"), ("shop.PayTest", "failed")],
    ),
    "cypress": ("  Running:  cart.cy.js                (1 of 2)\n", [("cart.cy.js", STARTED)]),
}


def news_of(progress: LineProgress) -> list[tuple[object, object]]:
    return [(line["id"], line.get("outcome", STARTED)) for line in progress.poll()]


def spec_of(framework: str) -> ProgressSpec:
    manifest = builtin_manifest(framework)
    assert manifest is not None
    assert manifest.spec.progress is not None
    return manifest.spec.progress


@pytest.mark.parametrize("framework", sorted(REAL))
def test_each_tools_lines_are_news_of_its_tests(framework: str) -> None:
    text, expected = REAL[framework]
    progress = LineProgress(spec_of(framework))

    progress.feed(text.encode())

    assert news_of(progress) == expected
    assert progress.done == sum(outcome != STARTED for _, outcome in expected)
    assert progress.failed == sum(outcome == "failed" for _, outcome in expected)


def test_robots_lines_of_suites_are_no_tests_where_tests_are_planned() -> None:
    progress = LineProgress(
        spec_of("robot"), planned=["Shop.Cart.Adds a mug", "Shop.Cart.Pays"], separator="."
    )

    progress.feed(
        b"Adds a mug        | PASS |\nPays              | FAIL |\nNo mug left\n"
        b"Shop.Cart         | FAIL |\n2 tests, 1 passed, 1 failed\nShop              | FAIL |\n"
    )

    assert news_of(progress) == [("Shop.Cart.Adds a mug", "passed"), ("Shop.Cart.Pays", "failed")]


def test_a_name_that_means_several_planned_tests_is_told_as_it_stands() -> None:
    progress = LineProgress(
        ProgressSpec(passed=("ok {name}",)), planned=["a › x", "b › x", "b › y"], separator=" › "
    )

    progress.feed(b"ok x\nok y\nok z\n")

    assert news_of(progress) == [("x", "passed"), ("b › y", "passed"), ("z", "passed")]


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 7))
def test_lines_are_the_same_however_the_output_is_cut(parts: list[bytes], size: int) -> None:
    whole = b"\n".join(parts) + "\n✓ 1 a:1:1 › b (2s)\n".encode()
    at_once, in_pieces = LineProgress(spec_of("playwright")), LineProgress(spec_of("playwright"))

    at_once.feed(whole)
    for start in range(0, len(whole), size):
        in_pieces.feed(whole[start : start + size])

    assert in_pieces.poll() == at_once.poll()


@given(st.text(alphabet="ab {}n:()", max_size=60), st.text(alphabet="ab1 :()", max_size=200))
def test_no_template_and_no_line_is_an_error(template: str, line: str) -> None:
    try:
        read = LineTemplate.of(template)
    except ValueError:
        assert template.count("{name}") != 1
        return
    name = read.match(line)
    assert name is None or name in line


def test_a_line_without_an_end_is_held_no_longer_than_a_line_may_be() -> None:
    progress = LineProgress(ProgressSpec(passed=("ok {name}",)))

    for _ in range(100):
        progress.feed(b"ok " + b"x" * 10_000)
    progress.feed(b"\nok y\n")

    (first, _), (second, _) = news_of(progress)
    assert len(str(first)) <= LONGEST_LINE
    assert second == "y"
