"""LaunchWork: a Job for each piece of work that was admitted to a cluster."""

from collections.abc import Sequence

from crosswind.bootstrap import pods
from crosswind.contracts.work import DispatchMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[DispatchMessage]]) -> Sequence[int]:
    """Fed by the launch queue."""
    return pods.launch_work()([message.body for message in messages])
