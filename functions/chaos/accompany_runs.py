"""AccompanyRuns: start, stop and tell of the experiments beside stages of suites' runs."""

from collections.abc import Sequence

from crosswind.bootstrap import chaos
from crosswind.contracts.schedules import BusMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[BusMessage]]) -> Sequence[int]:
    """Fed by the queue that the rule of stages and ends fills."""
    return chaos.accompany_runs().all([message.body.detail for message in messages])
