"""AWS clients: made at first use, once per process, with short timeouts and bounded retries.

They come from botocore, of which boto3 is a wrapper: the same low-level clients, and 90 ms less of every cold start.
A client may be used by many threads; only making one is guarded.
"""

import os
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from crosswind.adapters.aws.alarms import SchedulerClient
    from crosswind.adapters.gate.alarms import CloudWatchClient
    from crosswind.adapters.gate.codedeploy import CodeDeployClient
    from crosswind.adapters.notifiers.sns import SnsClient

CONNECT_SECONDS = 2
READ_SECONDS = 10
LONGEST_POLL_SECONDS = 20
ATTEMPTS = 4
CONNECTIONS = 25
ASKED_BY_THE_GATE: dict[str, Any] = {
    "read_timeout": 3,  # the gate waits for 8 s, and takes no answer for no
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
ASKED_BY_A_FAN_OUT: dict[str, Any] = {
    "read_timeout": 3,
    "retries": {"mode": "standard", "total_max_attempts": 1},  # who is too slow is told of the gap
}

_making = Lock()


@cache
def dynamodb() -> "DynamoDBClient":
    """DynamoDB."""
    client: DynamoDBClient = _client("dynamodb")
    return client


@cache
def s3() -> "S3Client":
    """S3. Where an endpoint is set (the embedded cloud), buckets are in the path: their host names do not resolve."""
    in_path = "AWS_ENDPOINT_URL" in os.environ or "AWS_ENDPOINT_URL_S3" in os.environ
    client: S3Client = _client(
        "s3",
        signature_version="s3v4",
        s3={"addressing_style": "path" if in_path else "virtual"},
    )
    return client


@cache
def sqs() -> "SQSClient":
    """SQS, to send."""
    client: SQSClient = _client("sqs")
    return client


@cache
def sqs_polling() -> "SQSClient":
    """SQS, patient enough for the longest poll."""
    client: SQSClient = _client("sqs", read_timeout=READ_SECONDS + LONGEST_POLL_SECONDS)
    return client


@cache
def stepfunctions() -> "SFNClient":
    """Step Functions."""
    client: SFNClient = _client("stepfunctions")
    return client


@cache
def events() -> "EventBridgeClient":
    """EventBridge."""
    client: EventBridgeClient = _client("events")
    return client


@cache
def sns() -> "SnsClient":
    """SNS."""
    client: SnsClient = _client("sns")
    return client


@cache
def scheduler() -> "SchedulerClient":
    """EventBridge Scheduler."""
    client: SchedulerClient = _client("scheduler")
    return client


@cache
def cloudwatch() -> "CloudWatchClient":
    """CloudWatch, for the gate."""
    client: CloudWatchClient = _client("cloudwatch", **ASKED_BY_THE_GATE)
    return client


@cache
def codedeploy() -> "CodeDeployClient":
    """CodeDeploy, for the gate."""
    client: CodeDeployClient = _client("codedeploy", **ASKED_BY_THE_GATE)
    return client


@cache
def fis() -> Any:
    """AWS Fault Injection Service; no stubs describe it here, its adapters say what they call."""
    return _client("fis")


@cache
def secretsmanager() -> "SecretsManagerClient":
    """Secrets Manager."""
    client: SecretsManagerClient = _client("secretsmanager")
    return client


@cache
def connections(api_id: str, stage: str) -> Any:
    """Connections of a WebSocket API. The embedded cloud has them under a path of its endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION", "")
    address = (
        f"{endpoint}/_aws/execute-api/{api_id}/{stage}"
        if endpoint
        else f"https://{api_id}.execute-api.{region}.amazonaws.com/{stage}"
    )
    return _client("apigatewaymanagementapi", endpoint_url=address, **ASKED_BY_A_FAN_OUT)


@cache
def _session() -> "Session":
    from botocore.session import get_session  # noqa: PLC0415  # at first use, not at import

    return get_session()


def _client(service: str, *, endpoint_url: str | None = None, **options: Any) -> Any:
    from botocore.config import Config  # noqa: PLC0415  # at first use, not at import

    config = Config(
        **{
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "max_pool_connections": CONNECTIONS,
            "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
            **options,
        }
    )
    with _making:
        return _session().create_client(service, config=config, endpoint_url=endpoint_url)


def aws_session() -> "Session":
    """The session itself, for what signs by itself."""
    return _session()
