"""The only place that makes an SNS topic."""

from aws_cdk import aws_kms, aws_sns
from constructs import Construct


def encrypted_topic(
    scope: Construct, construct_id: str, *, key: aws_kms.IKey, description: str
) -> aws_sns.Topic:
    """A topic whose messages are encrypted, and that takes them over TLS only."""
    return aws_sns.Topic(scope, construct_id, display_name=description, master_key=key, enforce_ssl=True)
