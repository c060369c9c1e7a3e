"""The only place that makes an SQS queue: encrypted, TLS only, with a dead-letter queue and its alarms."""

from dataclasses import dataclass

from aws_cdk import Duration, aws_cloudwatch, aws_kms, aws_sqs
from constructs import Construct

from cdk.constructs.alarm import add_alarm
from cdk.stages import Stage

_RETENTION_DAYS = 4
_DEAD_LETTER_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class QueueProps:
    """How a queue treats its messages."""

    stage: Stage
    key: aws_kms.IKey
    visibility_timeout: Duration
    """At least six times the time limit of the Lambda that consumes it."""

    dead_letters_visibility_timeout: Duration
    """The same for the Lambda that consumes its dead letters."""

    max_receives: int
    oldest_message_alarm: Duration


class Queue(Construct):
    """A queue and its dead letters."""

    queue: aws_sqs.Queue
    dead_letters: aws_sqs.Queue

    def __init__(self, scope: Construct, construct_id: str, *, props: QueueProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_dead_letter_queue()
        self._define_queue()
        if props.stage.alarms:
            self._add_alarms()

    def _define_dead_letter_queue(self) -> None:
        self.dead_letters = aws_sqs.Queue(
            self,
            "DeadLetters",
            encryption=aws_sqs.QueueEncryption.KMS,
            encryption_master_key=self._props.key,
            data_key_reuse=Duration.hours(1),
            enforce_ssl=True,
            retention_period=Duration.days(_DEAD_LETTER_DAYS),
            visibility_timeout=self._props.dead_letters_visibility_timeout,
        )

    def _define_queue(self) -> None:
        self.queue = aws_sqs.Queue(
            self,
            "Queue",
            encryption=aws_sqs.QueueEncryption.KMS,
            encryption_master_key=self._props.key,
            data_key_reuse=Duration.hours(1),
            enforce_ssl=True,
            visibility_timeout=self._props.visibility_timeout,
            retention_period=Duration.days(_RETENTION_DAYS),
            receive_message_wait_time=Duration.seconds(20),
            dead_letter_queue=aws_sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=self._props.max_receives
            ),
        )

    def _add_alarms(self) -> None:
        add_alarm(
            self,
            "DeadLettersNotEmpty",
            metric=self.dead_letters.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            above=0,
            meaning="Messages failed for good. Read them, mend the cause, then redrive or purge the queue.",
        )
        add_alarm(
            self,
            "OldestMessage",
            metric=self.queue.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            above=self._props.oldest_message_alarm.to_seconds(),
            meaning="Messages wait longer than they should: is the consumer throttled, failing or missing?",
            periods=3,
            missing=aws_cloudwatch.TreatMissingData.NOT_BREACHING,
        )
