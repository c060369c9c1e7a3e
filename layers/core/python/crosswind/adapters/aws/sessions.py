"""Sessions of a role, from STS."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crosswind.kernel.errors import DependencyError

# SDKs renew credentials 15 minutes before they end, so that shorter ones would be renewed at every call.
LIFETIME_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """What signs requests until it ends."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RoleSessions:
    """Opens sessions of one role under one name."""

    client: Any
    role_arn: str
    name: str

    def open(self) -> SessionCredentials:
        """A new session. Raises DependencyError when STS refuses or does not answer."""
        try:
            answer = self.client.assume_role(
                RoleArn=self.role_arn, RoleSessionName=self.name, DurationSeconds=LIFETIME_SECONDS
            )
        except (ClientError, BotoCoreError) as error:
            raise DependencyError(f"{self.role_arn} cannot be assumed: {error}") from error
        made = answer["Credentials"]
        return SessionCredentials(
            key_id=made["AccessKeyId"],
            secret=made["SecretAccessKey"],
            token=made["SessionToken"],
            expires_at=made["Expiration"],
        )
