"""A library of AWS FIS templates for game days by hand, under the same role, stop condition and log as Crosswind's own.

Crosswind makes a template for each injection and does not need these. They hit one target at a time, and only what its
owner has tagged `crosswind:chaos = allowed`. Not in stage `local`: an emulator refuses AWS FIS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import CfnOutput, Stack, aws_fis
from constructs import Construct

from cdk.constructs.fault_injection import ALLOWED, ALLOWED_TAG, STAGE_TAG, FaultInjection
from cdk.stages import Stage

_ONE = "COUNT(1)"
_LOG_SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One template: an action and what it hits."""

    title: str
    action: str
    slot: str
    resource_type: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    target_parameters: Mapping[str, str] = field(default_factory=dict)
    selection: str = _ONE


_LIBRARY: Mapping[str, _Entry] = {
    "ZoneLoss": _Entry(
        title="A subnet loses its connections",
        action="aws:network:disrupt-connectivity",
        slot="Subnets",
        resource_type="aws:ec2:subnet",
        parameters={"duration": "PT2M", "scope": "all"},
    ),
    "SpotInterruption": _Entry(
        title="A Spot instance is interrupted, two minutes after it was told",
        action="aws:ec2:send-spot-instance-interruptions",
        slot="SpotInstances",
        resource_type="aws:ec2:spot-instance",
        parameters={"durationBeforeInterruption": "PT2M"},
    ),
    "DatabaseFailover": _Entry(
        title="A database cluster fails over",
        action="aws:rds:failover-db-cluster",
        slot="Clusters",
        resource_type="aws:rds:cluster",
    ),
    "FunctionErrors": _Entry(
        title="A function fails at a quarter of its invocations",
        action="aws:lambda:invocation-error",
        slot="Functions",
        resource_type="aws:lambda:function",
        parameters={"duration": "PT2M", "invocationPercentage": "25", "preventExecution": "true"},
    ),
    "ThrottledCalls": _Entry(
        title="A role's calls of EC2 are throttled",
        action="aws:fis:inject-api-throttle-error",
        slot="Roles",
        resource_type="aws:iam:role",
        parameters={
            "duration": "PT2M",
            "service": "ec2",
            "percentage": "50",
            "operations": "DescribeInstances",
        },
    ),
}


class ChaosFisStack(Stack):
    """Templates only; the role and the alarm are where their users are."""

    templates: dict[str, aws_fis.CfnExperimentTemplate]

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, fault_injection: FaultInjection
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._fis = fault_injection
        self.templates = {name: self._template(name, entry) for name, entry in _LIBRARY.items()}
        CfnOutput(self, "FisRoleArn", value=self._fis.role.role_arn)

    def _template(self, name: str, entry: _Entry) -> aws_fis.CfnExperimentTemplate:
        parts = aws_fis.CfnExperimentTemplate
        return parts(
            self,
            name,
            description=entry.title,
            role_arn=self._fis.role.role_arn,
            stop_conditions=[
                parts.ExperimentTemplateStopConditionProperty(
                    source="aws:cloudwatch:alarm", value=self._fis.unwatched.alarm_arn
                )
            ],
            targets={
                "Chosen": parts.ExperimentTemplateTargetProperty(
                    resource_type=entry.resource_type,
                    selection_mode=entry.selection,
                    resource_tags={ALLOWED_TAG: ALLOWED},
                    parameters=dict(entry.target_parameters) or None,
                )
            },
            actions={
                "Fault": parts.ExperimentTemplateActionProperty(
                    action_id=entry.action,
                    parameters=dict(entry.parameters) or None,
                    targets={entry.slot: "Chosen"},
                )
            },
            experiment_options=parts.ExperimentTemplateExperimentOptionsProperty(
                account_targeting="single-account", empty_target_resolution_mode="fail"
            ),
            log_configuration=parts.ExperimentTemplateLogConfigurationProperty(
                log_schema_version=_LOG_SCHEMA,
                cloud_watch_logs_configuration={"LogGroupArn": self._fis.log_group_arn},
            ),
            tags={"Name": f"{self._stage.name}: {entry.title}", STAGE_TAG: self._stage.name},
        )
