"""Zips of runs' files: the queue of orders, and the Lambda that builds them with no more rights than it needs for that."""

from dataclasses import dataclass

from aws_cdk import Duration, aws_kms, aws_s3
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from cdk.constructs import access
from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.constructs.queue import Queue, QueueProps
from cdk.stages import Stage
from crosswind.settings import Settings

_SECONDS = 900  # the builder gives up by itself a minute earlier, and says so
_MEMORY_MIB = 1769  # a whole CPU: packing texts is what it does
_BUILDERS = 2  # the fewest that SQS takes as a limit


@dataclass(frozen=True, kw_only=True)
class ArchivesProps:
    """Where the files lie, and under which patterns."""

    stage: Stage
    key: aws_kms.IKey
    code: Code
    settings: Settings
    bucket: aws_s3.IBucket
    files: str
    archives: str


class Archives(Construct):
    """Orders in a queue, one at a time to a builder."""

    orders: Queue
    builder: PythonFunction

    def __init__(self, scope: Construct, construct_id: str, *, props: ArchivesProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_queue()
        self._define_builder()
        self._grant()

    def let_order(self, function: PythonFunction) -> None:
        """Let a Lambda order archives, and build small ones itself. It reads the files already."""
        access.send(function.role, self.orders.queue)
        access.put_objects(function.role, self._props.bucket, self._props.archives)
        access.tag_objects(function.role, self._props.bucket, self._props.archives)

    def _define_queue(self) -> None:
        hidden = Duration.seconds(6 * _SECONDS)
        props = QueueProps(
            stage=self._props.stage,
            key=self._props.key,
            visibility_timeout=hidden,
            dead_letters_visibility_timeout=hidden,
            max_receives=2,
            oldest_message_alarm=Duration.hours(2),
        )
        self.orders = Queue(self, "Orders", props=props)

    def _define_builder(self) -> None:
        props = PythonFunctionProps(
            stage=self._props.stage,
            key=self._props.key,
            code=self._props.code,
            area="runs",
            name="build_archive",
            description="Crosswind runs: build archive",
            timeout=Duration.seconds(_SECONDS),
            memory_mib=_MEMORY_MIB,
            settings=(self._props.settings,),
        )
        self.builder = PythonFunction(self, "BuildArchive", props=props)
        self.builder.function.add_event_source(
            event_sources.SqsEventSource(
                self.orders.queue, batch_size=1, report_batch_item_failures=True, max_concurrency=_BUILDERS
            )
        )

    def _grant(self) -> None:
        access.consume(self.builder.role, self.orders.queue)
        access.read_objects(self.builder.role, self._props.bucket, self._props.files)
        access.put_objects(self.builder.role, self._props.bucket, self._props.archives)
        access.tag_objects(self.builder.role, self._props.bucket, self._props.archives)
