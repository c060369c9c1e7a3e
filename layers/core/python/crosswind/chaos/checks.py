"""The gate's checks that need nobody else: of values that are at hand. What a store knows is crosswind.chaos.own_evidence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crosswind.chaos import calendar, radius
from crosswind.chaos.findings import OWN, Findings
from crosswind.chaos.model import Approval, Revision
from crosswind.chaos.policies import needed
from crosswind.chaos.ports import Question
from crosswind.chaos.radius import Resolved, target_ids
from crosswind.contracts.chaos.gate import CheckName, GateCheck
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.contracts.moments import MomentError

_SHOWN = 10
_ANY_SHARE = 10**9

Counting = Callable[[Revision, Sequence[str], datetime], Sequence[Approval]]
"""The approvals that count for exactly this content and these targets at a moment (crosswind.chaos.reviewing)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What may be injected: the approved revision, its spec with its parameters, and what it resolves to.

    Args:
        resolved: None where a provider could not be asked; `unresolved` says why.
        planned: The targets are those that were planned; their share of what matched was judged then.
        superseded: Why the revision's approvals are void whatever they say; empty where they are not.
    """

    team: str
    revision: Revision
    spec: ExperimentSpec
    resolved: tuple[Resolved, ...] | None
    unresolved: str = ""
    planned: bool = False
    superseded: str = ""

    @property
    def target_ids(self) -> tuple[str, ...]:
        """Everything that would be hit."""
        return target_ids(target for each in self.resolved or () for target in each.targets)


def pure_checks(subject: Subject, question: Question, counting: Counting) -> tuple[GateCheck, ...]:
    """Approvals, targets, environment, calendar, and what the policy leaves to nobody."""
    findings = Findings(OWN, question)
    return (
        _approvals(subject, question, findings, counting),
        _targets(subject, question, findings),
        _environment(subject, question, findings),
        _calendar(question, findings),
        *_left_to_nobody(question, findings),
    )


def _approvals(subject: Subject, question: Question, findings: Findings, counting: Counting) -> GateCheck:
    name, wanted = CheckName.APPROVALS, needed(question.policy, subject.spec)
    if subject.revision.state is not RevisionState.APPROVED:
        reason = f"revision {subject.revision.number} is {subject.revision.state.value}, not Approved"
        return findings.failed(name, reason, fatal=True)
    if subject.superseded:
        return findings.failed(name, subject.superseded, fatal=True)
    if subject.resolved is None:
        return findings.unknown(name, f"an approval is of targets, and {subject.unresolved}")
    counted = counting(subject.revision, subject.target_ids, question.now)
    who = ", ".join(sorted(each.by for each in counted))
    text = f"{len(counted)} of {wanted} approvals count"
    if len(counted) >= wanted:
        return findings.passed(name, f"{text}{': ' if who else ''}{who}")
    if len(counting(subject.revision, (), question.now)) >= wanted:
        approved = {each for approval in subject.revision.approvals for each in approval.target_ids}
        grown = [each for each in subject.target_ids if each not in approved]
        return findings.failed(
            name, f"{text}: the targets are not those that were approved ({_some(grown) or 'of each other'})"
        )
    return findings.failed(
        name, f"{text}: there were too few, or they have expired, or were for other content", fatal=True
    )


def _targets(subject: Subject, question: Question, findings: Findings) -> GateCheck:
    if subject.resolved is None:
        return findings.unknown(CheckName.TARGETS, subject.unresolved or "the targets could not be resolved")
    if not subject.resolved:
        return findings.failed(CheckName.TARGETS, "no fault resolves to any target")
    resolved = [
        replace(each, candidates=_ANY_SHARE) if subject.planned else each for each in subject.resolved
    ]
    reasons = radius.beyond(subject.spec, resolved, team=subject.team, policy=question.policy)
    shown = _some(subject.target_ids)
    if reasons:
        return findings.failed(CheckName.TARGETS, "; ".join(reasons), evidence=shown)
    count = len(subject.target_ids)
    return findings.passed(
        CheckName.TARGETS,
        f"{count} target{'s' if count != 1 else ''}, within the blast radius",
        evidence=shown,
    )


def _environment(subject: Subject, question: Question, findings: Findings) -> GateCheck:
    reasons = tuple(radius.environment_refusals(subject.spec, question.policy))
    if reasons:
        return findings.failed(CheckName.ENVIRONMENT, "; ".join(reasons), fatal=True)
    return findings.passed(
        CheckName.ENVIRONMENT, f"environment {question.environment} takes what this experiment injects"
    )


def _calendar(question: Question, findings: Findings) -> GateCheck:
    window = calendar.Window(question.now, max(question.now, question.window_end))
    try:
        refusal = calendar.refusal(question.policy, window)
    except (MomentError, ValueError, OverflowError) as error:
        return findings.unknown(CheckName.CALENDAR, f"the policy's calendar cannot be read: {error}")
    if refusal is not None:
        never = refusal.until is None
        reason = f"{refusal.reason}{'; so long a run never fits' if never else ''}"
        return findings.failed(CheckName.CALENDAR, reason, until=refusal.until, fatal=never)
    return findings.passed(CheckName.CALENDAR, "no freeze, and within business hours where there are any")


def _left_to_nobody(question: Question, findings: Findings) -> tuple[GateCheck, ...]:
    """What no source is configured for: unknown where the policy requires it; otherwise it says so."""
    policy, checks = question.policy, []
    if policy.incidents_required and policy.pagerduty is None and not policy.incident_alarms:
        checks.append(
            findings.unknown(CheckName.INCIDENTS, "the policy requires a source of incidents and names none")
        )
    if not policy.on_call_required:
        checks.append(findings.passed(CheckName.ON_CALL, "the policy does not require anybody on call"))
    elif policy.pagerduty is None:
        checks.append(
            findings.unknown(CheckName.ON_CALL, "the policy requires somebody on call and names no source")
        )
    if not policy.slos:
        checks.append(findings.passed(CheckName.SLO, "the policy names no objective, so none was checked"))
    return tuple(checks)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
