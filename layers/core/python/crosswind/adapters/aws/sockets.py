"""The two ends of the way from a runner to a socket: pieces through SQS, messages through API Gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.live import Piece
from crosswind.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_CLOSED = frozenset({"GoneException", "ForbiddenException", "410"})


@dataclass(frozen=True)
class SqsLiveQueue:
    """LiveQueue on SQS. A piece is a message: several together may be more than SQS takes at once."""

    client: "SQSClient"
    url: str

    def push(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            with aws_errors("sqs"):
                self.client.send_message(QueueUrl=self.url, MessageBody=piece.to_wire())


@dataclass(frozen=True)
class ApiGatewaySockets:
    """Sockets of a WebSocket API."""

    client: Any  # apigatewaymanagementapi; no stubs describe it here

    def send(self, connection: str, text: str) -> None:
        with aws_errors("the socket"):
            try:
                self.client.post_to_connection(ConnectionId=connection, Data=text.encode())
            except ClientError as error:
                if error_code(error) in _CLOSED:
                    raise NotFoundError(f"connection {connection} is closed") from error
                raise
