"""What AWS FIS needs to inject for Crosswind: its role, its log, and the alarm that stops it when nobody watches.

The role reaches only what its owner has tagged `crosswind:chaos = allowed`, whatever a template asks for. Pods are
reached through Kubernetes' own rights (docs/providers.md), and a Lambda's faults through the bucket that its owner names.
"""

from dataclasses import dataclass

from aws_cdk import ArnFormat, Duration, Stack, aws_cloudwatch, aws_iam, aws_kms, aws_logs, aws_sqs
from constructs import Construct

from cdk.constructs.alarm import add_alarm
from cdk.constructs.log_group import log_group
from cdk.stages import Stage

ALLOWED_TAG, ALLOWED = "crosswind:chaos", "allowed"
STAGE_TAG = "crosswind:stage"
_UNWATCHED_SECONDS = 180
_SERVICE = "fis.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class FaultInjectionProps:
    """Whose faults, and what shows that they are watched."""

    stage: Stage
    key: aws_kms.IKey
    watch_queue: aws_sqs.Queue
    """Its messages are looked after every few seconds while a fault is in."""


class FaultInjection(Construct):
    """The role of FIS, its log group and its stop condition; and who may have it inject."""

    role: aws_iam.Role
    logs: aws_logs.LogGroup
    unwatched: aws_cloudwatch.Alarm

    def __init__(self, scope: Construct, construct_id: str, *, props: FaultInjectionProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_logs()
        self._define_stop_condition()
        self._define_role()
        self._let_hit_instances()
        self._let_cut_networks()
        self._let_hit_databases()
        self._let_hit_functions_and_clusters()
        self._let_fail_calls()
        self._let_write_logs()

    @property
    def log_group_arn(self) -> str:
        """As FIS takes it, with the streams."""
        return self.logs.log_group_arn

    def let_inject(self, grantee: aws_iam.IGrantable) -> None:
        """Make templates, start and stop experiments, and hand FIS the role."""
        templates, experiments = self._arn("experiment-template"), self._arn("experiment")
        own = {"StringEquals": {f"aws:ResourceTag/{STAGE_TAG}": self._props.stage.name}}
        self._allow(
            grantee,
            ["fis:CreateExperimentTemplate", "fis:TagResource"],
            [templates, self._arn("action")],
        )
        self._allow(
            grantee,
            ["fis:StartExperiment", "fis:GetExperimentTemplate", "fis:DeleteExperimentTemplate"],
            [templates],
            own,
        )
        self._allow(grantee, ["fis:StartExperiment", "fis:TagResource"], [experiments])
        self._allow(
            grantee,
            ["fis:GetExperiment", "fis:StopExperiment", "fis:ListExperimentResolvedTargets"],
            [experiments],
            own,
        )
        self._allow(grantee, ["fis:ListExperiments", "fis:ListExperimentTemplates"], ["*"])
        self._allow(
            grantee,
            ["iam:PassRole"],
            [self.role.role_arn],
            {"StringEquals": {"iam:PassedToService": _SERVICE}},
        )
        linked = Stack.of(self).format_arn(
            service="iam", region="", resource="role", resource_name=f"aws-service-role/{_SERVICE}/*"
        )
        self._allow(
            grantee,
            ["iam:CreateServiceLinkedRole"],
            [linked],
            {"StringEquals": {"iam:AWSServiceName": _SERVICE}},
        )

    def let_pull_lever(self, grantee: aws_iam.IGrantable) -> None:
        """Engage and disengage the account's safety lever."""
        self._allow(
            grantee, ["fis:GetSafetyLever", "fis:UpdateSafetyLeverState"], [self._arn("safety-lever")]
        )

    def _define_logs(self) -> None:
        self.logs = log_group(self, "Logs", stage=self._props.stage, key=self._props.key)

    def _define_stop_condition(self) -> None:
        self.unwatched = add_alarm(
            self,
            "Unwatched",
            metric=self._props.watch_queue.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            above=_UNWATCHED_SECONDS,
            meaning="Running experiments are not looked after: FIS stops them by itself. See why the watch worker stands.",
        )

    def _define_role(self) -> None:
        stack = Stack.of(self)
        self.role = aws_iam.Role(
            self,
            "Role",
            assumed_by=aws_iam.ServicePrincipal(
                _SERVICE,
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": self._arn("experiment")},
                },
            ),
            description="AWS FIS, to inject what Crosswind's experiments ask for",
        )

    def _let_hit_instances(self) -> None:
        actions = ("StopInstances", "StartInstances", "RebootInstances", "TerminateInstances")
        spot = "SendSpotInstanceInterruptions"
        self._allow_tagged([f"ec2:{name}" for name in (*actions, spot)], "ec2", "instance")
        self._allow(self.role, ["ec2:DescribeInstances"], ["*"])

    def _let_cut_networks(self) -> None:
        """FIS puts network ACLs of its own in place of the subnets', and marks them as its own."""
        stack = Stack.of(self)
        acls = stack.format_arn(service="ec2", resource="network-acl", resource_name="*")
        networks = stack.format_arn(service="ec2", resource="vpc", resource_name="*")
        subnets = stack.format_arn(service="ec2", resource="subnet", resource_name="*")
        mine = "managedByFIS"
        self._allow(
            self.role,
            ["ec2:CreateTags"],
            [acls],
            {"StringEquals": {"ec2:CreateAction": "CreateNetworkAcl", f"aws:RequestTag/{mine}": "true"}},
        )
        self._allow(
            self.role, ["ec2:CreateNetworkAcl"], [acls], {"StringEquals": {f"aws:RequestTag/{mine}": "true"}}
        )
        self._allow(self.role, ["ec2:CreateNetworkAcl"], [networks])
        self._allow(
            self.role,
            ["ec2:CreateNetworkAclEntry", "ec2:DeleteNetworkAcl"],
            [acls],
            {"StringEquals": {f"ec2:ResourceTag/{mine}": "true"}},
        )
        self._allow(self.role, ["ec2:ReplaceNetworkAclAssociation"], [acls])
        self._allow(self.role, ["ec2:ReplaceNetworkAclAssociation"], [subnets], _tagged())
        looks = ("Vpcs", "ManagedPrefixLists", "Subnets", "NetworkAcls", "VpcEndpoints")
        self._allow(self.role, [f"ec2:Describe{what}" for what in looks], ["*"])

    def _let_hit_databases(self) -> None:
        self._allow_tagged(["rds:FailoverDBCluster"], "rds", "cluster", ArnFormat.COLON_RESOURCE_NAME)
        self._allow_tagged(["rds:RebootDBInstance"], "rds", "db", ArnFormat.COLON_RESOURCE_NAME)
        for kind, action in (("cluster", "DescribeDBClusters"), ("db", "DescribeDBInstances")):
            arn = Stack.of(self).format_arn(
                service="rds", resource=kind, resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            self._allow(self.role, [f"rds:{action}"], [arn])

    def _let_hit_functions_and_clusters(self) -> None:
        self._allow_tagged(["lambda:GetFunction"], "lambda", "function", ArnFormat.COLON_RESOURCE_NAME)
        self._allow_tagged(["eks:DescribeCluster"], "eks", "cluster")
        self._allow(self.role, ["tag:GetResources"], ["*"])

    def _let_fail_calls(self) -> None:
        """FIS fails calls of the roles that are targets: those with the tag, and only for as long as it runs."""
        kinds = ("Throttle", "Internal", "Unavailable")
        self._allow(self.role, [f"fis:InjectApi{kind}Error" for kind in kinds], [self._arn("experiment")])
        self._allow(self.role, ["iam:ListRoles"], ["*"])

    def _let_write_logs(self) -> None:
        actions = ("CreateLogDelivery", "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups")
        self._allow(self.role, [f"logs:{action}" for action in actions], ["*"])

    def _allow_tagged(
        self,
        actions: list[str],
        service: str,
        resource: str,
        arn_format: ArnFormat = ArnFormat.SLASH_RESOURCE_NAME,
    ) -> None:
        arn = Stack.of(self).format_arn(
            service=service, resource=resource, resource_name="*", arn_format=arn_format
        )
        self._allow(self.role, actions, [arn], _tagged())

    def _allow(
        self,
        grantee: aws_iam.IGrantable,
        actions: list[str],
        resources: list[str],
        conditions: dict[str, dict[str, str]] | None = None,
    ) -> None:
        grantee.grant_principal.add_to_principal_policy(
            aws_iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions)
        )

    def _arn(self, resource: str) -> str:
        return Stack.of(self).format_arn(service="fis", resource=resource, resource_name="*")


def _tagged() -> dict[str, dict[str, str]]:
    return {"StringEquals": {f"aws:ResourceTag/{ALLOWED_TAG}": ALLOWED}}
