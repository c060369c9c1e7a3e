"""Formulas of conditions and matrices. Input: a text and parameters. Output: a value, or what is wrong. Pure."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.suites import Scalar
from crosswind.runs.formulas import FormulaError, condition, faults, is_formula, values

GIVEN: dict[str, Scalar] = {"full": True, "region": "eu-west-1", "users": 20, "browsers": "chrome, firefox"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("${{ parameters.full }}", True),
        ("${{ !parameters.full }}", False),
        ("${{ !!parameters.full }}", True),
        ("${{ parameters.region == 'eu-west-1' }}", True),
        ('${{ parameters.region != "eu-west-1" }}', False),
        ("${{ parameters.users >= 20 && parameters.users < 21 }}", True),
        ("${{ parameters.users > 20 || parameters.full == true }}", True),
        ("${{ false || (true && !(1 == 2)) }}", True),
        ("${{ parameters.full == 1 }}", False),
        ("  ${{ true }}  ", True),
    ],
)
def test_conditions_hold_or_not(text: str, holds: bool) -> None:
    assert condition(text, GIVEN) is holds
    assert faults(text, GIVEN.keys()) == []


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("${{ split(parameters.browsers) }}", ("chrome", "firefox")),
        ("${{ split('a;b', ';') }}", ("a", "b")),
        ("${{ range(3) }}", (0, 1, 2)),
        ("${{ range(2, 4) }}", (2, 3)),
        ("${{ json('[1, \"x\", true]') }}", (1, "x", True)),
        ("${{ parameters.region }}", ("eu-west-1",)),
    ],
)
def test_formulas_give_a_matrix_its_values(text: str, listed: tuple[Scalar, ...]) -> None:
    assert values(text, GIVEN) == listed


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("${{ parameters.nope }}", "there is no parameter `nope`"),
        ("${{ secrets.password }}", "`secrets.password` is neither"),
        ("${{ 1 + 1 }}", "`+ 1` cannot be read"),
        ("${{ (true }}", "`)` is missing before `its end`"),
        ("${{ true true }}", "`true` stands where it should end"),
        ("${{ true && }}", "it ends too early"),
        ("${{ split() }}", "`split` takes 1 to 2 values"),
        ("${{ " + "(" * 60 + "true" + ")" * 60 + " }}", "it is nested too deeply"),
        ("parameters.full", "it is not one `${{ … }}`"),
    ],
)
def test_a_wrong_formula_is_told_before_any_value_is_known(text: str, fault: str) -> None:
    [found] = faults(text, GIVEN.keys())
    assert fault in found


@pytest.mark.parametrize(
    "text", ["${{ parameters.users }}", "${{ 'x' < 1 }}", "${{ parameters.region && true }}"]
)
def test_a_condition_has_to_be_true_or_false(text: str) -> None:
    with pytest.raises(FormulaError):
        condition(text, GIVEN)


@pytest.mark.parametrize(
    "text",
    [
        "${{ range(0) }}",
        "${{ range(100000) }}",
        "${{ split('a,a') }}",
        "${{ json('{}') }}",
        "${{ range(1.5) }}",
    ],
)
def test_a_matrix_needs_some_values_each_once(text: str) -> None:
    with pytest.raises(FormulaError):
        values(text, GIVEN)


def test_two_formulas_in_one_text_are_a_text() -> None:
    assert is_formula("${{ true }}")
    assert not is_formula("${{ true }} and ${{ false }}")
    assert not is_formula("chrome")


@given(st.text(max_size=200))
def test_any_text_is_a_formula_or_told_of(text: str) -> None:
    for candidate in (text, "${{" + text + "}}"):
        if not faults(candidate, ()):
            with contextlib.suppress(FormulaError):
                values(candidate, {})
