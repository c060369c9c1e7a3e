"""BuildArchive: make the zip that was ordered."""

from collections.abc import Sequence

from crosswind.bootstrap import workers
from crosswind.contracts.archives import ArchiveMessage
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[ArchiveMessage]]) -> Sequence[int]:
    """Fed by the queue of archives, one order at a time."""
    for message in messages:
        workers.build_archive()(message.body)
    return ()
