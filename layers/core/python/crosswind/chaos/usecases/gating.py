"""AskGate: the one question before anything is injected, before each step, and while something is broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from crosswind.chaos import gate
from crosswind.chaos.checks import Counting, Subject, pure_checks
from crosswind.chaos.findings import Findings
from crosswind.chaos.model import ExperimentRun, Revision, TimelineEvent
from crosswind.chaos.own_evidence import Holds, OverlapEvidence
from crosswind.chaos.policies import Policies
from crosswind.chaos.ports import GateSource, Question
from crosswind.chaos.radius import Resolved
from crosswind.contracts.chaos.gate import (
    CheckName,
    CheckStatus,
    GateCheck,
    GateDecision,
    GateOutcome,
    Moment,
    PolicySpec,
)
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.concurrently import side_by_side
from crosswind.kernel.errors import RetryableError

SECONDS = 8.0  # for all sources together; each has a shorter limit of its own
ACTOR = "gate"

_NO_POLICY = "unknown"
_TEXT_CHARACTERS = 1000


class Records(Holds, Protocol):
    """What the gate needs of the store of runs."""

    def add_decision(self, run_id: str, decision: GateDecision) -> None:
        """Keep a decision record for good."""
        ...

    def add_to_timeline(self, run_id: str, events: Sequence[TimelineEvent]) -> None:
        """Append lines that go with no move."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What is to be injected, and where the run is.

    Args:
        spec: With its parameters put in.
        resolved: What every fault that is meant would hit: of all steps before the run, of one step before that step,
            of what was planned while it runs. None where a provider could not be asked; `unresolved` says why.
        planned: `resolved` repeats what was planned before; `candidates` says nothing then.
        superseded: Why the revision's approvals are void: it was edited since, or deleted. Empty where they are not.
    """

    moment: Moment
    team: str
    experiment: str
    revision: Revision
    spec: ExperimentSpec
    resolved: tuple[Resolved, ...] | None
    unresolved: str = ""
    planned: bool = False
    run: ExperimentRun | None = None
    step: int = 0
    superseded: str = ""

    @property
    def subject(self) -> Subject:
        """What the checks are about."""
        return Subject(
            team=self.team,
            revision=self.revision,
            spec=self.spec,
            resolved=self.resolved,
            unresolved=self.unresolved or "the provider could not be asked",
            planned=self.planned,
            superseded=self.superseded,
        )


@dataclass(frozen=True)
class AskGate:
    """Asks every source side by side, decides, and keeps the decision of a run for good.

    Used by previews, and by the engine before a run, before each step and while something is broken.
    """

    policies: Policies
    runs: Records
    sources: Sequence[GateSource]
    counting: Counting
    clock: Clock
    seconds: float = SECONDS

    def __call__(self, asking: Asking) -> GateDecision:
        """The decision. A source's failure is never an error here; it is a check that is unknown.

        Raises ThrottledError or DependencyError when the decision of a run could not be kept: then nothing proceeds.
        """
        decision = self._decide(asking)
        if asking.run is not None:
            self._keep(asking.run, decision)
        return decision

    def _decide(self, asking: Asking) -> GateDecision:
        now = self.clock.now()
        try:
            policy = self.policies.of(asking.spec.environment)
        except RetryableError as error:
            return self._without_policy(asking, now, error)
        question = _question(asking, now, policy.spec)
        found = (*pure_checks(asking.subject, question, self.counting), *self._look(asking, question))
        return gate.decide(
            found,
            wanted=gate.expected(policy.spec),
            moment=asking.moment,
            now=self.clock.now(),
            policy_version=policy.version,
            step=asking.step,
            patience_ends=_patience_ends(asking, question),
        )

    def _look(self, asking: Asking, question: Question) -> tuple[GateCheck, ...]:
        known = asking.resolved is not None
        overlap = OverlapEvidence(self.runs, asking.subject.target_ids if known else None)
        sources: tuple[GateSource, ...] = (*self.sources, overlap)
        calls: list[Callable[[], tuple[GateCheck, ...]]] = [
            partial(source.look, question) for source in sources
        ]
        answers = side_by_side(calls, seconds=self.seconds)
        return tuple(
            check
            for source, answer in zip(sources, answers, strict=True)
            for check in (answer if isinstance(answer, tuple) else _failed(source, question, answer))
        )

    def _without_policy(self, asking: Asking, now: datetime, error: Exception) -> GateDecision:
        check = GateCheck(
            name=CheckName.ENVIRONMENT,
            status=CheckStatus.UNKNOWN,
            reason=f"the policy of environment {asking.spec.environment} cannot be read: {error}"[:1000],
            source=ACTOR,
            observed_at=to_iso(now),
            ttl_seconds=0,
        )
        return gate.decide(
            [check],
            wanted=(),
            moment=asking.moment,
            now=now,
            policy_version=_NO_POLICY,
            step=asking.step,
        )

    def _keep(self, run: ExperimentRun, decision: GateDecision) -> None:
        self.runs.add_decision(run.run_id, decision)
        if decision.moment is Moment.RUNNING and decision.outcome is GateOutcome.PROCEED:
            return  # every half a minute the same line would bury the others
        until = f" until {decision.until}" if decision.until else ""
        text = f"{decision.moment.value}: {decision.outcome.value}{until}: {decision.reason}"
        line = TimelineEvent(
            at=self.clock.now(),
            kind=TimelineKind.DECISION,
            actor=ACTOR,
            text=text[:_TEXT_CHARACTERS],
        )
        self.runs.add_to_timeline(run.run_id, [line])


def _question(asking: Asking, now: datetime, policy: PolicySpec) -> Question:
    deadline = asking.run.deadline if asking.run is not None else None
    longest = timedelta(seconds=duration_seconds(asking.spec.timeout))
    return Question(
        run_id=asking.run.run_id if asking.run is not None else None,
        team=asking.team,
        experiment=asking.experiment,
        environment=asking.spec.environment,
        service=asking.spec.service,
        now=now,
        window_end=deadline or now + longest,
        policy=policy,
    )


def _patience_ends(asking: Asking, question: Question) -> datetime | None:
    if asking.run is None:
        return None
    since = asking.run.started_at or question.now
    return since + timedelta(seconds=duration_seconds(question.policy.patience))


def _failed(source: GateSource, question: Question, error: Exception) -> tuple[GateCheck, ...]:
    findings = Findings(source.name, question)
    what = str(error) or type(error).__name__
    return tuple(
        findings.unknown(name, f"{source.name} could not be asked: {what}") for name in source.checks
    )
