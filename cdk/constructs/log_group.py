"""The only place that makes a log group: it ends, and on AWS it is encrypted with the stage's data key."""

from aws_cdk import ArnFormat, RemovalPolicy, Stack, aws_iam, aws_kms, aws_logs
from constructs import Construct

from cdk.stages import Stage

_RETENTION = {
    7: aws_logs.RetentionDays.ONE_WEEK,
    14: aws_logs.RetentionDays.TWO_WEEKS,
    30: aws_logs.RetentionDays.ONE_MONTH,
    90: aws_logs.RetentionDays.THREE_MONTHS,
}
_USES = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
)


def log_group(
    scope: Construct, construct_id: str, *, stage: Stage, key: aws_kms.IKey, name: str | None = None
) -> aws_logs.LogGroup:
    """A log group; its name only where AWS gives it. The emulator's logs stay plain: nothing leaves the laptop, and it does not know the condition."""
    return aws_logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=_RETENTION[stage.log_retention_days],
        removal_policy=RemovalPolicy.DESTROY,
        encryption_key=key if stage.encrypted_logs else None,
    )


def let_logs_use(key: aws_kms.Key) -> None:
    """Let CloudWatch Logs use the key, for log groups of this account and region only."""
    stack = Stack.of(key)
    groups = stack.format_arn(
        service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    key.add_to_resource_policy(
        aws_iam.PolicyStatement(
            sid="CloudWatchLogs",
            principals=[aws_iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=list(_USES),
            resources=["*"],  # in a key's policy: this key
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )
