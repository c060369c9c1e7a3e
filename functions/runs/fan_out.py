"""FanOut: send what runners have pushed to those who watch."""

from collections.abc import Sequence

from crosswind.bootstrap import live
from crosswind.contracts.live import Piece
from crosswind.edge.queue_handler import Received, queue_handler


@queue_handler
def handler(messages: Sequence[Received[Piece]]) -> Sequence[int]:
    """Fed by the live queue. Old news is dropped there, not repeated: clients read by REST what they miss."""
    live.fan_out()([message.body for message in messages])
    return ()
