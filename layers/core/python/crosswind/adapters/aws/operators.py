"""What an operator's own AWS rights are used for when a cluster is made known: asking EKS, and keeping credentials."""

import base64
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from crosswind.contracts.clusters import EksConnection
from crosswind.kernel import json
from crosswind.kernel.errors import DependencyError

_THERE = "ResourceExistsException"


def describe_eks(name: str, *, region: str | None) -> EksConnection:
    """How to reach an EKS cluster. Raises DependencyError: there is none, or the caller may not ask."""
    try:
        client: Any = get_session().create_client("eks", region_name=region)
        found = client.describe_cluster(name=name)["cluster"]
        return EksConnection(
            name=name,
            region=client.meta.region_name,
            endpoint=found["endpoint"],
            certificate_authority=base64.b64decode(found["certificateAuthority"]["data"]).decode(),
        )
    except (BotoCoreError, ClientError, KeyError) as error:
        raise DependencyError(f"EKS does not tell of cluster {name}: {error}") from error


def keep_secret(name: str, values: Mapping[str, str], environment: Mapping[str, str] | None) -> None:
    """Make or replace a secret. `environment` is that of the embedded cloud; None: the caller's own AWS account.

    Raises DependencyError.
    """
    options: dict[str, Any] = {}
    if environment is not None:
        options = {
            "endpoint_url": environment["AWS_ENDPOINT_URL"],
            "region_name": environment["AWS_REGION"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
            "verify": environment.get("AWS_CA_BUNDLE"),
        }
    try:
        client: Any = get_session().create_client("secretsmanager", **options)
        text = json.canonical(dict(values))
        try:
            client.create_secret(Name=name, SecretString=text)
        except ClientError as error:
            if error.response["Error"]["Code"] != _THERE:
                raise
            client.put_secret_value(SecretId=name, SecretString=text)
    except (BotoCoreError, ClientError) as error:
        raise DependencyError(f"secret {name} could not be kept: {error}") from error
