"""Builds the view of a deployment that the embedded cloud's commands use, for an endpoint told by the caller."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosswind.adapters.aws.deployment import Deployment

CONNECT_SECONDS = 2
READ_SECONDS = 60  # a function that is called is waited for


def deployment(environ: Mapping[str, str]) -> "Deployment":
    """The deployment behind the AWS variables in `environ`, whatever this process's own environment says."""
    return _deployment(
        environ["AWS_ENDPOINT_URL"],
        environ["AWS_REGION"],
        environ["AWS_ACCESS_KEY_ID"],
        environ["AWS_SECRET_ACCESS_KEY"],
        environ.get("AWS_CA_BUNDLE"),
    )


@cache
def _deployment(endpoint: str, region: str, key: str, secret: str, authority: str | None) -> "Deployment":
    from botocore.config import Config  # noqa: PLC0415  # at first use: most commands do not need it
    from botocore.session import get_session  # noqa: PLC0415

    from crosswind.adapters.aws.deployment import Deployment  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
        proxies={},
    )

    def client(service: str) -> Any:
        return get_session().create_client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            verify=authority,
            config=config,
        )

    return Deployment(
        cloudformation=client("cloudformation"),
        functions=client("lambda"),
        logs=client("logs"),
        queues=client("sqs"),
    )
