"""How long a client is asked to stay away from a full queue: from how fast the queue drains, between stated bounds."""

from collections.abc import Collection
from datetime import datetime
from math import ceil

from crosswind.runs.admission.model import QueueEntry

SHORTEST_SECONDS = 5
LONGEST_SECONDS = 300
_ROOM_PARTS = 20  # a queue that is a twentieth below its limit has room for the next runs


def retry_after_seconds(active: Collection[QueueEntry], *, limit: int, now: datetime) -> int:
    """Seconds until a full queue of `limit` entries will have room again, 5 to 300.

    A full queue keeps every slot busy, so it drains by as many entries as are active in the time that one of them
    takes: as long as was estimated, or as long as it has run already where that is longer.
    """
    if not active:
        return LONGEST_SECONDS  # nothing drains it
    seconds = sum(_seconds(entry, now) for entry in active) / len(active)
    room = max(1, limit // _ROOM_PARTS)
    return min(max(ceil(room * seconds / len(active)), SHORTEST_SECONDS), LONGEST_SECONDS)


def _seconds(entry: QueueEntry, now: datetime) -> float:
    ran = (now - entry.admitted_at).total_seconds() if entry.admitted_at else 0.0
    return max(entry.estimate_seconds, ran)
