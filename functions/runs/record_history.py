"""RecordHistory: tell the tests' history what finished runs saw."""

from collections.abc import Sequence

from crosswind.bootstrap import tasks
from crosswind.contracts.workers import RunFinishedDelivery
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[RunFinishedDelivery]]) -> Sequence[int]:
    """Fed by a queue that the bus puts RunFinished events into."""
    return tasks.record_history().all([message.body.detail.detail.run_id for message in messages])
