"""The AWS FIS provider, by a real client, on a faithful stand-in; and where FIS refuses, stops or goes astray."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from botocore.config import Config
from botocore.session import get_session

from crosswind.adapters.aws.safety_lever import FisSafetyLever
from crosswind.adapters.providers.fis.provider import FisProvider
from crosswind.adapters.providers.fis.templates import FisSetup
from crosswind.chaos.providing import FaultRequest, Provider
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import Pick, TargetSelector
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import DependencyError, ThrottledError
from tests.contract.providers.contract import RUN, ProviderContract, planned, refused
from tests.fakes.fis import ACCOUNT, POD, REGION, FakeFis, Resource, serving

_ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:unwatched"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/fis"
_CLUSTER = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop"
_FUNCTION, _INSTANCE = "aws:lambda:function", "aws:ec2:instance"


def function(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def instance(number: int) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-{number:08d}"


QUOTE = function("quote")


@pytest.fixture
def fis() -> FakeFis:
    pods = {"clusterIdentifier": _CLUSTER, "namespace": "checkout", "selectorValue": "app=checkout"}
    pods["selectorType"] = "labelSelector"
    return FakeFis(
        resources=[
            Resource(_FUNCTION, QUOTE, {"crosswind:chaos": "allowed"}),
            *(Resource(_INSTANCE, instance(number), {"tier": "web"}) for number in range(12)),
            *(Resource(POD, f"checkout-{number}", parameters=pods) for number in range(6)),
        ]
    )


_SESSION = get_session()  # it keeps the description of the service


@pytest.fixture
def client(fis: FakeFis) -> Iterator[object]:
    with serving(fis) as address:
        yield _SESSION.create_client(
            "fis",
            endpoint_url=address,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}, proxies={}),
        )


@pytest.fixture
def provider(fis: FakeFis, client: object) -> FisProvider:
    tokens = count()
    setup = FisSetup(
        stage="test",
        role_arn=_ROLE,
        log_group_arn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:fis:*",
        stop_alarm_arns=(_ALARM,),
    )
    return FisProvider(
        connect=lambda: client,  # type: ignore[arg-type, return-value]  # botocore's clients are untyped
        setup=setup,
        pause=fis.advance,
        token=lambda: f"{next(tokens):04d}",
        seconds=lambda: fis.now,
    )


def request(
    action: str = "lambda.invocation-error",
    selector: TargetSelector | None = None,
    *,
    percent: float = 100.0,
    **parameters: Scalar,
) -> FaultRequest:
    return FaultRequest(
        run_id=RUN,
        step=1,
        fault="hurt",
        action=action,
        selector=selector or TargetSelector(kind=_FUNCTION, arns=(QUOTE,)),
        parameters=parameters,
        percent=percent,
        duration_seconds=120,
        environment="staging",
        team="demo",
    )


def pods() -> FaultRequest:
    selector = TargetSelector(
        kind=POD,
        namespace="checkout",
        parameters={
            "clusterIdentifier": _CLUSTER,
            "selectorType": "labelSelector",
            "selectorValue": "app=checkout",
        },
        pick=Pick.PERCENT,
        percent=50,
    )
    return request("eks.pod-network-latency", selector, kubernetesServiceAccount="fis", delayMilliseconds=300)


def web(action: str = "ec2.stop-instances", **more: object) -> FaultRequest:
    selector = TargetSelector(kind=_INSTANCE, tags={"tier": "web"})
    return request(action, selector.model_copy(update=more))


class TestFisProvider(ProviderContract):
    @pytest.fixture(autouse=True)
    def _remember(self, fis: FakeFis) -> None:
        self.fis = fis

    def request(self) -> FaultRequest:
        return request()

    def is_hit(self) -> bool:
        return self.fis.hits(QUOTE)


def made(fis: FakeFis) -> dict[str, object]:
    """The template of the one experiment that is no preview."""
    (found,) = [each for each in fis.experiments.values() if not each["dryRun"]]
    return dict(found["template"])


def test_a_template_carries_stop_conditions_role_log_and_tags(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    provider.inject(injection)
    template = made(fis)
    assert template["stopConditions"] == [{"source": "aws:cloudwatch:alarm", "value": _ALARM}]
    assert template["roleArn"] == _ROLE
    assert template["tags"] == {
        "crosswind:stage": "test",
        "crosswind:run": RUN,
        "crosswind:marker": injection.marker,
    }
    assert template["experimentOptions"] == {
        "accountTargeting": "single-account",
        "emptyTargetResolutionMode": "fail",
    }
    assert template["logConfiguration"]
    assert template["clientToken"] == injection.marker


def test_a_single_target_is_hit_by_the_steps_share(provider: Provider, fis: FakeFis) -> None:
    provider.inject(planned(provider, request(percent=25)))
    (action,) = made(fis)["actions"].values()  # type: ignore[attr-defined]  # JSON
    assert action["parameters"] == {
        "duration": "PT2M",
        "invocationPercentage": "25",
        "preventExecution": "true",
    }


def test_exactly_what_was_previewed_is_hit_in_groups_of_five(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, web(pick=Pick.COUNT, count=7))
    provider.inject(injection)
    hit = {target.id for target in injection.targets}
    assert len(hit) == 7
    assert {instance(number) for number in range(12) if fis.hits(instance(number))} == hit
    targets = made(fis)["targets"]
    assert [len(each["resourceArns"]) for each in targets.values()] == [5, 2]  # type: ignore[attr-defined]  # JSON


def test_more_than_fis_takes_in_one_experiment_is_a_problem(provider: Provider, fis: FakeFis) -> None:
    fis.resources += [Resource(_INSTANCE, instance(100 + number), {"tier": "web"}) for number in range(200)]
    preview = provider.preview(web())
    assert preview.candidates == 212
    assert any("at most 50" in problem for problem in preview.problems)


def test_pods_are_counted_within_their_selector_so_that_a_rollout_changes_nothing(
    provider: Provider, fis: FakeFis
) -> None:
    before = provider.preview(pods())
    assert (before.candidates, len(before.targets)) == (6, 3)
    assert all(target.namespace == "checkout" for target in before.targets)
    assert any("picks 3 of the 6 pods anew" in warning for warning in before.warnings)
    fis.resources = [
        replace(each, arn=f"new-{each.arn}") if each.kind == POD else each for each in fis.resources
    ]
    fis.advance(60)
    after = provider.preview(pods())
    assert {target.id for target in after.targets} == {target.id for target in before.targets}
    provider.inject(planned(provider, pods()))
    (target,) = made(fis)["targets"].values()  # type: ignore[attr-defined]  # JSON
    assert target["selectionMode"] == "COUNT(3)"
    assert target["parameters"]["namespace"] == "checkout"


def test_the_steps_of_a_ladder_cost_one_dry_run(provider: Provider, fis: FakeFis) -> None:
    counts = [len(provider.preview(replace(web(), percent=percent)).targets) for percent in (25, 50, 100)]
    assert counts == [3, 6, 12]
    assert len(fis.experiments) == 1
    fis.resources.pop(1)
    fis.advance(60)
    assert provider.preview(web()).candidates == 11


def test_a_preview_leaves_no_template_and_runs_no_action(provider: Provider, fis: FakeFis) -> None:
    provider.preview(request())
    assert all(template.get("deleted") for template in fis.templates.values())
    assert all(experiment["dryRun"] for experiment in fis.experiments.values())
    assert fis.running() == []


@pytest.mark.parametrize(("code", "allowed"), [("AccessDenied", False), ("TargetResolutionError", True)])
def test_a_preview_tells_what_fis_says_and_whether_the_role_may(
    provider: Provider, fis: FakeFis, code: str, allowed: bool
) -> None:
    fis.fails_with = code
    preview = provider.preview(request())
    assert any(code in problem for problem in preview.problems)
    assert [permission.allowed for permission in preview.permissions] == [allowed]


def test_an_engaged_lever_is_a_problem_before_and_a_refusal_after(
    provider: Provider, fis: FakeFis, client: object
) -> None:
    injection = planned(provider, request())
    lever = FisSafetyLever(client)  # type: ignore[arg-type]  # botocore's clients are untyped
    assert lever.engage("incident 7") == "engaged"
    assert lever.engage("again") == "engaged"
    fis.advance(60)
    assert any("lever" in problem for problem in provider.preview(request()).problems)
    status = provider.inject(injection)
    assert (status.state, status.stopped_by) == (FaultState.REFUSED, "safety-lever")
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert lever.disengage("over") == "disengaged"


def test_the_lever_stops_what_runs(provider: Provider, fis: FakeFis, client: object) -> None:
    injection = planned(provider, request())
    provider.inject(injection)
    FisSafetyLever(client).engage("incident 7")  # type: ignore[arg-type]  # as above
    fis.advance(2)
    status = provider.status(injection)
    assert (status.state, status.stopped_by) == (FaultState.REMOVED, "safety-lever")
    assert not fis.hits(QUOTE)


def test_an_alarm_that_fis_watches_stops_it_and_is_told(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    provider.inject(injection)
    fis.ring(_ALARM)
    assert provider.status(injection).stopped_by == "alarm"
    fis.advance(2)
    status = provider.status(injection)
    assert (status.state, status.stopped_by) == (FaultState.REMOVED, "alarm")


def test_it_ends_by_itself_when_its_duration_is_over(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    provider.inject(injection)
    fis.advance(121)
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert not fis.hits(QUOTE)


def test_what_is_done_at_once_is_in_and_cannot_be_taken_back(provider: Provider, fis: FakeFis) -> None:
    reboot = web("ec2.reboot-instances", pick=Pick.COUNT, count=1)
    preview = provider.preview(reboot)
    assert any("cannot be taken back" in warning for warning in preview.warnings)
    injection = planned(provider, reboot)
    assert provider.inject(injection).state is FaultState.ACTIVE
    assert provider.verify_removed(injection).state is FaultState.REMOVED


def test_a_full_quota_is_a_refusal_of_which_nothing_is_left(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    fis.quota = 0
    status = provider.inject(injection)
    assert status.state is FaultState.REFUSED
    assert "quota" in status.detail
    provider.stop(injection)
    assert all(template.get("deleted") for template in fis.templates.values())


def test_no_targets_at_injection_is_a_refusal(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    fis.resources.clear()
    status = provider.inject(injection)
    assert status.state is FaultState.REFUSED
    assert "empty set" in status.detail


def test_an_experiment_that_fails_tells_its_code(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    fis.fails_with = "PodNotReady"
    status = provider.inject(injection)
    assert status.state is FaultState.REFUSED
    assert "PodNotReady" in status.detail


@pytest.mark.parametrize("lost", ["POST /experimentTemplates", "POST /experiments"])
def test_an_answer_that_was_lost_makes_no_second_fault(provider: Provider, fis: FakeFis, lost: str) -> None:
    """The client asks again by itself; the token makes it the same."""
    injection = planned(provider, request())
    fis.lost_answers.add(lost)
    assert provider.inject(injection).state is FaultState.ACTIVE
    assert len(fis.running()) == 1
    provider.stop(injection)
    assert fis.running() == []


def test_what_was_begun_behind_a_lost_answer_is_found_by_its_marker(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    provider.inject(injection)
    for number in range(250):  # three pages of others
        fis.experiments[f"EXPother{number}"] = {
            "id": f"EXPother{number}",
            "experimentTemplateId": "EXTother",
            "tags": {},
            "clientToken": f"other-{number}",
            "state": {"status": "completed"},
        }
    fis.experiments[injection.marker] = fis.experiments.pop("EXP0000000000002") | {"id": injection.marker}
    provider.stop(replace(injection, handle={}))
    assert not fis.hits(QUOTE)


def test_throttling_is_waited_for_and_then_told(provider: Provider, fis: FakeFis) -> None:
    injection = planned(provider, request())
    fis.throttled = 1
    assert provider.inject(injection).state is FaultState.ACTIVE
    fis.throttled = 1_000
    with pytest.raises(ThrottledError):
        provider.status(injection)
    fis.throttled = 0
    provider.stop(injection)


def test_a_dry_run_that_hangs_is_no_answer(provider: FisProvider, fis: FakeFis) -> None:
    hanging = replace(provider, pause=lambda _: None)
    with pytest.raises(DependencyError, match="did not resolve"):
        hanging.preview(request())
    fis.advance(5)
    assert fis.running() == []


def test_what_fis_refuses_for_good_is_told(provider: Provider) -> None:
    injection = planned(provider, request())
    twice = replace(
        injection,
        compensation={**injection.compensation, "dose": 0.0},
        parameters={"preventExecution": "x" * 2000},
    )
    assert "1024" in refused(provider, twice)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"selector": TargetSelector(kind=_FUNCTION, arns=(QUOTE,), tags={"a": "b"})}, "alone"),
        ({"selector": TargetSelector(kind=_INSTANCE, arns=(QUOTE,))}, "not 'aws:ec2:instance'"),
        ({"selector": TargetSelector(kind=_FUNCTION, parameters={"vpc": "vpc-1"})}, "would match every"),
        ({"duration_seconds": 20.0}, "one minute to twelve hours"),
        ({"parameters": {"duration": "PT1M"}}, "comes from the fault's `duration`"),
        ({"parameters": {"invocationPercentage": "half"}}, "whole number"),
        ({"action": "eks.pod-delete"}, "aws:eks:pod"),
        ({"action": "network.disrupt-connectivity"}, "needs the parameter 'scope'"),
    ],
)
def test_requests_that_can_never_be_right_are_refused(
    provider: Provider, changed: dict[str, object], sentence: str
) -> None:
    found = provider.check(replace(request(), **changed))  # type: ignore[arg-type]  # fields by name
    assert any(sentence in each for each in found), found
