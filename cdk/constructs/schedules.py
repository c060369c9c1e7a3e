"""Where the alarms of schedules live: a group of EventBridge Scheduler, and the role in which Scheduler calls the function.

The alarms themselves are made by the API's Lambdas, one for each schedule; who may make them is granted here.
"""

from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack, aws_iam, aws_lambda, aws_scheduler
from constructs import Construct


@dataclass(frozen=True, kw_only=True)
class SchedulesProps:
    """What the alarms call."""

    function: aws_lambda.IFunction


class Schedules(Construct):
    """A group, a role, and the right to set alarms."""

    group: aws_scheduler.CfnScheduleGroup
    role: aws_iam.Role

    def __init__(self, scope: Construct, construct_id: str, *, props: SchedulesProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_group()
        self._define_role()

    @property
    def group_name(self) -> str:
        """The group's name."""
        return self.group.ref

    @property
    def alarms_arn(self) -> str:
        """All alarms of the group."""
        return Stack.of(self).format_arn(
            service="scheduler",
            resource="schedule",
            resource_name=f"{self.group_name}/*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )

    def let_set_alarms(self, grantee: aws_iam.IGrantable) -> None:
        """Make and change alarms, which hand Scheduler the role."""
        aws_iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["scheduler:CreateSchedule", "scheduler:UpdateSchedule"],
            resource_arns=[self.alarms_arn],
        )
        aws_iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["iam:PassRole"],
            resource_arns=[self.role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        )

    def let_clear_alarms(self, grantee: aws_iam.IGrantable) -> None:
        """Delete alarms."""
        aws_iam.Grant.add_to_principal(
            grantee=grantee, actions=["scheduler:DeleteSchedule"], resource_arns=[self.alarms_arn]
        )

    def _define_group(self) -> None:
        self.group = aws_scheduler.CfnScheduleGroup(self, "Group")

    def _define_role(self) -> None:
        account = Stack.of(self).account
        self.role = aws_iam.Role(
            self,
            "Role",
            assumed_by=aws_iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}
            ),
            description="EventBridge Scheduler, to call the function that fires schedules",
        )
        aws_iam.Grant.add_to_principal(
            grantee=self.role,
            actions=["lambda:InvokeFunction"],
            resource_arns=[self._props.function.function_arn],
        )
