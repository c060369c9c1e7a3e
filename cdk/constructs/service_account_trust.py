"""Who may assume a role by IRSA: one service account of one namespace."""

import json

from aws_cdk import Fn

from cdk.constructs.eks_cluster import EksCluster


def service_account_trust(cluster: EksCluster, *, namespace: str, account: str) -> str:
    """A trust policy as text: CloudFormation puts the issuer's name, which is a key here, into nothing else."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": "${Provider}"},
                "Condition": {
                    "StringEquals": {
                        "${Issuer}:aud": "sts.amazonaws.com",
                        "${Issuer}:sub": f"system:serviceaccount:{namespace}:{account}",
                    }
                },
            }
        ],
    }
    return Fn.sub(
        json.dumps(document, separators=(",", ":")),
        {"Provider": cluster.provider.attr_arn, "Issuer": cluster.issuer},
    )
