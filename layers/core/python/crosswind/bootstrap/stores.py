"""The stores and channels of the runs area on AWS, from settings; each made once, at first use."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import clients
from crosswind.kernel.clock import SystemClock
from crosswind.settings import ControlSettings, HistorySettings, SocketSettings, StoreSettings

if TYPE_CHECKING:
    from crosswind.adapters.aws.dynamo import Dynamo
    from crosswind.adapters.aws.queues import ExecutorQueue
    from crosswind.runs.admission.model import Capacity
    from crosswind.runs.admission.ports import QueueStore
    from crosswind.runs.history.ports import HistoryStore, QuarantineStore
    from crosswind.runs.live.ports import ConnectionStore, LiveQueue, Sockets, WatchStore
    from crosswind.runs.load.ports import BarrierStore
    from crosswind.runs.pods.ports import PodStore
    from crosswind.runs.ports import (
        DocumentStore,
        EventBus,
        Executions,
        ObjectStore,
        Queues,
        RunStore,
        Secrets,
        TaskTokens,
        WorkStore,
    )
    from crosswind.runs.pulling.ports import PullStore
    from crosswind.runs.schedules.ports import Deployments, ScheduleStore, TriggerStore

# Adapters are imported where they are made: a handler pays for those that it uses.
# ruff: noqa: PLC0415


@cache
def run_store(settings: StoreSettings) -> "RunStore":
    """Runs, outbox, remembered preparations."""
    from crosswind.adapters.aws.run_store import DynamoRunStore

    return DynamoRunStore(
        dynamo=_dynamo(),
        table=settings.runs_table,
        clock=SystemClock(),
        retention=timedelta(days=settings.retention_days),
    )


@cache
def framework_store(settings: StoreSettings) -> "DocumentStore":
    """Frameworks of teams."""
    from crosswind.adapters.aws.document_store import FRAMEWORKS, DynamoDocumentStore

    return DynamoDocumentStore(dynamo=_dynamo(), table=settings.runs_table, kind=FRAMEWORKS)


@cache
def cluster_store(settings: StoreSettings) -> "DocumentStore":
    """Clusters."""
    from crosswind.adapters.aws.document_store import CLUSTERS, DynamoDocumentStore

    return DynamoDocumentStore(dynamo=_dynamo(), table=settings.runs_table, kind=CLUSTERS)


@cache
def pod_store(settings: StoreSettings) -> "PodStore":
    """Pods of runs."""
    from crosswind.adapters.aws.pod_store import DynamoPodStore

    return DynamoPodStore(
        dynamo=_dynamo(), table=settings.runs_table, retention=timedelta(days=settings.retention_days)
    )


@cache
def suite_store(settings: StoreSettings) -> "DocumentStore":
    """Stored suites."""
    from crosswind.adapters.aws.document_store import DynamoDocumentStore

    return DynamoDocumentStore(dynamo=_dynamo(), table=settings.runs_table)


@cache
def schedule_store(settings: StoreSettings) -> "ScheduleStore":
    """Stored schedules."""
    from crosswind.adapters.aws.schedule_store import DynamoScheduleStore

    return DynamoScheduleStore(dynamo=_dynamo(), table=settings.runs_table)


@cache
def trigger_store(settings: StoreSettings) -> "TriggerStore":
    """Stored triggers."""
    from crosswind.adapters.aws.schedule_store import DynamoTriggerStore

    return DynamoTriggerStore(dynamo=_dynamo(), table=settings.runs_table)


@cache
def deployments(settings: StoreSettings) -> "Deployments":
    """Records of deployments."""
    from crosswind.adapters.aws.schedule_store import DynamoDeployments

    return DynamoDeployments(
        dynamo=_dynamo(),
        table=settings.runs_table,
        clock=SystemClock(),
        retention=timedelta(days=settings.retention_days),
    )


@cache
def work_store(settings: StoreSettings) -> "WorkStore":
    """Leased work and its projection in the queue."""
    from crosswind.adapters.aws.work_store import DynamoWorkStore

    return DynamoWorkStore(
        dynamo=_dynamo(),
        runs_table=settings.runs_table,
        queue_table=settings.queue_table,
        retention=timedelta(days=settings.retention_days),
    )


@cache
def pull_store(settings: StoreSettings) -> "PullStore":
    """Work lists that runners pull from."""
    from crosswind.adapters.aws.pull_store import DynamoPullStore

    return DynamoPullStore(
        dynamo=_dynamo(),
        table=settings.runs_table,
        clock=SystemClock(),
        retention=timedelta(days=settings.retention_days),
    )


@cache
def barrier_store(settings: StoreSettings) -> "BarrierStore":
    """Barriers of load jobs."""
    from crosswind.adapters.aws.barrier_store import DynamoBarrierStore

    return DynamoBarrierStore(
        dynamo=_dynamo(),
        table=settings.runs_table,
        clock=SystemClock(),
        retention=timedelta(days=settings.retention_days),
    )


@cache
def history_store(settings: HistorySettings) -> "HistoryStore":
    """The tests' history."""
    from crosswind.adapters.aws.history_store import DynamoHistoryStore

    return DynamoHistoryStore(dynamo=_dynamo(), table=settings.tests_table)


@cache
def quarantine_store(settings: HistorySettings) -> "QuarantineStore":
    """Quarantined tests."""
    from crosswind.adapters.aws.history_store import DynamoQuarantineStore

    return DynamoQuarantineStore(dynamo=_dynamo(), table=settings.tests_table)


@cache
def queue_store(settings: StoreSettings) -> "QueueStore":
    """The queue's lists, the scheduler's lease, the capacity."""
    from crosswind.adapters.aws.queue_store import DynamoQueueStore

    return DynamoQueueStore(dynamo=_dynamo(), table=settings.queue_table)


def default_capacity(settings: ControlSettings) -> "Capacity":
    """What there is to give while no executor has registered."""
    from crosswind.runs.admission.model import Capacity

    return Capacity(
        slots=settings.default_slots,
        launches_per_second=settings.launches_per_second or None,
        launch_burst=settings.launch_burst,
    )


@cache
def artifacts(settings: StoreSettings) -> "ObjectStore":
    """The artifacts bucket: everything of a run."""
    from crosswind.adapters.aws.object_store import S3ObjectStore

    return S3ObjectStore(client=clients.s3(), bucket=settings.artifacts_bucket)


@cache
def sources(settings: StoreSettings) -> "ObjectStore":
    """The sources bucket: archives, named by content."""
    from crosswind.adapters.aws.object_store import S3ObjectStore

    return S3ObjectStore(client=clients.s3(), bucket=settings.sources_bucket)


@cache
def queues(settings: StoreSettings) -> "Queues":
    """Messages between the workers."""
    from crosswind.adapters.aws.queues import SqsQueues

    return SqsQueues(
        client=clients.sqs(),
        admission_url=settings.admission_queue_url,
        executor_url=settings.executor_queue_url,
        launch_url=settings.launch_queue_url,
        watch_url=settings.watch_queue_url,
    )


@cache
def executor_queue(settings: StoreSettings) -> "ExecutorQueue":
    """The executor's queue, for a runner."""
    from crosswind.adapters.aws.queues import ExecutorQueue

    return ExecutorQueue(client=clients.sqs_polling(), url=settings.executor_queue_url)


@cache
def watch_store(settings: StoreSettings | SocketSettings) -> "WatchStore":
    """Who watches which run."""
    from crosswind.adapters.aws.live_store import DynamoWatchStore

    return DynamoWatchStore(dynamo=_dynamo(), table=settings.live_table)


@cache
def connection_store(settings: SocketSettings) -> "ConnectionStore":
    """Connections of the socket."""
    from crosswind.adapters.aws.live_store import DynamoConnectionStore

    return DynamoConnectionStore(dynamo=_dynamo(), table=settings.live_table)


@cache
def sockets(settings: SocketSettings) -> "Sockets":
    """Sends through the socket."""
    from crosswind.adapters.aws.sockets import ApiGatewaySockets

    return ApiGatewaySockets(client=clients.connections(settings.socket_api_id, settings.socket_stage))


@cache
def live_queue(settings: StoreSettings) -> "LiveQueue":
    """Carries what is new to the fan-out."""
    from crosswind.adapters.aws.sockets import SqsLiveQueue

    return SqsLiveQueue(client=clients.sqs(), url=settings.live_queue_url)


@cache
def task_tokens() -> "TaskTokens":
    """Answers to task tokens."""
    from crosswind.adapters.aws.task_tokens import SfnTaskTokens

    return SfnTaskTokens(client=clients.stepfunctions())


@cache
def executions(settings: ControlSettings) -> "Executions":
    """Executions of the runs' state machine."""
    from crosswind.adapters.aws.executions import SfnExecutions

    return SfnExecutions(client=clients.stepfunctions(), state_machine_arn=settings.state_machine_arn)


@cache
def event_bus(settings: StoreSettings) -> "EventBus":
    """The domain event bus."""
    from crosswind.adapters.aws.event_bus import EventBridgeBus

    return EventBridgeBus(client=clients.events(), name=settings.event_bus_name)


@cache
def secrets(settings: StoreSettings) -> "Secrets":
    """The teams' secrets of this stage."""
    from crosswind.adapters.aws.secrets import SecretsManagerSecrets

    return SecretsManagerSecrets(client=clients.secretsmanager(), stage=settings.stage)


@cache
def _dynamo() -> "Dynamo":
    from crosswind.adapters.aws.dynamo import Dynamo

    return Dynamo(clients.dynamodb())
