"""Verdicts: what may be said of a hypothesis, and never a pass for what did not run."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos import timings
from crosswind.chaos.verdict import rule
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState
from crosswind.contracts.chaos.monitoring import Sample, SampleStatus
from crosswind.contracts.chaos.probes import Phase
from tests.unit.chaos.verdict.evidence import a_good_run, at, injection, result, run, sample

OUTSIDE, UNKNOWN, WITHIN = SampleStatus.OUTSIDE, SampleStatus.UNKNOWN, SampleStatus.WITHIN


def test_a_run_in_which_everything_was_in_and_stayed_within_held() -> None:
    ruling = rule(run(), [injection()], result(a_good_run()))
    assert ruling.verdict is ExperimentVerdict.HELD
    assert any("was in for 7.0 s" in sentence for sentence in ruling.evidence)
    assert any("probe orders held during the faults of step 1" in sentence for sentence in ruling.evidence)


def test_a_probe_out_of_tolerance_under_fault_falsifies() -> None:
    samples = [*a_good_run(), sample(8, OUTSIDE)]
    ruling = rule(run(), [injection()], result(samples))
    assert ruling.verdict is ExperimentVerdict.FALSIFIED
    assert "503 instead of 201" in ruling.reason


def test_an_aborted_run_whose_hypothesis_was_seen_to_fail_is_falsified() -> None:
    samples = [*a_good_run(), sample(8, OUTSIDE)]
    ruling = rule(run(AbortCause.SLO), [injection()], result(samples))
    assert ruling.verdict is ExperimentVerdict.FALSIFIED
    assert "aborted: because" in ruling.reason


@pytest.mark.parametrize("cause", list(AbortCause))
def test_an_aborted_run_says_nothing_of_a_hypothesis_that_was_not_seen_to_fail(cause: AbortCause) -> None:
    ruling = rule(run(cause), [injection()], result(a_good_run()))
    assert ruling.verdict is ExperimentVerdict.ABORTED
    assert cause.value in ruling.reason


@pytest.mark.parametrize("state", [FaultState.ACTIVE, FaultState.UNKNOWN, FaultState.INJECTING])
def test_what_is_not_proven_gone_goes_before_everything_else(state: FaultState) -> None:
    ruling = rule(run(AbortCause.ACTOR), [injection(), injection(state)], result(a_good_run()))
    assert ruling.verdict is ExperimentVerdict.RECOVERY_UNVERIFIED


@pytest.mark.parametrize(
    ("cause", "verdict"),
    [
        (None, ExperimentVerdict.NOT_INJECTED),
        (AbortCause.GATE, ExperimentVerdict.NOT_INJECTED),
        (AbortCause.INJECTION, ExperimentVerdict.NOT_INJECTED),
        (AbortCause.MONITOR_SILENT, ExperimentVerdict.NOT_INJECTED),
        (AbortCause.STEADY_STATE, ExperimentVerdict.INCONCLUSIVE),
        (AbortCause.ACTOR, ExperimentVerdict.ABORTED),
        (AbortCause.SUITE_ENDED, ExperimentVerdict.NOT_INJECTED),
        (AbortCause.HALT, ExperimentVerdict.ABORTED),
    ],
)
def test_what_never_went_in_is_no_pass(cause: AbortCause | None, verdict: ExperimentVerdict) -> None:
    refused = injection(FaultState.REFUSED, injected=False)
    assert rule(run(cause), [refused], result(a_good_run())).verdict is verdict


def test_a_fault_of_several_that_did_not_go_in_leaves_it_open() -> None:
    refused = replace(injection(FaultState.REFUSED, injected=False), fault="slow")
    ruling = rule(run(), [injection(), refused], result(a_good_run()))
    assert ruling.verdict is ExperimentVerdict.INCONCLUSIVE
    assert "slow" in ruling.reason


def test_probes_that_could_not_be_measured_leave_it_open() -> None:
    samples = [each for each in a_good_run() if each.phase is not Phase.DURING]
    samples += [sample(second, UNKNOWN) for second in range(5, 12)]
    assert rule(run(), [injection()], result(samples)).verdict is ExperimentVerdict.INCONCLUSIVE


def test_a_monitor_that_left_nothing_leaves_it_open() -> None:
    assert rule(run(), [injection()], None).verdict is ExperimentVerdict.INCONCLUSIVE


@pytest.mark.parametrize("phase", [Phase.DURING, Phase.AFTER])
def test_a_probe_that_was_never_taken_in_a_phase_leaves_it_open(phase: Phase) -> None:
    result_without = result([each for each in a_good_run() if each.phase is not phase])
    assert rule(run(), [injection()], result_without).verdict is ExperimentVerdict.INCONCLUSIVE


def test_a_step_in_which_a_probe_was_never_taken_leaves_it_open() -> None:
    second = replace(injection(), step=2)
    ruling = rule(run(), [injection(), second], result(a_good_run()))
    assert ruling.verdict is ExperimentVerdict.INCONCLUSIVE
    assert "orders in step 2" in ruling.reason


def test_a_steady_state_that_does_not_come_back_falsifies() -> None:
    samples = [each for each in a_good_run() if each.phase is not Phase.AFTER]
    samples += [sample(second, OUTSIDE, phase=Phase.AFTER) for second in range(12, 20)]
    ruling = rule(run(), [injection()], result(samples))
    assert ruling.verdict is ExperimentVerdict.FALSIFIED
    assert "did not come back" in ruling.reason


causes = st.none() | st.sampled_from(list(AbortCause))
states = st.lists(st.sampled_from(list(FaultState)), min_size=1, max_size=3)
sampled = st.lists(
    st.builds(
        sample,
        st.floats(0, 60),
        st.sampled_from(list(SampleStatus)),
        phase=st.sampled_from(list(Phase)),
    ),
    max_size=20,
)


@given(causes, states, st.none() | sampled)
def test_held_means_that_everything_went_in_was_measured_and_came_out(
    cause: AbortCause | None, ended: list[FaultState], samples: list[Sample] | None
) -> None:
    injections = [
        injection(state, injected=state not in {FaultState.PLANNED, FaultState.REFUSED}) for state in ended
    ]
    monitor = None if samples is None else result(samples)
    ruling = rule(run(cause), injections, monitor)
    assert ruling.reason
    if ruling.verdict is ExperimentVerdict.HELD:
        assert cause is None
        assert set(ended) == {FaultState.REMOVED}
        assert samples is not None
        during = [each for each in samples if each.phase is Phase.DURING]
        assert during
        assert all(each.status is WITHIN for each in during)
        assert any(each.phase is Phase.BEFORE for each in samples)
        assert any(each.phase is Phase.AFTER for each in samples)


def test_times_are_measured_from_what_was_recorded() -> None:
    samples = [*a_good_run(), sample(8, OUTSIDE, name="slo", of_guard=True)]
    told = timings.measure(run(undone_at=at(12)), [injection()], result(samples))
    assert (told.to_detect, told.to_abort, told.to_recover, told.injected) == (3.0, 4.0, 0.0, 7.0)


def test_times_of_what_did_not_happen_are_missing() -> None:
    told = timings.measure(run(), [injection(FaultState.REFUSED, injected=False)], None)
    assert (told.to_detect, told.to_abort, told.to_recover, told.injected) == (None, None, None, None)
