"""Permissions by what they are for: each grants the few actions that the adapters call, on one resource.

CDK's own `grant_read_data` and its like give wildcards of actions; these do not.
"""

from aws_cdk import ArnFormat, Stack, aws_apigatewayv2, aws_events, aws_iam, aws_kms, aws_s3, aws_sns, aws_sqs
from aws_cdk import aws_stepfunctions as sfn

from cdk.constructs.table import Table

_READ_ITEMS = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem")
_WRITE_ITEMS = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")


def read_table(grantee: aws_iam.IGrantable, table: Table) -> None:
    """Read items, and query the table's indexes."""
    arn = table.table.table_arn
    aws_iam.Grant.add_to_principal(grantee=grantee, actions=list(_READ_ITEMS), resource_arns=[arn])
    if table.index_names:
        indexes = [f"{arn}/index/{name}" for name in table.index_names]
        aws_iam.Grant.add_to_principal(grantee=grantee, actions=["dynamodb:Query"], resource_arns=indexes)
    table.key.grant(grantee, "kms:Decrypt", "kms:DescribeKey")


def glance_at_table(grantee: aws_iam.IGrantable, table: Table) -> None:
    """Read single items, by keys that are known."""
    arn = table.table.table_arn
    aws_iam.Grant.add_to_principal(grantee=grantee, actions=["dynamodb:GetItem"], resource_arns=[arn])
    table.key.grant(grantee, "kms:Decrypt", "kms:DescribeKey")


def mark_in_table(grantee: aws_iam.IGrantable, table: Table) -> None:
    """Update items, and nothing else."""
    arn = table.table.table_arn
    aws_iam.Grant.add_to_principal(grantee=grantee, actions=["dynamodb:UpdateItem"], resource_arns=[arn])
    table.key.grant(grantee, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")


def write_table(grantee: aws_iam.IGrantable, table: Table) -> None:
    """Read and write items; transactions need no more than their parts."""
    read_table(grantee, table)
    aws_iam.Grant.add_to_principal(
        grantee=grantee, actions=list(_WRITE_ITEMS), resource_arns=[table.table.table_arn]
    )
    table.key.grant(grantee, "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")


def read_objects(grantee: aws_iam.IGrantable, bucket: aws_s3.IBucket, prefix: str) -> None:
    """Read and list objects under a prefix such as `runs/`, and be told 404, not 403, of one that is missing.

    S3 answers 404 only to those who may list, and asks so with no `s3:prefix` in the request: hence IfExists. It also
    allows a listing without a prefix, which tells names only.
    """
    bucket_key(bucket).grant(grantee, "kms:Decrypt")
    aws_iam.Grant.add_to_principal(
        grantee=grantee, actions=["s3:GetObject"], resource_arns=[bucket.arn_for_objects(f"{prefix}*")]
    )
    statement = aws_iam.PolicyStatement(
        actions=["s3:ListBucket"],
        resources=[bucket.bucket_arn],
        conditions={"StringLikeIfExists": {"s3:prefix": [f"{prefix}*"]}},
    )
    grantee.grant_principal.add_to_principal_policy(statement)


def write_objects(grantee: aws_iam.IGrantable, bucket: aws_s3.IBucket, prefix: str) -> None:
    """Read and write objects under a prefix, in parts where they are large."""
    read_objects(grantee, bucket, prefix)
    bucket_key(bucket).grant(grantee, "kms:GenerateDataKey")
    aws_iam.Grant.add_to_principal(
        grantee=grantee,
        actions=["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        resource_arns=[bucket.arn_for_objects(f"{prefix}*")],
    )


def tag_objects(grantee: aws_iam.IGrantable, bucket: aws_s3.IBucket, pattern: str) -> None:
    """Write objects with tags, where their keys match."""
    aws_iam.Grant.add_to_principal(
        grantee=grantee, actions=["s3:PutObjectTagging"], resource_arns=[bucket.arn_for_objects(pattern)]
    )


def put_objects(grantee: aws_iam.IGrantable, bucket: aws_s3.IBucket, *patterns: str) -> None:
    """Write objects whose keys match, without reading others."""
    bucket_key(bucket).grant(grantee, "kms:Decrypt", "kms:GenerateDataKey")
    aws_iam.Grant.add_to_principal(
        grantee=grantee,
        actions=["s3:PutObject", "s3:AbortMultipartUpload"],
        resource_arns=[bucket.arn_for_objects(pattern) for pattern in patterns],
    )


def send(grantee: aws_iam.IGrantable, queue: aws_sqs.Queue) -> None:
    """Send messages, one by one or in batches."""
    queue.grant(grantee, "sqs:SendMessage")
    queue_key(queue).grant(grantee, "kms:GenerateDataKey", "kms:Decrypt")


def consume(grantee: aws_iam.IGrantable, queue: aws_sqs.Queue) -> None:
    """Receive, extend and delete messages."""
    queue.grant(
        grantee,
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
    )
    queue_key(queue).grant(grantee, "kms:Decrypt")


def answer_tokens(grantee: aws_iam.IGrantable) -> None:
    """Answer task tokens. IAM knows no resource for this action; the secret is the token itself."""
    aws_iam.Grant.add_to_principal(grantee=grantee, actions=["states:SendTaskSuccess"], resource_arns=["*"])


def post_to_sockets(grantee: aws_iam.IGrantable, stage: aws_apigatewayv2.WebSocketStage) -> None:
    """Send messages to the connections of a WebSocket API's stage; not to look at them or close them."""
    arn = Stack.of(stage).format_arn(
        service="execute-api",
        resource=stage.api.api_id,
        resource_name=f"{stage.stage_name}/POST/@connections/*",
    )
    aws_iam.Grant.add_to_principal(
        grantee=grantee, actions=["execute-api:ManageConnections"], resource_arns=[arn]
    )


def start_executions(grantee: aws_iam.IGrantable, machine: sfn.StateMachine) -> None:
    """Start executions of the machine."""
    machine.grant(grantee, "states:StartExecution")


def manage_executions(grantee: aws_iam.IGrantable, machine: sfn.StateMachine) -> None:
    """Start, look at and stop executions of the machine."""
    start_executions(grantee, machine)
    aws_iam.Grant.add_to_principal(
        grantee=grantee,
        actions=["states:DescribeExecution", "states:StopExecution"],
        resource_arns=[executions_arn(machine)],
    )


def executions_arn(machine: sfn.StateMachine) -> str:
    """All executions of the machine itself."""
    return Stack.of(machine).format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine.state_machine_name}:*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def publish_events(grantee: aws_iam.IGrantable, bus: aws_events.EventBus) -> None:
    """Put events on the bus."""
    aws_iam.Grant.add_to_principal(
        grantee=grantee, actions=["events:PutEvents"], resource_arns=[bus.event_bus_arn]
    )


def notify(grantee: aws_iam.IGrantable, topic: aws_sns.Topic) -> None:
    """Publish to the topic."""
    aws_iam.Grant.add_to_principal(grantee=grantee, actions=["sns:Publish"], resource_arns=[topic.topic_arn])
    _required(topic.master_key, topic.node.path).grant(grantee, "kms:GenerateDataKey", "kms:Decrypt")


def read_alarms(grantee: aws_iam.IGrantable) -> None:
    """Read how the account's CloudWatch alarms are. With a narrower scope AWS tells nothing of composite ones."""
    aws_iam.Grant.add_to_principal(
        grantee=grantee, actions=["cloudwatch:DescribeAlarms"], resource_arns=["*"]
    )


def read_deployments(grantee: aws_iam.Role) -> None:
    """Read the account's deployments by CodeDeploy; which applications count is in the environment's policy."""
    actions = ["codedeploy:ListDeployments", "codedeploy:BatchGetDeployments"]
    _allow_all(grantee, actions, service="codedeploy", resource="deploymentgroup")
    _allow_all(grantee, ["codedeploy:ListDeploymentGroups"], service="codedeploy", resource="application")


def read_metrics(grantee: aws_iam.IGrantable) -> None:
    """Read metrics. IAM knows no resource for them."""
    aws_iam.Grant.add_to_principal(grantee=grantee, actions=["cloudwatch:GetMetricData"], resource_arns=["*"])


def read_secrets(grantee: aws_iam.ManagedPolicy | aws_iam.Role, prefix: str) -> None:
    """Read the secrets whose names start with a prefix, encrypted with the account's own key for secrets."""
    actions = ["secretsmanager:GetSecretValue"]
    _allow_all(grantee, actions, service="secretsmanager", resource="secret", prefix=prefix)


def bucket_key(bucket: aws_s3.IBucket) -> aws_kms.IKey:
    """The key that a data bucket is encrypted with."""
    return _required(bucket.encryption_key, bucket.node.path)


def queue_key(queue: aws_sqs.Queue) -> aws_kms.IKey:
    """The key that a queue is encrypted with."""
    return _required(queue.encryption_master_key, queue.node.path)


def _allow_all(
    grantee: aws_iam.Role | aws_iam.ManagedPolicy,
    actions: list[str],
    *,
    service: str,
    resource: str,
    prefix: str = "",
) -> None:
    arn = Stack.of(grantee).format_arn(
        service=service,
        resource=resource,
        resource_name=f"{prefix}*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    statement = aws_iam.PolicyStatement(actions=actions, resources=[arn])
    grantee.grant_principal.add_to_principal_policy(statement)


def _required(key: aws_kms.IKey | None, path: str) -> aws_kms.IKey:
    if key is None:
        raise ValueError(f"{path} has no key of its own")
    return key
