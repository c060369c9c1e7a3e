"""Findings of cdk-nag on launcher and observer that stay, each with its reason."""

from cdk.acknowledging import (
    ACCOUNT,
    RUN_OBJECTS,
    RUNTIME,
    TOKENS,
    TRACES,
    accept,
    accept_wildcards,
    imported,
)
from cdk.stacks.objects import ARTIFACTS, CHAOS
from cdk.stacks.platform import PlatformStack
from cdk.stacks.pods import PodsStack
from cdk.stages import Stage

_IN_NETWORK = (
    "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]"
)
_SECRETS = "Operators make a secret for each cluster that is not EKS, under this prefix, at any time."


def acknowledge(stage: Stage, *, platform: PlatformStack, pods: PodsStack) -> None:
    """Acknowledge what is meant to be so in this stage."""
    artifacts = imported(platform, platform.artifacts.bucket.bucket_arn)
    secrets = f"arn:<AWS::Partition>:secretsmanager:{ACCOUNT}:secret:crosswind-clusters/{stage.name}/*"
    objects = {f"{artifacts}/{ARTIFACTS}*": RUN_OBJECTS, f"{artifacts}/{CHAOS}*": RUN_OBJECTS}
    if pods.controller is not None:
        accept_wildcards(pods.controller, {"*": TOKENS, **objects})
    for function in pods.functions.values():
        accept(function.function, "L1", RUNTIME)
        reasons = {
            "*": f"{TRACES} {TOKENS}",
            **objects,
            secrets: _SECRETS,
        }
        accept_wildcards(function.role, reasons)
        if stage.compute is not None:
            accept(function.role, _IN_NETWORK, "Lambda asks for it of every function in a VPC.")
