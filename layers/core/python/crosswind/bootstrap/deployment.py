"""Builds the view of a deployment that the embedded cloud's commands use, for an endpoint told by the caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosswind.adapters.aws.deployment import Deployment
    from crosswind.adapters.aws.sessions import RoleSessions

CONNECT_SECONDS = 2
READ_SECONDS = 60  # a function that is called is waited for


def deployment(environ: Mapping[str, str]) -> "Deployment":
    """The deployment behind the AWS variables in `environ`, whatever this process's own environment says."""
    return _deployment(_Endpoint.of(environ))


def role_sessions(environ: Mapping[str, str], *, role_arn: str) -> "RoleSessions":
    """Sessions of a role, opened with the credentials in `environ`, for the pool of local runners."""
    from crosswind.adapters.aws.sessions import RoleSessions  # noqa: PLC0415  # at first use, as below

    return RoleSessions(client=_Endpoint.of(environ).client("sts"), role_arn=role_arn, name="local-pool")


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """Where clients go, and as whom."""

    url: str
    region: str
    key: str
    secret: str = field(repr=False)
    authority: str | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "_Endpoint":
        return cls(
            url=environ["AWS_ENDPOINT_URL"],
            region=environ["AWS_REGION"],
            key=environ["AWS_ACCESS_KEY_ID"],
            secret=environ["AWS_SECRET_ACCESS_KEY"],
            authority=environ.get("AWS_CA_BUNDLE"),
        )

    def client(self, service: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415  # at first use: most commands do not need it
        from botocore.session import get_session  # noqa: PLC0415

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
            proxies={},
        )
        return get_session().create_client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            verify=self.authority,
            config=config,
        )


@cache
def _deployment(endpoint: _Endpoint) -> "Deployment":
    from crosswind.adapters.aws.deployment import Deployment  # noqa: PLC0415  # at first use, too

    return Deployment(
        cloudformation=endpoint.client("cloudformation"),
        functions=endpoint.client("lambda"),
        logs=endpoint.client("logs"),
        queues=endpoint.client("sqs"),
    )
