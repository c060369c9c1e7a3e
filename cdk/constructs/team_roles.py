"""What a team's agents may do on AWS: the runner's policy, as the service account of the team's own namespace.

IRSA: Fargate has no agent of Pod Identity.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack, aws_iam
from constructs import Construct

from cdk.constructs.eks_cluster import EksCluster
from cdk.constructs.service_account_trust import service_account_trust
from cdk.stages import Stage, StageError
from crosswind.contracts.clusters import ClusterSpec, RunnerSpec
from crosswind.runs.pods.naming import namespace_of

_LONGEST_ROLE = 64
_LONGEST_REGION = 14
ACCOUNT = RunnerSpec().service_account
NAMESPACE_PREFIX: str = ClusterSpec.model_fields["namespace_prefix"].default


@dataclass(frozen=True, kw_only=True)
class TeamRolesProps:
    """Whose, and what with."""

    stage: Stage
    cluster: EksCluster
    policy: aws_iam.ManagedPolicy
    teams: Sequence[str]


class TeamRoles(Construct):
    """One role for each team. Its name is known: a cluster's document tells all of them by one pattern."""

    roles: dict[str, aws_iam.CfnRole]
    pattern: str

    def __init__(self, scope: Construct, construct_id: str, *, props: TeamRolesProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        stack = Stack.of(self)
        self._prefix = f"cw-{props.stage.name}-{stack.region}-"
        self.pattern = stack.format_arn(
            service="iam", region="", resource="role", resource_name=f"{self._prefix}{{team}}"
        )
        self.roles = {team: self._define(team) for team in props.teams}

    def _define(self, team: str) -> aws_iam.CfnRole:
        if len(f"cw-{self._props.stage.name}--{team}") + _LONGEST_REGION > _LONGEST_ROLE:
            raise StageError(f"team {team}: its name is too long for an IAM role of its own")
        return aws_iam.CfnRole(
            self,
            f"Team{team}",
            role_name=f"{self._prefix}{team}",
            description=f"Agents of team {team}",
            assume_role_policy_document=service_account_trust(
                self._props.cluster, namespace=namespace_of(NAMESPACE_PREFIX, team), account=ACCOUNT
            ),
            managed_policy_arns=[self._props.policy.managed_policy_arn],
            policies=[
                aws_iam.CfnRole.PolicyProperty(
                    policy_name="OwnSecretsOnly", policy_document=self._own_secrets(team)
                )
            ],
        )

    def _own_secrets(self, team: str) -> dict[str, object]:
        """The runner's policy, made for hosts that serve all teams, reads every team's secrets; an agent does not."""
        secrets = Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"crosswind/{self._props.stage.name}/{team}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "NotResource": secrets}
            ],
        }
