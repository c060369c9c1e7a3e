"""Prometheus, CloudWatch and CodeDeploy as sources."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from crosswind.adapters.gate.alarms import AlarmSource
from crosswind.adapters.gate.codedeploy import CodeDeployDeployments
from crosswind.adapters.gate.prometheus import PrometheusSlos
from crosswind.adapters.http import HttpPeer
from crosswind.chaos.ports import Question
from crosswind.contracts.chaos.gate import CheckName, CheckStatus, GateCheck
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import CrosswindError, ThrottledError
from tests.fakes import START
from tests.unit.chaos.gate.world import make_question, policy

ADDRESS = "http://127.0.0.1:9090/prom"
NOW = START.timestamp()


def vector(*values: str, at: float = NOW) -> dict[str, Any]:
    return {
        "resultType": "vector",
        "result": [
            {"metric": {"pod": str(place)}, "value": [at, value]} for place, value in enumerate(values)
        ],
    }


def judged(
    answer: Callable[[httpx.Request], httpx.Response],
    *,
    address: str = ADDRESS,
    refused: tuple[str, ...] = (),
    slos: tuple[dict[str, Any], ...] = ({"name": "errors", "query": "rate(errors[1m])", "at_most": 0.01},),
) -> tuple[GateCheck, ...]:
    source = PrometheusSlos(
        refused=refused,
        open=lambda base: HttpPeer(
            "prometheus", base, tries=2, transport=httpx.MockTransport(answer), pause=lambda _: None
        ),
    )
    return source.look(make_question(policy(prometheus=address, slos=slos)))


def success(data: Any, **more: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(200, json={"status": "success", "data": data, **more})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (vector("0.005"), CheckStatus.PASS),
        (vector("0.01", "0"), CheckStatus.PASS),
        ({"resultType": "scalar", "result": [NOW, "0"]}, CheckStatus.PASS),
        (vector("0.011"), CheckStatus.FAIL),
        (vector("0", "0.5"), CheckStatus.FAIL),  # one of several is enough
        (vector("+Inf"), CheckStatus.FAIL),
        (vector("NaN"), CheckStatus.UNKNOWN),
        (vector("0", "NaN"), CheckStatus.UNKNOWN),
        (vector(), CheckStatus.UNKNOWN),  # no data is no health
        (vector("0", at=NOW - 3600), CheckStatus.UNKNOWN),
        (vector("many"), CheckStatus.UNKNOWN),
        ({"resultType": "matrix", "result": []}, CheckStatus.UNKNOWN),
        ({"resultType": "vector", "result": [{"metric": {}}]}, CheckStatus.UNKNOWN),
        (None, CheckStatus.UNKNOWN),
    ],
)
def test_an_objective_is_judged_by_every_value_of_its_query(data: Any, status: CheckStatus) -> None:
    (check,) = judged(success(data))
    assert (check.name, check.status) == (CheckName.SLO, status)
    assert "errors" in check.reason


def test_both_bounds_hold() -> None:
    slo = {"name": "up", "query": "up", "at_least": 1, "at_most": 2}
    statuses = [judged(success(vector(value)), slos=(slo,))[0].status for value in ("0.9", "1", "2", "2.1")]
    assert [each.value for each in statuses] == ["fail", "pass", "pass", "fail"]


def _timeout(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("too slow", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        _timeout,
        lambda request: httpx.Response(429),
        lambda request: httpx.Response(503),
        lambda request: httpx.Response(400, json={"status": "error", "error": "parse error"}),
        lambda request: httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
        lambda request: httpx.Response(200, text="<html>"),
        lambda request: httpx.Response(200, json=[]),
        success(vector("0"), warnings=["partial response"]),
    ],
)
def test_what_is_no_clear_answer_of_prometheus_is_unknown(
    answer: Callable[[httpx.Request], httpx.Response],
) -> None:
    (check,) = judged(answer)
    assert check.status is CheckStatus.UNKNOWN


def test_every_objective_has_a_check_of_its_own_beneath_the_address_s_path() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/prom/api/v1/query"
        data = vector("1") if request.url.params["query"] == "one" else vector("9")
        return httpx.Response(200, json={"status": "success", "data": data})

    slos = ({"name": "a", "query": "one", "at_most": 1}, {"name": "b", "query": "two", "at_most": 1})
    first, second = judged(answer, slos=slos)
    assert (first.status, second.status) == (CheckStatus.PASS, CheckStatus.FAIL)


def _nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was asked")


@pytest.mark.parametrize(
    ("address", "refused"),
    [("http://169.254.169.254", ()), ("http://127.0.0.1:8080", ("127.0.0.1:8080",))],
)
def test_instance_metadata_and_the_control_plane_are_never_asked(
    address: str, refused: tuple[str, ...]
) -> None:
    (check,) = judged(_nobody, address=address, refused=refused)
    assert check.status is CheckStatus.UNKNOWN
    assert "may not be asked" in check.reason


@dataclass
class CloudWatch:
    """Alarms by name."""

    alarms: dict[str, str] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    fault: Exception | None = None

    def describe_alarms(self, **call: Any) -> Any:
        self.calls.append(call)
        if self.fault is not None:
            raise self.fault
        found = [
            {"AlarmName": name, "StateValue": self.alarms[name], "StateReason": "threshold"}
            for name in call["AlarmNames"]
            if name in self.alarms
        ]
        return {"MetricAlarms": found[:1], "CompositeAlarms": found[1:]}


ALARMED = policy(incident_alarms=("outage", "burn"), slos=({"name": "lag", "alarm": "queue-lag"},))


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("OK", CheckStatus.PASS),
        ("ALARM", CheckStatus.FAIL),
        ("INSUFFICIENT_DATA", CheckStatus.UNKNOWN),
        ("", CheckStatus.UNKNOWN),
        (None, CheckStatus.UNKNOWN),
    ],
)
def test_an_alarm_is_well_only_when_it_is_ok(state: str | None, status: CheckStatus) -> None:
    cloudwatch = CloudWatch({"outage": "OK", "burn": "OK"})
    if state is not None:
        cloudwatch.alarms["queue-lag"] = state
    checks = AlarmSource(lambda: cloudwatch).look(make_question(ALARMED))
    assert [(each.name, each.status) for each in checks] == [
        (CheckName.INCIDENTS, CheckStatus.PASS),
        (CheckName.INCIDENTS, CheckStatus.PASS),
        (CheckName.SLO, status),
    ]
    assert cloudwatch.calls[0]["AlarmTypes"] == ["MetricAlarm", "CompositeAlarm"]


def test_without_alarms_in_the_policy_no_client_is_made() -> None:
    def never() -> Any:
        raise AssertionError

    assert AlarmSource(never).look(make_question()) == ()
    assert CodeDeployDeployments(never).look(make_question()) == ()


def test_throttling_rises_for_the_gate_to_call_it_unknown() -> None:
    error = ClientError({"Error": {"Code": "ThrottlingException"}}, "DescribeAlarms")
    with pytest.raises(ThrottledError):
        AlarmSource(lambda: CloudWatch(fault=error)).look(make_question(ALARMED))


@dataclass
class CodeDeploy:
    """One group of one application, two deployments a page."""

    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    forgets: bool = False

    def list_deployment_groups(self, **call: Any) -> Any:
        assert call == {"applicationName": "shop"}
        return {"deploymentGroups": ["blue"]}

    def list_deployments(self, **call: Any) -> Any:
        assert (call["applicationName"], call["deploymentGroupName"]) == ("shop", "blue")
        since = call.get("createTimeRange", {}).get("start")
        statuses = call.get("includeOnlyStatuses")
        ids = [
            each
            for each, info in self.deployments.items()
            if (since is None or info["createTime"] >= since)
            and (statuses is None or info["status"] in statuses)
        ]
        start = int(call.get("nextToken", 0))
        more = {"nextToken": str(start + 2)} if len(ids) > start + 2 else {}
        return {"deployments": ids[start : start + 2], **more}

    def batch_get_deployments(self, **call: Any) -> Any:
        assert len(call["deploymentIds"]) <= 25
        infos = [{"deploymentId": each, **self.deployments[each]} for each in call["deploymentIds"]]
        return {"deploymentsInfo": [] if self.forgets else infos}

    def add(self, status: str, *, created: timedelta, completed: timedelta | None = None) -> None:
        """A deployment that began so long ago."""
        info: dict[str, Any] = {"status": status, "createTime": START - created}
        if completed is not None:
            info["completeTime"] = START - completed
        self.deployments[f"d-{len(self.deployments)}"] = info


DEPLOYED: Question = make_question(policy(codedeploy_applications=("shop",)))
HOUR = timedelta(hours=1)


def deployed(codedeploy: CodeDeploy) -> GateCheck:
    (check,) = CodeDeployDeployments(lambda: codedeploy).look(DEPLOYED)
    return check


def test_no_deployment_in_the_quiet_time_passes() -> None:
    codedeploy = CodeDeploy()
    codedeploy.add("Succeeded", created=4 * HOUR, completed=3 * HOUR)
    assert deployed(codedeploy).status is CheckStatus.PASS


def test_a_deployment_that_ended_in_the_quiet_time_fails_until_that_is_over() -> None:
    codedeploy = CodeDeploy()
    codedeploy.add("Succeeded", created=30 * HOUR, completed=HOUR)
    check = deployed(codedeploy)
    assert (check.status, check.until) == (CheckStatus.FAIL, to_iso(START + HOUR))


@pytest.mark.parametrize("status", ["Created", "Queued", "InProgress", "Baking", "Ready"])
def test_a_deployment_that_goes_on_fails_however_long_ago_it_began(status: str) -> None:
    codedeploy = CodeDeploy()
    codedeploy.add(status, created=timedelta(days=20))
    check = deployed(codedeploy)
    assert (check.status, check.until) == (CheckStatus.FAIL, None)


def test_all_pages_of_deployments_are_read() -> None:
    codedeploy = CodeDeploy()
    for _ in range(30):
        codedeploy.add("Succeeded", created=10 * HOUR, completed=9 * HOUR)
    codedeploy.add("Failed", created=HOUR, completed=HOUR / 2)
    assert deployed(codedeploy).status is CheckStatus.FAIL


def test_deployments_that_are_listed_and_not_described_are_unknown() -> None:
    codedeploy = CodeDeploy(forgets=True)
    codedeploy.add("Succeeded", created=HOUR, completed=HOUR)
    assert deployed(codedeploy).status is CheckStatus.UNKNOWN


def test_more_deployments_than_are_read_are_no_pass() -> None:
    codedeploy = CodeDeploy()
    for _ in range(300):
        codedeploy.add("Succeeded", created=10 * HOUR, completed=9 * HOUR)
    with pytest.raises(CrosswindError):
        deployed(codedeploy)
