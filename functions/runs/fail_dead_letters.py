"""FailDeadLetters: end the work behind messages that no consumer could take, so that nobody waits for it."""

from collections.abc import Sequence

from crosswind.bootstrap import workers
from crosswind.contracts.work import AdmissionMessage, DispatchMessage
from crosswind.edge.queue_handler import Received, queue_handler
from crosswind.runs.usecases.watching import DeadLetter


@queue_handler
def handler(messages: Sequence[Received[AdmissionMessage | DispatchMessage]]) -> Sequence[int]:
    """Fed by the dead-letter queues of the admission queue and of the executor's queue."""
    return workers.fail_dead_letters()([DeadLetter(message.body, message.sent_at) for message in messages])
