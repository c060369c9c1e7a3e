"""How a finding of cdk-nag is acknowledged: by its rule, on the narrowest scope, with its reason."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

RUNTIME = (
    "Layers are built and tested for Python 3.13, which AWS supports; newer runtimes follow with the layers."
)
TRACES = "X-Ray's actions know no resources."
TOKENS = "IAM knows no resource for SendTaskSuccess; the secret is the token itself."
RUN_OBJECTS = "Objects of runs are named by run ids, which are not known at deployment."
ALARMS = "DescribeAlarms tells of composite alarms only where it is allowed for all."
LOG_DELIVERY = "Log delivery and X-Ray, which state machines need, know no resources."
ACCOUNT = "<AWS::Region>:<AWS::AccountId>"


def imported(stack: Stack, value: str) -> str:
    """How other stacks' templates name a value of this one."""
    name: str = stack.resolve(stack.export_value(value))["Fn::ImportValue"]
    return name


def accept_wildcards(scope: IConstruct, reasons: Mapping[str, str]) -> None:
    """Resources with a wildcard, each with its reason."""
    for resource, reason in reasons.items():
        accept(scope, f"IAM5[Resource::{resource}]", reason)


def accept(scope: IConstruct, rule: str, reason: str) -> None:
    """One rule of AwsSolutions."""
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
