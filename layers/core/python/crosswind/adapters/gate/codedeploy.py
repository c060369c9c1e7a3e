"""CodeDeploy as a source of deployments: none goes on, and none ended in the quiet time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from crosswind.adapters.aws.errors import aws_errors
from crosswind.chaos.findings import Findings
from crosswind.chaos.gate import CODEDEPLOY
from crosswind.chaos.ports import Question
from crosswind.contracts.chaos.gate import CheckName, GateCheck
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import DependencyError

LONGEST_DEPLOYMENT = timedelta(days=2)  # one that began before that and still goes on is found by its status
GOING_ON = ("Created", "Queued", "InProgress", "Baking", "Ready")

_AT_ONCE = 25  # what BatchGetDeployments takes
_MOST = 200  # groups of an application, and deployments of a group, that are looked at
_SHOWN = 5


class CodeDeployClient(Protocol):
    """The calls of CodeDeploy that are made here."""

    def list_deployment_groups(self, **call: Any) -> Any: ...
    def list_deployments(self, **call: Any) -> Any: ...
    def batch_get_deployments(self, **call: Any) -> Any: ...


@dataclass(frozen=True)
class CodeDeployDeployments:
    """No deployment of the named applications goes on or has ended just now."""

    client: Callable[[], CodeDeployClient]  # made where a policy names an application
    name: str = CODEDEPLOY
    checks: tuple[CheckName, ...] = (CheckName.DEPLOYMENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        return tuple(
            self._of(application, question) for application in question.policy.codedeploy_applications
        )

    def _of(self, application: str, question: Question) -> GateCheck:
        findings = Findings(self.name, question)
        quiet = timedelta(seconds=duration_seconds(question.policy.deployment_quiet))
        since = question.now - quiet
        with aws_errors("codedeploy"):
            ids = tuple(dict.fromkeys(self._ids(application, since=since - LONGEST_DEPLOYMENT)))
            known = tuple(self._deployments(ids))
        recent = [each for each in known if _touches(each, since)]
        within = f"in the last {question.policy.deployment_quiet}"
        if not recent and len(known) < len(ids):
            lost = len(ids) - len(known)
            return findings.unknown(CheckName.DEPLOYMENTS, f"{lost} of {application} were not described")
        if not recent:
            return findings.passed(CheckName.DEPLOYMENTS, f"no deployment of {application} {within}")
        evidence = "; ".join(
            f"{each.get('deploymentId')} {each.get('status')} {to_iso(_last(each))}"
            for each in recent[:_SHOWN]
        )
        ended = None if any(_goes_on(each) for each in recent) else max(map(_last, recent)) + quiet
        return findings.failed(
            CheckName.DEPLOYMENTS,
            f"{len(recent)} of {application} {within}",
            evidence=evidence,
            until=ended,
        )

    def _ids(self, application: str, *, since: datetime) -> Iterator[str]:
        """A group's deployments since then, and those that go on whenever they began."""
        for group in self._all("list_deployment_groups", "deploymentGroups", applicationName=application):
            place = {"applicationName": application, "deploymentGroupName": group}
            yield from self._all("list_deployments", "deployments", **place, createTimeRange={"start": since})
            yield from self._all(
                "list_deployments", "deployments", **place, includeOnlyStatuses=list(GOING_ON)
            )

    def _all(self, call: str, field: str, **query: Any) -> Iterator[str]:
        token: dict[str, str] = {}
        count = 0
        while count < _MOST:
            answer = getattr(self.client(), call)(**query, **token)
            for each in answer.get(field, ()):
                count += 1
                yield str(each)
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}
        raise DependencyError(f"codedeploy gives more than {_MOST} {field}")

    def _deployments(self, ids: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(ids), _AT_ONCE):
            answer = self.client().batch_get_deployments(deploymentIds=list(ids[start : start + _AT_ONCE]))
            yield from answer.get("deploymentsInfo", ())


def _goes_on(deployment: dict[str, Any]) -> bool:
    return deployment.get("status") in GOING_ON or deployment.get("completeTime") is None


def _touches(deployment: dict[str, Any], since: datetime) -> bool:
    return _goes_on(deployment) or _last(deployment) >= since


def _last(deployment: dict[str, Any]) -> datetime:
    moment: datetime = deployment.get("completeTime") or deployment["createTime"]
    return moment
