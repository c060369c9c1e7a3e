"""The only place that makes an S3 bucket: private, TLS only, encrypted, with an end to everything in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Duration, RemovalPolicy, aws_kms, aws_s3
from constructs import Construct

from cdk.stages import Stage
from crosswind.runs.files import CLASS_TAG

_UNFINISHED_UPLOAD_DAYS = 7
_SMALLEST_ARCHIVED_BYTES = 1024 * 1024
"""Moving an object costs as much as two months of some 600 KiB save; docs/artifacts.md has the sum."""


@dataclass(frozen=True, kw_only=True)
class BucketProps:
    """What a data bucket is for."""

    stage: Stage
    key: aws_kms.IKey
    access_logs: aws_s3.IBucket
    prefixes: tuple[str, ...]
    archive: bool
    """Whether objects move to Glacier Instant Retrieval; where they are read again and again they do not."""

    shorter: Mapping[str, int] = field(default_factory=dict)
    """Days until objects with a tag `class` of this value expire, where that is before the others do."""


class Bucket(Construct):
    """Objects under a few prefixes, which expire with the runs they belong to."""

    bucket: aws_s3.Bucket

    def __init__(self, scope: Construct, construct_id: str, *, props: BucketProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_bucket()
        self._add_life_cycle()

    def _define_bucket(self) -> None:
        protected = self._props.stage.protected
        self.bucket = aws_s3.Bucket(
            self,
            "Bucket",
            encryption=aws_s3.BucketEncryption.KMS,
            encryption_key=self._props.key,
            bucket_key_enabled=True,
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=aws_s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            server_access_logs_bucket=self._props.access_logs,
            server_access_logs_prefix=f"{self._props.prefixes[0]}/",
            removal_policy=RemovalPolicy.RETAIN if protected else RemovalPolicy.DESTROY,
        )

    def _add_life_cycle(self) -> None:
        stage = self._props.stage
        glacier = aws_s3.Transition(
            storage_class=aws_s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
            transition_after=Duration.days(stage.archive_days),
        )
        for prefix in self._props.prefixes:
            self.bucket.add_lifecycle_rule(
                id=f"expire-{prefix}",
                prefix=f"{prefix}/",
                expiration=Duration.days(stage.retention_days),
            )
            if self._props.archive:
                self.bucket.add_lifecycle_rule(
                    id=f"archive-{prefix}",
                    prefix=f"{prefix}/",
                    object_size_greater_than=_SMALLEST_ARCHIVED_BYTES,
                    transitions=[glacier],
                )
        for value, days in self._props.shorter.items():
            self.bucket.add_lifecycle_rule(
                id=f"expire-{value}", tag_filters={CLASS_TAG: value}, expiration=Duration.days(days)
            )
        self.bucket.add_lifecycle_rule(
            id="unfinished-uploads",
            abort_incomplete_multipart_upload_after=Duration.days(_UNFINISHED_UPLOAD_DAYS),
        )


class AccessLogBucket(Construct):
    """Where the data buckets' access is logged. S3 delivers such logs only with S3's own encryption."""

    bucket: aws_s3.Bucket

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.bucket = aws_s3.Bucket(
            self,
            "Bucket",
            encryption=aws_s3.BucketEncryption.S3_MANAGED,
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=aws_s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.RETAIN if stage.protected else RemovalPolicy.DESTROY,
        )
        self.bucket.add_lifecycle_rule(id="expire", expiration=Duration.days(stage.retention_days))
