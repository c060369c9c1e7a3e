"""Tokens for EKS: a presigned question to STS, by which the cluster learns who asks. Valid for a quarter of an hour."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crosswind.kernel.clock import Clock, SystemClock
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.ports import ClusterError

if TYPE_CHECKING:
    from botocore.session import Session

PREFIX = "k8s-aws-v1."
_PRESIGNED_SECONDS = 60  # what EKS asks of the link; the token itself lasts 15 minutes
_RENEW_AFTER = timedelta(minutes=10)


@dataclass
class EksToken:
    """Headers of calls to one EKS cluster; the token is made anew every ten minutes.

    Those are minutes of the day: a monotonic clock stands still while a Lambda is frozen, and the token ages.
    """

    session: "Session"
    cluster: str
    region: str
    clock: Clock = field(default_factory=SystemClock)
    _held: tuple[datetime, str] | None = field(default=None, init=False)

    def __call__(self) -> Mapping[str, str]:
        """Raises ClusterError."""
        now = self.clock.now()
        if self._held is None or now - self._held[0] > _RENEW_AFTER:
            self._held = (now, self._make())
        return {"Authorization": f"Bearer {self._held[1]}"}

    def _make(self) -> str:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # at first use, not at import

        try:
            return self._signed()
        except BotoCoreError as error:
            raise ClusterError(
                f"no token for EKS cluster {self.cluster} can be made: {error}",
                reason=InfrastructureReason.CLUSTER_UNREACHABLE,
                passing=True,
            ) from error

    def _signed(self) -> str:
        from botocore.signers import RequestSigner  # noqa: PLC0415  # as above

        client = self.session.create_client("sts", region_name=self.region)
        credentials = self.session.get_credentials()
        if credentials is None:
            raise ClusterError(
                f"there are no AWS credentials to sign in to EKS cluster {self.cluster}",
                reason=InfrastructureReason.CLUSTER_UNREACHABLE,
                passing=True,
            )
        signer = RequestSigner(
            client.meta.service_model.service_id,
            self.region,
            "sts",
            "v4",
            credentials,
            self.session.get_component("event_emitter"),
        )
        request = {
            "method": "GET",
            "url": f"https://sts.{self.region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": self.cluster},
            "context": {},
        }
        link = signer.generate_presigned_url(
            request, region_name=self.region, expires_in=_PRESIGNED_SECONDS, operation_name=""
        )
        return PREFIX + base64.urlsafe_b64encode(link.encode()).decode().rstrip("=")
