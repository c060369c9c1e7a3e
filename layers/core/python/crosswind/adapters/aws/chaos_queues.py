"""The delayed watch queue of the chaos area on SQS."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswind.adapters.aws.errors import aws_errors
from crosswind.contracts.chaos.tasks import ChaosWatchMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONGEST_DELAY = 900  # SQS's own limit


@dataclass(frozen=True)
class SqsChaosQueues:
    """ChaosQueues on SQS."""

    client: "SQSClient"
    watch_url: str

    def watch(self, run_id: str, *, delay_seconds: int) -> None:
        with aws_errors("sqs"):
            self.client.send_message(
                QueueUrl=self.watch_url,
                MessageBody=ChaosWatchMessage(run_id=run_id).to_wire(),
                DelaySeconds=min(max(delay_seconds, 0), _LONGEST_DELAY),
            )
