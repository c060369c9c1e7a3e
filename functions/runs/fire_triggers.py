"""FireTriggers: start what waits for a domain event."""

from collections.abc import Sequence

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import BusMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[BusMessage]]) -> Sequence[int]:
    """Fed by the queue that the rule of domain events fills."""
    return schedules.fire_triggers().all([message.body.detail for message in messages])
