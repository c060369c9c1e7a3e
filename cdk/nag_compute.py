"""Findings of cdk-nag on the compute stack that stay, each with its reason."""

from cdk.acknowledging import accept
from cdk.constructs.eks_cluster import CLUSTER_POLICIES, NODE_POLICIES, POD_POLICY
from cdk.stacks.compute import ComputeStack

_MANAGED = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{}]"
_EKS = "EKS asks for this policy of AWS by name, and AWS changes it with the service."
_LOGS = "Audit and authenticator tell who did what; the other logs are AWS's own working, and cost as much."


def acknowledge(compute: ComputeStack) -> None:
    """Acknowledge what is meant to be so."""
    eks = compute.eks
    for role, policies in (
        (eks.cluster_role, CLUSTER_POLICIES),
        (eks.node_role, NODE_POLICIES),
        (eks.pod_role, (POD_POLICY,)),
    ):
        for policy in policies:
            accept(role, _MANAGED.format(policy), _EKS)
    for log in ("api", "controllerManager", "scheduler"):
        accept(eks.cluster, f"EKS2[LogExport::{log}]", _LOGS)
