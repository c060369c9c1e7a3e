"""Who is told of which pieces: a pure rule."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crosswind.contracts.live import Piece, Skipped, Stream
from crosswind.runs.live.model import Subscription, stream_name


@dataclass(frozen=True, slots=True)
class Post:
    """A message for one connection. `name` and `offset` say from where it is behind when it does not arrive."""

    subscription: Subscription
    message: Piece | Skipped
    name: str
    offset: int


def posts(pieces: Sequence[Piece], subscriptions: Iterable[Subscription]) -> tuple[Post, ...]:
    """What to send, in order: for each connection its gaps first, then pieces by stream and offset.

    Pieces come from a queue that may repeat and swap them; one that is repeated within the batch goes once.
    """
    ordered = sorted(
        {
            (stream_name(each.work_id, each.attempt, each.stream), each.offset, each.final): each
            for each in pieces
        }.items()
    )
    made: list[Post] = []
    for subscription in subscriptions:
        told: set[str] = set()
        for (name, _, _), piece in ordered:
            if piece.run_id != subscription.run_id or not subscription.wants(piece.work_id, piece.stream):
                continue
            if piece.next_offset <= _from(subscription, piece) and not piece.final:
                continue
            behind = subscription.behind.get(name)
            if behind is not None and name not in told and behind < piece.offset:
                told.add(name)
                made.append(Post(subscription, _gap(piece, behind), name, behind))
            made.append(Post(subscription, piece, name, piece.offset))
    return tuple(made)


def _from(subscription: Subscription, piece: Piece) -> int:
    one = subscription.work_id is not None and piece.stream is Stream.LOG
    return subscription.from_offset if one else 0


def _gap(piece: Piece, behind: int) -> Skipped:
    return Skipped(
        run_id=piece.run_id,
        work_id=piece.work_id,
        attempt=piece.attempt,
        stream=piece.stream,
        from_offset=behind,
        to_offset=piece.offset,
    )
