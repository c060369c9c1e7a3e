"""WatchExperiments: look after runs that go on; each message comes back after 15 s while its run does."""

from collections.abc import Sequence

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import ChaosWatchMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[ChaosWatchMessage]]) -> Sequence[int]:
    """Fed by the delayed watch queue."""
    return chaos_workers.watch_experiments().all([message.body.run_id for message in messages])
