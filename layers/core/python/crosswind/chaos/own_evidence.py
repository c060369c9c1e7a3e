"""Sources of the gate on the deployment's own stores: the halt switch, facts that were told, and who holds targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from crosswind.chaos.findings import OWN, Findings
from crosswind.chaos.model import Hold
from crosswind.chaos.ports import FactStore, Question
from crosswind.contracts.chaos.gate import CheckName, GateCheck
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import to_iso

_SHOWN = 5


class Holds(Protocol):
    """What the gate reads of the store of runs."""

    def holds(self, target_ids: Sequence[str]) -> tuple[Hold, ...]:
        """Who has these targets."""
        ...


@dataclass(frozen=True)
class HaltEvidence:
    """Whether everything is halted."""

    facts: FactStore
    name: str = OWN
    checks: tuple[CheckName, ...] = (CheckName.HALT,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        findings = Findings(self.name, question)
        halt = self.facts.halt()
        if halt is None:
            return (findings.passed(CheckName.HALT, "the halt switch is off"),)
        reason = f"halted by {halt.by} at {to_iso(halt.at)}: {halt.reason}"
        return (findings.failed(CheckName.HALT, reason, fatal=True),)


@dataclass(frozen=True)
class IncidentEvidence:
    """Incidents that somebody told of."""

    facts: FactStore
    name: str = OWN
    checks: tuple[CheckName, ...] = (CheckName.INCIDENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        findings = Findings(self.name, question)
        known = self.facts.open_incidents(question.environment)
        if not known:
            return (findings.passed(CheckName.INCIDENTS, "nobody told of an incident that goes on"),)
        shown = "; ".join(f"{each.id} {each.title} (told by {each.told_by})" for each in known[:_SHOWN])
        return (findings.failed(CheckName.INCIDENTS, f"{len(known)} open: {shown}"),)


@dataclass(frozen=True)
class DeploymentEvidence:
    """Deployments that somebody told of."""

    facts: FactStore
    name: str = OWN
    checks: tuple[CheckName, ...] = (CheckName.DEPLOYMENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        findings = Findings(self.name, question)
        quiet = timedelta(seconds=duration_seconds(question.policy.deployment_quiet))
        known = sorted(
            self.facts.deployments_since(question.environment, question.now - quiet),
            key=lambda fact: fact.at,
            reverse=True,
        )
        if not known:
            reason = f"nobody told of a deployment in the last {question.policy.deployment_quiet}"
            return (findings.passed(CheckName.DEPLOYMENTS, reason),)
        shown = "; ".join(f"{each.service} {each.version} at {to_iso(each.at)}" for each in known[:_SHOWN])
        reason = f"{len(known)} in the last {question.policy.deployment_quiet}: {shown}"
        return (findings.failed(CheckName.DEPLOYMENTS, reason, until=known[0].at + quiet),)


@dataclass(frozen=True)
class OverlapEvidence:
    """Whether another run has one of the targets, or left one behind without proof that it is clean."""

    runs: Holds
    target_ids: tuple[str, ...] | None  # None: not known
    name: str = OWN
    checks: tuple[CheckName, ...] = (CheckName.OVERLAP,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        findings = Findings(self.name, question)
        if self.target_ids is None:
            return (findings.unknown(CheckName.OVERLAP, "the targets are not known"),)
        held = [each for each in self.runs.holds(self.target_ids) if each.run_id != question.run_id]
        if not held:
            return (findings.passed(CheckName.OVERLAP, "no other run has any of the targets"),)
        shown = "; ".join(
            f"{each.target_id} by {each.run_id}{' (its recovery is not proven)' if each.unverified else ''}"
            for each in held[:_SHOWN]
        )
        return (findings.failed(CheckName.OVERLAP, f"{len(held)} held: {shown}"),)
