"""AdmitWork: store the tickets of the admission queue as waiting work, then give free slots to what waits."""

from collections.abc import Sequence

from crosswind.bootstrap import workers
from crosswind.contracts.work import AdmissionMessage
from crosswind.edge.queue_handler import Received, queue_handler
from crosswind.runs.usecases.scheduling import admission_of


@queue_handler
def handler(messages: Sequence[Received[AdmissionMessage]]) -> Sequence[int]:
    """Fed by the admission queue."""
    return workers.admit_work()([admission_of(message.body, message.sent_at) for message in messages])
