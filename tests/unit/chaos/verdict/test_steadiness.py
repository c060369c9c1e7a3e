"""What samples say: of probes, of guards, of the way back."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos.steadiness import UNKNOWN_IN_A_ROW, observe
from crosswind.chaos.tolerance import Judge
from crosswind.contracts.chaos.monitoring import SampleStatus
from crosswind.contracts.chaos.probes import Phase, Tolerance
from tests.unit.chaos.verdict.evidence import at, guard, probe, sample

OUTSIDE, UNKNOWN, WITHIN = SampleStatus.OUTSIDE, SampleStatus.UNKNOWN, SampleStatus.WITHIN


def slo(seconds: float, status: SampleStatus = OUTSIDE) -> Any:
    return sample(seconds, status, name="slo", of_guard=True)


def test_one_sample_out_of_tolerance_breaches_a_guard() -> None:
    seen = observe((probe(),), (guard(),), [slo(1, WITHIN), slo(2)])
    assert seen.breach is not None
    assert (seen.breach.guard, seen.breach.at) == ("slo", at(2))


def test_a_guard_with_a_duration_is_breached_when_it_was_out_for_so_long_without_a_break() -> None:
    watched = (guard(breached_for="3s"),)
    assert observe((), watched, [slo(1), slo(2), slo(3, WITHIN), slo(4), slo(6)]).breach is None
    seen = observe((), watched, [slo(4), slo(6), slo(7)])
    assert seen.breach is not None
    assert seen.breach.at == at(7)


def test_a_guard_that_cannot_be_measured_is_breached_too() -> None:
    silent = [slo(second, UNKNOWN) for second in range(UNKNOWN_IN_A_ROW)]
    assert observe((), (guard(),), silent[:-1]).breach is None
    seen = observe((), (guard(),), silent)
    assert seen.breach is not None
    assert "could not be measured" in seen.breach.reason


def test_guards_are_breached_under_fault_only() -> None:
    calm = sample(1, OUTSIDE, name="slo", of_guard=True, phase=Phase.BEFORE)
    assert observe((), (guard(),), [calm]).breach is None


def test_the_ratio_counts_what_is_unknown_as_not_within() -> None:
    seen = observe((probe(ratio=0.5),), (), [sample(1), sample(2, UNKNOWN), sample(3, OUTSIDE)])
    (summary,) = seen.summaries()
    assert (summary.samples, summary.within, summary.unknown, summary.held) == (3, 1, 1, False)
    assert not seen.held(Phase.DURING, 1)
    assert "1 of 3 samples" in seen.faults(Phase.DURING, 1)[0]


def test_a_window_forgets_what_is_older() -> None:
    seen = observe((probe(window="2s"),), (), [sample(1, OUTSIDE), sample(4), sample(5)])
    assert seen.held(Phase.DURING, 1)


def test_a_phase_that_was_not_measured_did_not_hold() -> None:
    seen = observe((probe(),), (), [])
    assert not seen.held(Phase.BEFORE)
    assert seen.faults(Phase.BEFORE) == ("orders was not measured",)


def test_the_steady_state_is_back_where_the_last_unbroken_row_began() -> None:
    after = [
        sample(second, status, phase=Phase.AFTER)
        for second, status in enumerate((OUTSIDE, WITHIN, OUTSIDE, WITHIN, WITHIN, WITHIN))
    ]
    assert observe((probe(),), (), after).steady_again_at() == at(3)
    assert observe((probe(),), (), after[:-1]).steady_again_at() is None


@given(st.lists(st.sampled_from(list(SampleStatus)), max_size=30))
def test_a_probe_holds_only_with_enough_samples_within(statuses: list[SampleStatus]) -> None:
    seen = observe((probe(ratio=0.8),), (), [sample(n, status) for n, status in enumerate(statuses)])
    within = sum(status is WITHIN for status in statuses)
    assert seen.held(Phase.DURING, 1) == (bool(statuses) and within / len(statuses) >= 0.8)


def _select(path: str, document: Any) -> list[Any]:
    if not path.startswith("$."):
        raise ValueError("no path")
    found = document.get(path[2:], []) if isinstance(document, dict) else []
    return found if isinstance(found, list) else [found]


JUDGE = Judge(find=lambda pattern, text: bool(re.search(pattern, text)), select=_select)


@pytest.mark.parametrize(
    ("value", "tolerance", "status"),
    [
        (200, {"value": 200}, WITHIN),
        (200.0, {"value": 200}, WITHIN),
        ("200", {"value": 200}, WITHIN),
        (503, {"value": 200}, OUTSIDE),
        (True, {"value": 1}, OUTSIDE),
        (1, {"value": True}, OUTSIDE),
        (800, {"range": (None, 800)}, WITHIN),
        (801, {"range": (None, 800)}, OUTSIDE),
        (-1, {"range": (0, None)}, OUTSIDE),
        ("many", {"range": (0, 1)}, UNKNOWN),
        (float("nan"), {"range": (0, 1)}, UNKNOWN),
        (None, {"range": (0, 1)}, UNKNOWN),
        ("all is ok", {"pattern": r"\bok\b"}, WITHIN),
        ("broken", {"pattern": r"\bok\b"}, OUTSIDE),
        ('{"a": 1}', {"value": 1, "json_path": "$.a"}, WITHIN),
        ('{"a": [1, 2]}', {"value": 1, "json_path": "$.a"}, OUTSIDE),
        ('{"b": 1}', {"value": 1, "json_path": "$.a"}, UNKNOWN),
        ("no json", {"value": 1, "json_path": "$.a"}, UNKNOWN),
        ("{}", {"value": 1, "json_path": "a"}, UNKNOWN),
    ],
)
def test_values_are_compared(value: Any, tolerance: dict[str, Any], status: SampleStatus) -> None:
    finding = JUDGE(value, Tolerance(**tolerance))
    assert finding.status is status
    assert (finding.detail is None) == (status is WITHIN)


def test_a_pattern_that_takes_too_long_is_unknown() -> None:
    slow = Judge(find=lambda _pattern, _text: None, select=_select)
    assert slow("text", Tolerance(pattern="(a+)+$")).status is UNKNOWN


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
)
def test_nothing_that_is_measured_breaks_the_judge(value: Any) -> None:
    for tolerance in ({"value": 1}, {"range": (0, 1)}, {"pattern": "a"}, {"value": "x", "json_path": "$.a"}):
        assert JUDGE(value, Tolerance(**tolerance)).status in SampleStatus
    assert JUDGE(json.dumps(value), Tolerance(value=1, json_path="$.a")).status in SampleStatus
