"""What an AWS account allows: its quotas, what is used of them, and free addresses. With the caller's own rights."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session, get_session

from crosswind.kernel.errors import DependencyError
from crosswind.runs.clusters.examination.account import QuotaFact, QuotaKind, SubnetFact

_STAGE_TAG = "crosswind:stage"
_NO_QUOTA = "NoSuchResourceException"
_NO_STACK = "ValidationError"
_SLOTS = "DefaultSlots"
_LOOK_BACK = timedelta(hours=1)
_MINUTES = 300


@dataclass(frozen=True)
class Account:
    """One account in one region."""

    session: Session
    region: str

    @classmethod
    def of_caller(cls, region: str | None) -> "Account":
        """That of the caller's credentials. Raises DependencyError: there are none, or no region."""
        session = get_session()
        found = region or session.get_config_variable("region")
        if not found:
            raise DependencyError("no AWS region is configured: --region, or AWS_REGION")
        try:
            if session.get_credentials() is None:
                raise DependencyError("no AWS credentials are configured: aws configure, or AWS_PROFILE")
        except BotoCoreError as error:
            raise DependencyError(f"the AWS credentials cannot be used: {error}") from error
        return cls(session, found)

    def quotas(self, kinds: Sequence[QuotaKind]) -> list[tuple[QuotaKind, QuotaFact]]:
        """Each quota; one that cannot be read says why."""
        return [(kind, self._quota(kind)) for kind in kinds]

    def subnets(self, stage: str) -> list[SubnetFact]:
        """The deployment's own. Raises DependencyError."""
        try:
            pages = self._client("ec2").get_paginator("describe_subnets")
            wanted = [{"Name": f"tag:{_STAGE_TAG}", "Values": [stage]}]
            found = [each for page in pages.paginate(Filters=wanted) for each in page["Subnets"]]
        except (BotoCoreError, ClientError) as error:
            raise DependencyError(f"EC2 does not tell of subnets: {error}") from error
        return [
            SubnetFact(
                id=each["SubnetId"], zone=each["AvailabilityZone"], free=each["AvailableIpAddressCount"]
            )
            for each in sorted(found, key=lambda each: str(each["AvailabilityZone"]))
        ]

    def slots(self, stage: str) -> int | None:
        """How many shards the deployment lets run at once; None where there is no deployment.

        Raises DependencyError.
        """
        try:
            found = self._client("cloudformation").describe_stacks(StackName=f"crosswind-{stage}-compute")
        except ClientError as error:
            if error.response["Error"]["Code"] == _NO_STACK:
                return None
            raise DependencyError(f"CloudFormation does not tell of the stage: {error}") from error
        except BotoCoreError as error:
            raise DependencyError(f"CloudFormation does not tell of the stage: {error}") from error
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Stacks"][0].get("Outputs") or ()}
        return int(outputs[_SLOTS]) if _SLOTS in outputs else None

    def _quota(self, kind: QuotaKind) -> QuotaFact:
        client, named = self._client("service-quotas"), {"ServiceCode": kind.service, "QuotaCode": kind.code}
        try:
            try:
                quota = client.get_service_quota(**named)["Quota"]
            except ClientError as error:
                if error.response["Error"]["Code"] != _NO_QUOTA:
                    raise
                quota = client.get_aws_default_service_quota(**named)["Quota"]  # it was never changed
            return QuotaFact(limit=float(quota["Value"]), used=self._used(quota.get("UsageMetric") or {}))
        except (BotoCoreError, ClientError) as error:
            return QuotaFact(limit=None, trouble=str(error))

    def _used(self, metric: dict[str, Any]) -> float | None:
        """The most of the last hour; None where AWS does not measure it, or does not tell."""
        if not metric.get("MetricName"):
            return None
        statistic = metric.get("MetricStatisticRecommendation") or "Maximum"
        now = datetime.now(UTC)
        try:
            found = self._client("cloudwatch").get_metric_statistics(
                Namespace=metric["MetricNamespace"],
                MetricName=metric["MetricName"],
                Dimensions=[
                    {"Name": name, "Value": value}
                    for name, value in (metric.get("MetricDimensions") or {}).items()
                ],
                StartTime=now - _LOOK_BACK,
                EndTime=now,
                Period=_MINUTES,
                Statistics=[statistic],
            )
        except (BotoCoreError, ClientError):
            return None
        points = [float(each[statistic]) for each in found["Datapoints"]]
        return max(points) if points else 0.0

    def _client(self, service: str) -> Any:
        return self.session.create_client(service, region_name=self.region)
