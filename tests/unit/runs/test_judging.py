"""What a run is worth. Input: evidence. Output: a verdict with its sentence. Pure."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import BudgetMetric, BudgetSpec, GatesSpec
from crosswind.runs.judging import Evidence, judge
from crosswind.runs.model import RunFailure
from crosswind.runs.rounds import StageNotRun
from tests.fakes.time import START

PASSED, FAILED, ERROR = CaseStatus.PASSED, CaseStatus.FAILED, CaseStatus.ERROR
SKIPPED, FLAKY, MISSING = CaseStatus.SKIPPED, CaseStatus.FLAKY, CaseStatus.MISSING


def evidence(counts: dict[CaseStatus, int] | None = None, **changes: Any) -> Evidence:
    return Evidence(planned=True, counts={PASSED: 3} if counts is None else counts, **changes)


def failure(kind: str, detail: str = "it broke") -> RunFailure:
    return RunFailure(state="ExecuteShards", kind=kind, detail=detail, at=START)


@pytest.mark.parametrize(
    ("given_evidence", "kind", "reason"),
    [
        (evidence(), VerdictKind.PASSED, "3 tests passed."),
        (evidence({PASSED: 1, SKIPPED: 1}), VerdictKind.PASSED, "1 test passed, 1 skipped."),
        (
            evidence({PASSED: 2, FLAKY: 1}),
            VerdictKind.PASSED,
            "3 tests passed. 1 test passed only after another try (flaky).",
        ),
        (
            evidence({PASSED: 2, FAILED: 1, ERROR: 1}, failed_names=("t.py::a",)),
            VerdictKind.FAILED,
            "2 of 4 tests failed. Failed: t.py::a and 1 more.",
        ),
        (
            evidence({FAILED: 1, MISSING: 2}, not_run=(StageNotRun("api", 40),)),
            VerdictKind.FAILED,
            (
                "1 of 3 tests failed. 2 planned tests have no result. "
                "Stage 'api' (40 tests) was not run because of that."
            ),
        ),
        (
            evidence({PASSED: 2, MISSING: 1}),
            VerdictKind.INCONCLUSIVE,
            "No test failed, but the evidence is not complete (3 tests). 1 planned test has no result.",
        ),
        (
            evidence(faults=("shard-00001: report a.xml, line 3: the file is empty", "other")),
            VerdictKind.INCONCLUSIVE,
            (
                "No test failed, but the evidence is not complete (3 tests). "
                "shard-00001: report a.xml, line 3: the file is empty. 1 other fault beside it."
            ),
        ),
        (evidence({SKIPPED: 2}), VerdictKind.SKIPPED, "All 2 tests were skipped."),
        (
            evidence({}),
            VerdictKind.INCONCLUSIVE,
            "No test ran: check the tests' paths, the command and the report globs.",
        ),
        (
            evidence({}, plan_reason="No test was found in test job 'unit': check its paths and arguments"),
            VerdictKind.INCONCLUSIVE,
            "No test was found in test job 'unit': check its paths and arguments.",
        ),
        (
            evidence({PASSED: 1, FAILED: 1}, cancelled=True, cancelled_by="ada"),
            VerdictKind.CANCELLED,
            "The run was cancelled by ada. Until then 2 tests had ended, of which 1 failed.",
        ),
        (
            evidence(
                {PASSED: 1, MISSING: 1}, lost_shards=("shard-00001 of 'unit' was given up: lease_lost",)
            ),
            VerdictKind.ERROR,
            "shard-00001 of 'unit' was given up: lease_lost. 1 planned test has no result.",
        ),
        (
            evidence({}, failure=failure("setup", "test job 'unit': pip failed")),
            VerdictKind.ERROR,
            "The tests could not be prepared: test job 'unit': pip failed.",
        ),
        (evidence(failure=failure("infrastructure")), VerdictKind.ERROR, "ExecuteShards gave up: it broke."),
        (
            evidence(gates=GatesSpec(min_tests=5)),
            VerdictKind.FAILED,
            "No test failed, but a gate did. 3 tests ran, and gate minTests asks for 5.",
        ),
        (
            evidence({PASSED: 1, SKIPPED: 3}, gates=GatesSpec(max_skipped_percent=50)),
            VerdictKind.FAILED,
            "No test failed, but a gate did. 3 of 4 tests (75.0%) were skipped, and gate maxSkippedPercent allows 50%.",
        ),
        (
            evidence(
                {PASSED: 98, FAILED: 2}, gates=GatesSpec(max_failure_percent=2), failed_names=("a", "b")
            ),
            VerdictKind.PASSED,
            (
                "98 tests passed. 2 of 100 tests failed. That is 2.0% of those that ran, and gate "
                "maxFailurePercent allows 2%. Failed: a, b."
            ),
        ),
        (
            evidence({PASSED: 97, FAILED: 3}, gates=GatesSpec(max_failure_percent=2), failed_names=("a",)),
            VerdictKind.FAILED,
            (
                "3 of 100 tests failed. That is 3.0% of those that ran, and gate maxFailurePercent allows 2%. "
                "Failed: a and 2 more."
            ),
        ),
        (
            evidence({PASSED: 5, FAILED: 2}, gates=GatesSpec(no_new_failures=True), new_failures=0),
            VerdictKind.PASSED,
            (
                "5 tests passed. 2 of 7 tests failed. 2 of them failed before on the default branch: none is new."
            ),
        ),
        (
            evidence({PASSED: 5, FAILED: 2}, gates=GatesSpec(no_new_failures=True), new_failures=1),
            VerdictKind.FAILED,
            (
                "2 of 7 tests failed. 1 of them failed before on the default branch; gate noNewFailures allows no "
                "new one."
            ),
        ),
        (
            evidence({PASSED: 5, FAILED: 2}, gates=GatesSpec(no_new_failures=True)),
            VerdictKind.FAILED,
            "2 of 7 tests failed. None failed before; gate noNewFailures allows no new one.",
        ),
        (
            evidence({PASSED: 5, FAILED: 1}, muted=1),
            VerdictKind.PASSED,
            "5 tests passed. 1 test in quarantine failed too and does not count.",
        ),
        (
            evidence({PASSED: 5, FAILED: 3}, muted=1, failed_names=("a",)),
            VerdictKind.FAILED,
            (
                "2 of 8 tests failed. Failed: a and 1 more. 1 test in quarantine failed too and does not count."
            ),
        ),
        (
            evidence({FAILED: 1}, muted=1),
            VerdictKind.INCONCLUSIVE,
            (
                "No test passed, and none failed that counts. 1 test in quarantine failed too and does not count."
            ),
        ),
        (
            evidence(
                gates=GatesSpec(budgets=(BudgetSpec(metric=BudgetMetric.TEST_P95, max="2s", test="api"),)),
                measured={(BudgetMetric.TEST_P95, "api"): 2.5},
            ),
            VerdictKind.FAILED,
            "No test failed, but a gate did. tests.duration.p95 of test job 'api' was 2.5 s, and its budget is 2s.",
        ),
        (
            evidence(gates=GatesSpec(budgets=(BudgetSpec(metric=BudgetMetric.RUN_DURATION, max="10m"),))),
            VerdictKind.FAILED,
            "No test failed, but a gate did. Budget run.duration could not be judged: nothing was measured.",
        ),
        (
            evidence(left_out=("Stage 'load' was left out: its condition does not hold.",)),
            VerdictKind.PASSED,
            "3 tests passed. Stage 'load' was left out: its condition does not hold.",
        ),
        (
            Evidence(planned=True, counts=None),
            VerdictKind.INCONCLUSIVE,
            "The results of the run were never put together.",
        ),
        (
            Evidence(planned=False, counts={PASSED: 1}),
            VerdictKind.INCONCLUSIVE,
            "The run has no plan, so it is not known which tests belong to it.",
        ),
    ],
)
def test_each_verdict_has_its_sentence(given_evidence: Evidence, kind: VerdictKind, reason: str) -> None:
    verdict = judge(given_evidence)
    assert (verdict.kind, verdict.reason) == (kind, reason)


COUNTS = st.one_of(
    st.none(), st.dictionaries(st.sampled_from(list(CaseStatus)), st.integers(min_value=0, max_value=3))
)
SENTENCES = st.lists(st.text(max_size=10), max_size=2).map(tuple)
EVIDENCE = st.builds(
    Evidence,
    cancelled=st.booleans(),
    cancelled_by=st.one_of(st.none(), st.text(max_size=5)),
    failure=st.one_of(
        st.none(),
        st.builds(
            RunFailure,
            state=st.just("PlanRun"),
            kind=st.sampled_from(["infrastructure", "setup", "timeout"]),
            detail=st.text(max_size=20),
            at=st.just(START),
        ),
    ),
    planned=st.booleans(),
    plan_reason=st.one_of(st.none(), st.text(min_size=1, max_size=10)),
    plan_errors=SENTENCES,
    counts=COUNTS,
    failed_names=SENTENCES,
    faults=SENTENCES,
    lost_shards=SENTENCES,
    not_run=st.lists(
        st.builds(StageNotRun, name=st.text(max_size=5), tests=st.integers(0, 9)), max_size=2
    ).map(tuple),
    gates=st.builds(
        GatesSpec,
        min_tests=st.one_of(st.none(), st.integers(1, 5)),
        max_skipped_percent=st.one_of(st.none(), st.floats(0, 100)),
    ),
)
TOLERANT = st.builds(
    GatesSpec,
    max_failure_percent=st.one_of(st.none(), st.floats(0, 100)),
    no_new_failures=st.booleans(),
)


@given(EVIDENCE, TOLERANT, st.integers(0, 3), st.one_of(st.none(), st.integers(0, 6)))
def test_what_is_tolerated_is_told_and_something_must_have_passed(
    given_evidence: Evidence, gates: GatesSpec, muted: int, new: int | None
) -> None:
    counts = given_evidence.counts or {}
    red = counts.get(FAILED, 0) + counts.get(ERROR, 0)
    verdict = judge(replace(given_evidence, gates=gates, muted=min(muted, red), new_failures=new))
    if verdict.kind is VerdictKind.PASSED:
        assert counts.get(PASSED, 0) + counts.get(FLAKY, 0) > 0
        assert not counts.get(MISSING, 0)
        assert not red or "failed" in verdict.reason


@given(EVIDENCE)
def test_nothing_is_green_without_complete_evidence(given_evidence: Evidence) -> None:
    verdict = judge(given_evidence)
    assert verdict.reason
    counts = given_evidence.counts or {}
    good = counts.get(PASSED, 0) + counts.get(FLAKY, 0)
    lacking = (
        given_evidence.cancelled
        or given_evidence.failure is not None
        or not given_evidence.planned
        or given_evidence.plan_reason
        or given_evidence.plan_errors
        or given_evidence.faults
        or given_evidence.lost_shards
        or given_evidence.not_run
        or counts.get(MISSING, 0)
        or counts.get(FAILED, 0)
        or counts.get(ERROR, 0)
        or not good
    )
    if lacking:
        assert verdict.kind is not VerdictKind.PASSED
    if given_evidence.cancelled:
        assert verdict.kind is VerdictKind.CANCELLED


@given(EVIDENCE)
def test_failed_tests_are_never_hidden(given_evidence: Evidence) -> None:
    counts = given_evidence.counts or {}
    if counts.get(FAILED, 0) + counts.get(ERROR, 0):
        verdict = judge(given_evidence)
        assert verdict.kind in {VerdictKind.FAILED, VerdictKind.ERROR, VerdictKind.CANCELLED}
        assert "failed" in verdict.reason.lower()
