"""What a runner needs: the protocol's use cases on AWS."""

from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import clients, stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.failing_fast import FailRestFast
from crosswind.runs.usecases.leasing import Announce, BeatWork, ClaimWork, CommitWork, FailAttempt, HandBack
from crosswind.runs.usecases.load_barrier import JoinBarrier
from crosswind.runs.usecases.pulling import (
    CommitBatch,
    CommittedBatches,
    LeaseBatch,
    OpenWorkList,
    ReturnBatch,
)
from crosswind.settings import RunnerSettings

if TYPE_CHECKING:
    from crosswind.adapters.aws.measurements import AwsMeasurements


@cache
def claim_work(settings: RunnerSettings) -> ClaimWork:
    """Take work."""
    return ClaimWork(_change(settings), SystemClock())


@cache
def beat_work(settings: RunnerSettings) -> BeatWork:
    """Keep its lease."""
    return BeatWork(_change(settings), SystemClock())


@cache
def announce(settings: RunnerSettings) -> Announce:
    """Tell something while it goes on."""
    return Announce(_change(settings), SystemClock())


@cache
def commit_work(settings: RunnerSettings) -> CommitWork:
    """End it."""
    return CommitWork(_change(settings), SystemClock())


@cache
def hand_back(settings: RunnerSettings) -> HandBack:
    """Give it back."""
    return HandBack(_change(settings), SystemClock())


@cache
def fail_attempt(settings: RunnerSettings) -> FailAttempt:
    """Report that infrastructure failed."""
    return FailAttempt(_change(settings), SystemClock())


@cache
def open_work_list(settings: RunnerSettings) -> OpenWorkList:
    """Read the list that a shard pulls from."""
    return OpenWorkList(stores.artifacts(settings))


@cache
def lease_batch(settings: RunnerSettings) -> LeaseBatch:
    """Lease what a shard runs next."""
    return LeaseBatch(stores.pull_store(settings), stores.work_store(settings), jittered_pause)


@cache
def commit_batch(settings: RunnerSettings) -> CommitBatch:
    """End a batch."""
    return CommitBatch(stores.pull_store(settings))


@cache
def return_batch(settings: RunnerSettings) -> ReturnBatch:
    """Let go of a batch with its shard."""
    return ReturnBatch(stores.pull_store(settings), stores.work_store(settings), jittered_pause)


@cache
def committed_batches(settings: RunnerSettings) -> CommittedBatches:
    """What earlier attempts of a shard have done."""
    return CommittedBatches(stores.pull_store(settings))


@cache
def join_barrier(settings: RunnerSettings) -> JoinBarrier:
    """Begin a load together with other workers."""
    return JoinBarrier(stores.barrier_store(settings), SystemClock())


@cache
def fail_rest_fast(settings: RunnerSettings) -> FailRestFast:
    """End other shards because a test has failed."""
    return FailRestFast(
        stores.run_store(settings),
        stores.work_store(settings),
        _change(settings),
        SystemClock(),
        jittered_pause,
    )


@cache
def measurements() -> "AwsMeasurements":
    """What probes read from CloudWatch and SQS."""
    from crosswind.adapters.aws.measurements import AwsMeasurements  # noqa: PLC0415  # only a monitor needs it

    return AwsMeasurements(clients.cloudwatch(), clients.sqs(), SystemClock())


@cache
def _change(settings: RunnerSettings) -> ChangeWork:
    return ChangeWork(
        stores.work_store(settings),
        PerformEffects(queues=stores.queues(settings), tokens=stores.task_tokens()),
        jittered_pause,
    )
