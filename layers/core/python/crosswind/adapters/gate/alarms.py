"""CloudWatch alarms as a source of incidents and of SLO health. An alarm without data says nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crosswind.adapters.aws.errors import aws_errors
from crosswind.chaos.findings import Findings
from crosswind.chaos.gate import CLOUDWATCH
from crosswind.chaos.ports import Question
from crosswind.contracts.chaos.gate import CheckName, GateCheck

_AT_ONCE = 100  # what DescribeAlarms takes and gives


class CloudWatchClient(Protocol):
    """The call of CloudWatch that is made here."""

    def describe_alarms(self, **call: Any) -> Any: ...


@dataclass(frozen=True)
class AlarmSource:
    """Every named alarm is OK: those that mean an incident, and those that are objectives."""

    client: Callable[[], CloudWatchClient]  # made where a policy names an alarm
    name: str = CLOUDWATCH
    checks: tuple[CheckName, ...] = (CheckName.INCIDENTS, CheckName.SLO)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        policy = question.policy
        objectives = {slo.name: slo.alarm for slo in policy.slos if slo.alarm is not None}
        wanted = tuple(dict.fromkeys((*policy.incident_alarms, *objectives.values())))
        if not wanted:
            return ()
        findings, states = Findings(self.name, question), self._states(wanted)
        incidents = [
            _check(findings, CheckName.INCIDENTS, f"alarm {alarm}", states.get(alarm))
            for alarm in policy.incident_alarms
        ]
        slos = [
            _check(findings, CheckName.SLO, f"{name} (alarm {alarm})", states.get(alarm))
            for name, alarm in objectives.items()
        ]
        return (*incidents, *slos)

    def _states(self, names: Sequence[str]) -> dict[str, tuple[str, str]]:
        """State and reason by name."""
        found: dict[str, tuple[str, str]] = {}
        for start in range(0, len(names), _AT_ONCE):
            with aws_errors("cloudwatch"):
                answer = self.client().describe_alarms(
                    AlarmNames=list(names[start : start + _AT_ONCE]),
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                    MaxRecords=_AT_ONCE,
                )
            for alarm in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())):
                found[alarm["AlarmName"]] = (alarm.get("StateValue", ""), alarm.get("StateReason", ""))
        return found


def _check(findings: Findings, name: CheckName, subject: str, state: tuple[str, str] | None) -> GateCheck:
    if state is None:
        return findings.unknown(name, f"{subject} does not exist")
    value, reason = state
    if value == "OK":
        return findings.passed(name, f"{subject} is OK", evidence=reason)
    if value == "ALARM":
        return findings.failed(name, f"{subject} is in alarm", evidence=reason)
    return findings.unknown(name, f"{subject} is {value or 'without a state'}", evidence=reason)
