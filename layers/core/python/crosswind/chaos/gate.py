"""The gate's decision, pure: checks with their evidence in, proceed, postpone or abort out.

It fails closed. Proceed needs every expected check, from every source that the policy names, passed and fresh. What is
missing, unknown, too old, or observed in a future that is not ours is no pass.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswind.chaos.findings import OWN
from crosswind.contracts.chaos.gate import (
    CheckName,
    CheckStatus,
    GateCheck,
    GateDecision,
    GateOutcome,
    Moment,
    PolicySpec,
)
from crosswind.kernel.clock import from_iso, to_iso

ASK_AGAIN_AFTER = timedelta(minutes=5)  # where no check tells when waiting may help
SOONEST = timedelta(seconds=30)  # a postponed run is not woken sooner
SKEW = timedelta(seconds=60)  # how far clocks may be apart
PAGERDUTY, CLOUDWATCH, PROMETHEUS, CODEDEPLOY = "pagerduty", "cloudwatch", "prometheus", "codedeploy"

_INSIDE = frozenset({Moment.STEP, Moment.RUNNING})  # the run cannot wait any more
_REASON_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Expected:
    """A check that has to be there, and who has to have looked."""

    name: CheckName
    source: str


def expected(policy: PolicySpec) -> tuple[Expected, ...]:
    """Every check that a decision under this policy rests on."""
    return tuple(Expected(name, source) for name, source in _expected(policy))


def _expected(policy: PolicySpec) -> Iterator[tuple[CheckName, str]]:
    for name in CheckName:
        if name not in {CheckName.ON_CALL, CheckName.SLO}:
            yield name, OWN
    yield CheckName.ON_CALL, PAGERDUTY if policy.pagerduty and policy.on_call_required else OWN
    if policy.pagerduty:
        yield CheckName.INCIDENTS, PAGERDUTY
        yield CheckName.DEPLOYMENTS, PAGERDUTY
    if policy.incident_alarms:
        yield CheckName.INCIDENTS, CLOUDWATCH
    if policy.codedeploy_applications:
        yield CheckName.DEPLOYMENTS, CODEDEPLOY
    if not policy.slos:
        yield CheckName.SLO, OWN
    if any(each.query for each in policy.slos):
        yield CheckName.SLO, PROMETHEUS
    if any(each.alarm for each in policy.slos):
        yield CheckName.SLO, CLOUDWATCH


def decide(
    checks: Iterable[GateCheck],
    *,
    wanted: Iterable[Expected],
    moment: Moment,
    now: datetime,
    policy_version: str,
    step: int = 0,
    patience_ends: datetime | None = None,
) -> GateDecision:
    """The decision with the checks as they count now.

    Args:
        wanted: What has to be among the checks; what is not there counts as unknown.
        patience_ends: A run that would wait for longer is aborted.
    """
    counted = [as_it_counts(each, now=now) for each in checks]
    seen = {Expected(each.name, each.source) for each in counted}
    counted += [_missing(each, now) for each in wanted if each not in seen]
    amiss = [each for each in counted if each.status is not CheckStatus.PASS]
    until = None
    if not amiss:
        outcome, reason = GateOutcome.PROCEED, f"all {len(counted)} checks passed"
    else:
        reason = "; ".join(f"{each.name.value}: {each.reason}" for each in amiss)
        if moment in _INSIDE or any(each.fatal for each in amiss):
            outcome = GateOutcome.ABORT
        else:
            outcome, until = GateOutcome.POSTPONE, _until(amiss, now)
            if patience_ends is not None and until > patience_ends:
                outcome, until = GateOutcome.ABORT, None
                reason = f"it would wait beyond {to_iso(patience_ends)}; {reason}"
    return GateDecision(
        outcome=outcome,
        until=to_iso(until) if until else None,
        reason=reason[:_REASON_CHARACTERS],
        moment=moment,
        step=step,
        decided_at=to_iso(now),
        policy_version=policy_version,
        checks=tuple(counted),
    )


def as_it_counts(check: GateCheck, *, now: datetime) -> GateCheck:
    """The check, or unknown where its finding is too old to be relied on, or not of our time at all."""
    if check.status is not CheckStatus.PASS:
        return check
    try:
        observed = from_iso(check.observed_at)
    except ValueError:
        return _not_counting(check, "nobody knows when it was observed")
    if observed - now > SKEW:
        return _not_counting(check, f"it was observed in the future, at {check.observed_at}")
    if now - observed > timedelta(seconds=check.ttl_seconds):
        return _not_counting(
            check, f"what was observed at {check.observed_at} is older than {check.ttl_seconds} s"
        )
    return check


def fresh_until(decision: GateDecision) -> datetime:
    """When the first of the findings that a decision rests on is too old."""
    ends = [from_iso(each.observed_at) + timedelta(seconds=each.ttl_seconds) for each in decision.checks]
    return min(ends, default=from_iso(decision.decided_at))


def _not_counting(check: GateCheck, reason: str) -> GateCheck:
    return check.model_copy(update={"status": CheckStatus.UNKNOWN, "reason": reason})


def _missing(wanted: Expected, now: datetime) -> GateCheck:
    return GateCheck(
        name=wanted.name,
        status=CheckStatus.UNKNOWN,
        reason=f"{wanted.source} was not asked, or did not say",
        source=wanted.source,
        observed_at=to_iso(now),
        ttl_seconds=0,
    )


def _until(amiss: Iterable[GateCheck], now: datetime) -> datetime:
    """The latest moment that a check names; one that names none is asked again after a while."""
    return max(now + SOONEST, *(_named(each) or now + ASK_AGAIN_AFTER for each in amiss))


def _named(check: GateCheck) -> datetime | None:
    try:
        return from_iso(check.until) if check.until else None
    except ValueError:
        return None
