"""StartOnEvent: start the experiments that wait for a domain event."""

from collections.abc import Sequence

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.schedules import BusMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[BusMessage]]) -> Sequence[int]:
    """Fed by the queue that the rule of domain events fills."""
    return chaos_workers.start_on_event().all([message.body.detail for message in messages])
