"""What every area stands on: the data key, the event bus, the buckets, the topic of the alarms."""

from dataclasses import replace

from aws_cdk import CfnOutput, RemovalPolicy, Stack, aws_events, aws_kms
from constructs import Construct

from cdk.constructs.alarm_topic import AlarmTopic
from cdk.constructs.bucket import AccessLogBucket, Bucket, BucketProps
from cdk.constructs.log_group import let_logs_use
from cdk.stages import Stage
from crosswind.contracts.work import FileClass
from crosswind.runs.files import ARCHIVE_CLASS

ARTIFACTS_PREFIX = "runs"
CHAOS_PREFIX = "chaos"
SOURCES_PREFIX = "sources"
_ARCHIVE_DAYS = 7  # it can be built again
RECORDINGS = (FileClass.SCREENSHOT, FileClass.VIDEO, FileClass.TRACE)


class PlatformStack(Stack):
    """Key, bus, buckets and topic; other stacks take them as attributes."""

    key: aws_kms.Key
    bus: aws_events.EventBus
    artifacts: Bucket
    sources: Bucket
    alarm_topic: AlarmTopic | None
    """None where the stage has no alarms."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._define_key()
        self._define_bus()
        self._define_buckets()
        self.alarm_topic = self._define_alarm_topic() if stage.alarms else None

    def _define_key(self) -> None:
        self.key = aws_kms.Key(
            self,
            "DataKey",
            enable_key_rotation=True,
            description=f"Crosswind {self._stage.name}: tables, queues, objects, logs and alarms",
            removal_policy=RemovalPolicy.RETAIN if self._stage.protected else RemovalPolicy.DESTROY,
        )
        if self._stage.encrypted_logs:
            let_logs_use(self.key)

    def _define_bus(self) -> None:
        self.bus = aws_events.EventBus(
            self, "EventBus", description=f"Domain events of Crosswind {self._stage.name}"
        )

    def _define_buckets(self) -> None:
        logs = AccessLogBucket(self, "AccessLogs", stage=self._stage)

        artifacts = BucketProps(
            stage=self._stage,
            key=self.key,
            access_logs=logs.bucket,
            prefixes=(ARTIFACTS_PREFIX, CHAOS_PREFIX),
            archive=True,
            shorter={each.value: self._stage.recording_days for each in RECORDINGS}
            | {ARCHIVE_CLASS: _ARCHIVE_DAYS},
        )
        sources = replace(artifacts, prefixes=(SOURCES_PREFIX,), archive=False, shorter={})
        self.artifacts = Bucket(self, "Artifacts", props=artifacts)
        self.sources = Bucket(self, "Sources", props=sources)

    def _define_alarm_topic(self) -> AlarmTopic:
        made = AlarmTopic(self, "Alarms", key=self.key, description=f"Crosswind {self._stage.name}")
        CfnOutput(self, "AlarmTopicArn", value=made.topic.topic_arn)
        return made
