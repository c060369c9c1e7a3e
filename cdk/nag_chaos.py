"""Findings of cdk-nag in the chaos stacks that stay, with their reasons."""

from collections.abc import Iterable, Mapping

from cdk.acknowledging import (
    ACCOUNT,
    ALARMS,
    LOG_DELIVERY,
    RUN_OBJECTS,
    RUNTIME,
    TOKENS,
    TRACES,
    accept,
    accept_wildcards,
    imported,
)
from cdk.constructs.fault_injection import FaultInjection
from cdk.constructs.python_function import PythonFunction
from cdk.stacks.chaos import ChaosStack
from cdk.stacks.chaos_api import ChaosApiStack
from cdk.stacks.objects import ARTIFACTS, CHAOS, SOURCES
from cdk.stacks.platform import PlatformStack
from cdk.stages import Stage

_ARN = "arn:<AWS::Partition>"
_OBJECTS = "Objects of experiments are named by run ids, which are not known at deployment."
_SECRETS = "Teams and admins make their secrets under this prefix at any time."
_POLICY = "Which of them count is in the environment's policy, which an admin may change at any time."
_FIS_IDS = "FIS names templates and experiments itself; those of other stages are kept out by their tag."
_LISTS = "FIS's lists know no resources."
_TAGGED = "Only what its owner tagged crosswind:chaos = allowed: the statement's condition."
_LOOKS = "Describing knows no resources, and tells no more than names."
_OWN_ACLS = "Only ACLs that FIS made itself and tagged so: the statement's condition."


def acknowledge(stage: Stage, *, platform: PlatformStack, chaos: ChaosStack, api: ChaosApiStack) -> None:
    """Acknowledge what is meant to be so in this stage."""
    bucket = platform.artifacts.bucket.bucket_arn
    shared = _shared(stage, imported(platform, bucket))
    sources = imported(platform, platform.sources.bucket.bucket_arn)
    shared |= {
        f"{imported(platform, bucket)}/{ARTIFACTS}*": RUN_OBJECTS,  # of suites that are probes
        f"{sources}/{SOURCES}*": "Archives are named by their content.",
    }
    outside = imported(chaos, chaos.schedules.group_name)
    group = f"<{chaos.get_logical_id(chaos.schedules.group)}>"
    _acknowledge_functions(chaos.functions.values(), {**shared, **_alarms(group)})
    _acknowledge_functions(api.functions.values(), {**shared, **_alarms(outside)})
    accept_wildcards(chaos.machine.role, {"*": LOG_DELIVERY})
    if not stage.tracing:
        accept(chaos.machine, "SF2", "This stage has no X-Ray.")
    if chaos.fault_injection is not None:
        _acknowledge_fault_injection(chaos.fault_injection)


def _acknowledge_functions(functions: Iterable[PythonFunction], reasons: Mapping[str, str]) -> None:
    for function in functions:
        accept(function.function, "L1", RUNTIME)
        accept_wildcards(function.role, reasons)


def _shared(stage: Stage, artifacts: str) -> dict[str, str]:
    """What Lambdas of the area may have; which of them has what is checked by tests/infra."""
    fis = f"{_ARN}:fis:{ACCOUNT}"
    secrets = f"{_ARN}:secretsmanager:{ACCOUNT}:secret:crosswind/{stage.name}"
    return {
        "*": f"{TRACES} {TOKENS} {_LISTS} {ALARMS}",
        f"{artifacts}/{CHAOS}*": _OBJECTS,
        f"{secrets}/*": _SECRETS,
        f"{secrets}/_deployment/*": _SECRETS,
        f"{_ARN}:codedeploy:{ACCOUNT}:deploymentgroup:*": _POLICY,
        f"{_ARN}:codedeploy:{ACCOUNT}:application:*": _POLICY,
        f"{fis}:experiment-template/*": _FIS_IDS,
        f"{fis}:experiment/*": _FIS_IDS,
        f"{fis}:action/*": "Which actions are used is told by experiments; what they hit, by the role of FIS.",
        f"{fis}:safety-lever/*": "An account has one lever in a region; AWS names it.",
        f"{_ARN}:iam::<AWS::AccountId>:role/aws-service-role/fis.amazonaws.com/*": "FIS's own role, made at its first use.",
    }


def _alarms(group: str) -> dict[str, str]:
    return {f"{_ARN}:scheduler:{ACCOUNT}:schedule/{group}/*": "Each run has one alarm in the group."}


def _acknowledge_fault_injection(fis: FaultInjection) -> None:
    ec2, rds = f"{_ARN}:ec2:{ACCOUNT}", f"{_ARN}:rds:{ACCOUNT}"
    reasons = {
        "*": f"{_LOOKS} So does log delivery.",
        f"{ec2}:network-acl/*": _OWN_ACLS,
        f"{ec2}:vpc/*": "A new ACL is made in the network of the subnets that are hit.",
        f"{rds}:cluster:*": f"{_TAGGED} Any may be described.",
        f"{rds}:db:*": f"{_TAGGED} Any may be described.",
        f"{_ARN}:fis:{ACCOUNT}:experiment/*": _FIS_IDS,
    }
    tagged = (
        f"{ec2}:instance/*",
        f"{ec2}:subnet/*",
        f"{_ARN}:lambda:{ACCOUNT}:function:*",
        f"{_ARN}:eks:{ACCOUNT}:cluster/*",
    )
    accept_wildcards(fis.role, {**reasons, **dict.fromkeys(tagged, _TAGGED)})
