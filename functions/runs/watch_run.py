"""WatchRun: look after unfinished runs; each message comes back after 15 s while its run goes on."""

from collections.abc import Sequence

from crosswind.bootstrap import workers
from crosswind.contracts.work import WatchMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[WatchMessage]]) -> Sequence[int]:
    """Fed by the delayed watch queue."""
    return workers.watch_run().all([message.body.run_id for message in messages])
