"""Where alarms live: a group of EventBridge Scheduler, and the role in which Scheduler calls what they wake.

The alarms themselves are made by Lambdas while they work; who may make them is granted here.
"""

from aws_cdk import ArnFormat, Stack, aws_iam, aws_lambda, aws_scheduler, aws_sqs
from constructs import Construct

from cdk.constructs.access import send


class Schedules(Construct):
    """A group, a role, and the right to set alarms.

    Args:
        purpose: What the role may call, in words.
    """

    group: aws_scheduler.CfnScheduleGroup
    role: aws_iam.Role

    def __init__(self, scope: Construct, construct_id: str, *, purpose: str) -> None:
        super().__init__(scope, construct_id)
        self._define_group()
        self._define_role(purpose)

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

    def let_call(self, function: aws_lambda.IFunction) -> None:
        """Alarms may call this function."""
        aws_iam.Grant.add_to_principal(
            grantee=self.role, actions=["lambda:InvokeFunction"], resource_arns=[function.function_arn]
        )

    def let_send(self, queue: aws_sqs.Queue) -> None:
        """Alarms may be messages of this queue."""
        send(self.role, queue)

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

    def _define_role(self, purpose: str) -> None:
        account = Stack.of(self).account
        self.role = aws_iam.Role(
            self,
            "Role",
            assumed_by=aws_iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}
            ),
            description=f"EventBridge Scheduler, to call {purpose}",
        )
