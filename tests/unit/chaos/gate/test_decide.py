"""The decision: nothing proceeds on what is missing, unknown, too old or failed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos.gate import ASK_AGAIN_AFTER, SKEW, SOONEST, Expected, decide, expected, fresh_until
from crosswind.contracts.chaos.gate import (
    CheckName,
    CheckStatus,
    GateCheck,
    GateDecision,
    GateOutcome,
    Moment,
    PolicySpec,
)
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.clock import from_iso, to_iso
from tests.fakes import START
from tests.unit.chaos.gate.world import LOCAL, policy

BEFORE = (Moment.PREVIEW, Moment.PREFLIGHT)
INSIDE = (Moment.STEP, Moment.RUNNING)
PAGERDUTY = {"secret": "pagerduty", "escalation_policies": ("E1",)}


def check(name: CheckName = CheckName.HALT, **changes: Any) -> GateCheck:
    values: dict[str, Any] = {
        "name": name,
        "status": CheckStatus.PASS,
        "reason": "it is so",
        "source": "crosswind",
        "observed_at": to_iso(START),
        "ttl_seconds": 60,
    }
    return GateCheck(**{**values, **changes})


def every_check(spec: PolicySpec = LOCAL, **changes: Any) -> list[GateCheck]:
    return [check(each.name, source=each.source, **changes) for each in expected(spec)]


def decided(
    checks: list[GateCheck],
    *,
    spec: PolicySpec = LOCAL,
    moment: Moment = Moment.PREFLIGHT,
    now: datetime = START,
    patience_ends: datetime | None = None,
) -> GateDecision:
    return decide(
        checks,
        wanted=expected(spec),
        moment=moment,
        now=now,
        policy_version="v1",
        patience_ends=patience_ends,
    )


@pytest.mark.parametrize("moment", Moment)
def test_it_proceeds_when_everything_passed(moment: Moment) -> None:
    decision = decided(every_check(), moment=moment)
    assert decision.outcome is GateOutcome.PROCEED
    assert decision.until is None
    assert {each.name for each in decision.checks} == set(CheckName)


@pytest.mark.parametrize("name", CheckName)
@pytest.mark.parametrize("status", [CheckStatus.FAIL, CheckStatus.UNKNOWN])
@pytest.mark.parametrize("moment", BEFORE)
def test_one_check_that_did_not_pass_postpones(name: CheckName, status: CheckStatus, moment: Moment) -> None:
    checks = [
        each.model_copy(update={"status": status, "reason": "no luck"}) if each.name is name else each
        for each in every_check()
    ]
    decision = decided(checks, moment=moment)
    assert decision.outcome is GateOutcome.POSTPONE
    assert decision.until == to_iso(START + ASK_AGAIN_AFTER)
    assert f"{name.value}: no luck" in decision.reason


@pytest.mark.parametrize("status", [CheckStatus.FAIL, CheckStatus.UNKNOWN])
@pytest.mark.parametrize("moment", INSIDE)
def test_while_something_is_broken_it_aborts_instead(status: CheckStatus, moment: Moment) -> None:
    decision = decided([*every_check(), check(status=status)], moment=moment)
    assert decision.outcome is GateOutcome.ABORT
    assert decision.until is None


@pytest.mark.parametrize("absent", expected(LOCAL), ids=str)
def test_what_nobody_looked_at_is_unknown(absent: Expected) -> None:
    checks = [each for each in every_check() if Expected(each.name, each.source) != absent]
    decision = decided(checks)
    assert decision.outcome is GateOutcome.POSTPONE
    (missing,) = [each for each in decision.checks if each.status is CheckStatus.UNKNOWN]
    assert (missing.name, missing.source) == (absent.name, absent.source)


def test_a_pass_of_one_source_does_not_stand_for_another() -> None:
    spec = policy(pagerduty=PAGERDUTY, on_call_required=True)
    decision = decided(every_check(LOCAL), spec=spec)
    assert decision.outcome is GateOutcome.POSTPONE
    assert {
        (each.name.value, each.source) for each in decision.checks if each.status is not CheckStatus.PASS
    } == {
        ("on-call", "pagerduty"),
        ("incidents", "pagerduty"),
        ("deployments", "pagerduty"),
    }


def test_a_pass_counts_until_its_time_to_live_is_over() -> None:
    assert decided(every_check(), now=START + timedelta(seconds=60)).outcome is GateOutcome.PROCEED
    stale = decided(every_check(), now=START + timedelta(seconds=60, milliseconds=1))
    assert stale.outcome is GateOutcome.POSTPONE
    assert all(each.status is CheckStatus.UNKNOWN for each in stale.checks)
    assert "older than 60 s" in stale.reason


def test_what_was_observed_in_the_future_counts_as_unknown() -> None:
    assert decided(every_check(), now=START - SKEW).outcome is GateOutcome.PROCEED
    assert decided(every_check(), now=START - SKEW * 2).outcome is GateOutcome.POSTPONE


def test_what_was_observed_nobody_knows_when_counts_as_unknown() -> None:
    assert decided(every_check(observed_at="yesterday")).outcome is GateOutcome.POSTPONE


def test_it_waits_for_the_latest_of_the_moments() -> None:
    later = [START + timedelta(hours=hours) for hours in (1, 3, 2)]
    failed = [check(status=CheckStatus.FAIL, until=to_iso(each)) for each in later]
    assert decided([*every_check(), *failed]).until == to_iso(START + timedelta(hours=3))


def test_a_check_that_names_no_moment_is_asked_again_after_a_while() -> None:
    soon = check(status=CheckStatus.FAIL, until=to_iso(START + timedelta(seconds=40)))
    unnamed = check(status=CheckStatus.FAIL)
    assert decided([*every_check(), soon]).until == to_iso(START + timedelta(seconds=40))
    assert decided([*every_check(), soon, unnamed]).until == to_iso(START + ASK_AGAIN_AFTER)


@pytest.mark.parametrize("until", [to_iso(START), to_iso(START - timedelta(days=1))])
def test_it_never_waits_until_a_moment_that_is_over(until: str) -> None:
    failed = check(status=CheckStatus.FAIL, until=until)
    assert decided([*every_check(), failed]).until == to_iso(START + SOONEST)


def test_where_waiting_does_not_help_it_aborts() -> None:
    failed = check(status=CheckStatus.FAIL, fatal=True)
    assert decided([*every_check(), failed]).outcome is GateOutcome.ABORT


def test_a_run_waits_no_longer_than_it_may() -> None:
    failed = [*every_check(), check(status=CheckStatus.FAIL)]
    ends = START + ASK_AGAIN_AFTER
    assert decided(failed, patience_ends=ends).outcome is GateOutcome.POSTPONE
    impatient = decided(failed, patience_ends=ends - timedelta(seconds=1))
    assert impatient.outcome is GateOutcome.ABORT
    assert impatient.reason.startswith("it would wait beyond")


def test_a_decision_is_fresh_until_its_first_finding_is_too_old() -> None:
    decision = decided([*every_check(ttl_seconds=90), check(ttl_seconds=40)])
    assert fresh_until(decision) == START + timedelta(seconds=40)


def test_every_configured_source_is_expected() -> None:
    spec = policy(
        pagerduty=PAGERDUTY,
        on_call_required=True,
        incident_alarms=("outage",),
        codedeploy_applications=("shop",),
        prometheus="http://127.0.0.1:9090",
        slos=({"name": "errors", "query": "x", "at_most": 1}, {"name": "lag", "alarm": "lag"}),
    )
    named = {(each.name, each.source) for each in expected(spec)}
    assert named >= {
        (CheckName.INCIDENTS, "pagerduty"),
        (CheckName.INCIDENTS, "cloudwatch"),
        (CheckName.ON_CALL, "pagerduty"),
        (CheckName.DEPLOYMENTS, "pagerduty"),
        (CheckName.DEPLOYMENTS, "codedeploy"),
        (CheckName.SLO, "prometheus"),
        (CheckName.SLO, "cloudwatch"),
    }
    assert {each.name for each in expected(PolicySpec(providers=(ProviderName.FIS,)))} == set(CheckName)


AGES = st.integers(min_value=-7200, max_value=7200)
CHECKS = st.builds(
    check,
    st.sampled_from(CheckName),
    status=st.sampled_from(CheckStatus),
    source=st.sampled_from(["crosswind", "pagerduty", "cloudwatch", "prometheus", "codedeploy"]),
    observed_at=AGES.map(lambda seconds: to_iso(START + timedelta(seconds=seconds))) | st.just("?"),
    ttl_seconds=st.integers(min_value=0, max_value=7200),
    until=st.none() | AGES.map(lambda seconds: to_iso(START + timedelta(seconds=seconds))) | st.just("?"),
    fatal=st.booleans(),
)


@given(
    extra=st.lists(CHECKS, max_size=6),
    dropped=st.sets(st.sampled_from(expected(LOCAL)), max_size=2),
    moment=st.sampled_from(Moment),
)
def test_no_evidence_that_is_missing_unknown_stale_or_failed_lets_anything_proceed(
    extra: list[GateCheck], dropped: set[Expected], moment: Moment
) -> None:
    kept = [each for each in every_check() if Expected(each.name, each.source) not in dropped]
    decision = decided([*kept, *extra], moment=moment)

    given_checks = [*kept, *extra]
    seen = {Expected(each.name, each.source) for each in given_checks}
    sound = set(expected(LOCAL)) <= seen and all(map(_counts, given_checks))
    assert (decision.outcome is GateOutcome.PROCEED) == sound
    if decision.outcome is GateOutcome.POSTPONE:
        assert moment in BEFORE
        assert decision.until is not None
        assert from_iso(decision.until) >= START + SOONEST
    else:
        assert decision.until is None
    if any(each.fatal and each.status is not CheckStatus.PASS for each in given_checks):
        assert decision.outcome is GateOutcome.ABORT


def _counts(each: GateCheck) -> bool:
    """Said in another way than the gate says it."""
    if each.status is not CheckStatus.PASS or each.observed_at == "?":
        return False
    age = (START - from_iso(each.observed_at)).total_seconds()
    return -60 <= age <= each.ttl_seconds


@given(checks=st.lists(CHECKS, max_size=6), failed=CHECKS, moment=st.sampled_from(Moment))
def test_more_bad_news_never_makes_the_answer_better(
    checks: list[GateCheck], failed: GateCheck, moment: Moment
) -> None:
    order = [GateOutcome.PROCEED, GateOutcome.POSTPONE, GateOutcome.ABORT]
    bad = failed.model_copy(update={"status": CheckStatus.FAIL})
    before = decided([*every_check(), *checks], moment=moment).outcome
    after = decided([*every_check(), *checks, bad], moment=moment).outcome
    assert order.index(after) >= order.index(before)
