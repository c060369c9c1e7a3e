"""How a source of the gate writes down what it found: one GateCheck, as of the moment of the question."""

from dataclasses import dataclass
from datetime import datetime

from crosswind.chaos.ports import Question
from crosswind.contracts.chaos.gate import CheckName, CheckStatus, GateCheck, PolicySpec
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import to_iso

OWN = "crosswind"  # the source of what the deployment knows by itself

_MARGIN_SECONDS = 30
_REASON_CHARACTERS = 1000
_EVIDENCE_CHARACTERS = 4000


def ttl_seconds(policy: PolicySpec) -> int:
    """How long a finding may be relied on: the gate is asked again twice in that time, and a little more."""
    return 2 * duration_seconds(policy.recheck) + _MARGIN_SECONDS


@dataclass(frozen=True, slots=True)
class Findings:
    """What one source finds for one question. Evidence is what the source said, and never holds a secret."""

    source: str
    question: Question

    def passed(self, name: CheckName, reason: str, *, evidence: str | None = None) -> GateCheck:
        """It is so."""
        return self._check(name, CheckStatus.PASS, reason, evidence)

    def failed(
        self,
        name: CheckName,
        reason: str,
        *,
        evidence: str | None = None,
        until: datetime | None = None,
        fatal: bool = False,
    ) -> GateCheck:
        """It is not so; waiting until then may help, or never where it is fatal."""
        return self._check(name, CheckStatus.FAIL, reason, evidence, until=until, fatal=fatal)

    def unknown(self, name: CheckName, reason: str, *, evidence: str | None = None) -> GateCheck:
        """It could not be found out."""
        return self._check(name, CheckStatus.UNKNOWN, reason, evidence)

    def _check(
        self,
        name: CheckName,
        status: CheckStatus,
        reason: str,
        evidence: str | None,
        *,
        until: datetime | None = None,
        fatal: bool = False,
    ) -> GateCheck:
        return GateCheck(
            name=name,
            status=status,
            reason=_cut(reason, _REASON_CHARACTERS),
            source=self.source,
            observed_at=to_iso(self.question.now),
            ttl_seconds=ttl_seconds(self.question.policy),
            evidence=_cut(evidence, _EVIDENCE_CHARACTERS) if evidence else None,
            until=to_iso(until) if until else None,
            fatal=fatal,
        )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
