"""The lanes as admission needs them: few entries of each, read again only where an entry has joined.

A scheduler looks at the queue after every shard that ends, and most lanes have not changed since its last look. A lane's
mark grows with every entry that joins it, so entries that were read under the same mark miss none. They may hold some
that have left meanwhile; whoever acts on an entry finds that out by its work item, and tells `forget`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from crosswind.runs.admission.model import Lane, Queue, Round
from crosswind.runs.admission.ports import Heads, LaneLine, QueueStore
from crosswind.runs.model import WorkKey

FIRST_LOOK = 10
DEEPER = 4  # times as many with each further look
DEEPEST_LOOK = 10_240


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of a lane."""

    mark: int
    limit: int
    heads: Heads


class Lanes:
    """Lanes with what is known of their entries. Keep one for as long as the process lives."""

    def __init__(self, queue: QueueStore) -> None:
        self._queue = queue
        self._known: dict[str, _Known] = {}

    def refresh(self, lines: Sequence[LaneLine]) -> None:
        """Take the lines as they are now. Reads what is not known, or was read under an older mark."""
        listed = {line.run_id for line in lines}
        self._known = {run_id: known for run_id, known in self._known.items() if run_id in listed}
        self._read({line: FIRST_LOOK for line in lines if self._is_unknown(line)})
        for line in lines:
            if not self._known[line.run_id].heads.entries and self._queue.close_lane(line):
                del self._known[line.run_id]

    def deepen(self, lines: Iterable[LaneLine], run_ids: Collection[str]) -> bool:
        """Read more of some lanes. False when there is nothing more to be read of any."""
        deeper = {
            line: known.limit * DEEPER
            for line in lines
            if line.run_id in run_ids
            and (known := self._known.get(line.run_id)) is not None
            and known.heads.more
            and known.limit < DEEPEST_LOOK
        }
        self._read(deeper)
        return bool(deeper)

    def queue(self, *, paused: Collection[str], leaving_out: Collection[WorkKey] = ()) -> Queue:
        """The queue as far as it is known."""
        return Queue(
            tuple(
                _lane(run_id, known.heads, paused=run_id in paused, leaving_out=leaving_out)
                for run_id, known in self._known.items()
            )
        )

    def used_up(self, decided: Round) -> set[str]:
        """Lanes of which a round admitted everything that was listed, though they have more: what it gave to lanes
        behind them may belong to them."""
        admitted: dict[str, int] = {}
        for decision in decided.admitted:
            run_id = decision.entry.key.run_id
            admitted[run_id] = admitted.get(run_id, 0) + 1
        return {
            run_id
            for run_id, count in admitted.items()
            if self._known[run_id].heads.more and count >= len(self._known[run_id].heads.entries)
        }

    def forget(self, keys: Collection[WorkKey]) -> None:
        """Drop entries that have left their lanes."""
        for run_id in {key.run_id for key in keys} & self._known.keys():
            known = self._known[run_id]
            left = tuple(entry for entry in known.heads.entries if entry.key not in keys)
            self._known[run_id] = replace(known, heads=replace(known.heads, entries=left))

    def doubt(self, run_ids: Iterable[str]) -> None:
        """Read these lanes anew at the next look."""
        for run_id in run_ids:
            self._known.pop(run_id, None)

    def _is_unknown(self, line: LaneLine) -> bool:
        known = self._known.get(line.run_id)
        return known is None or known.mark != line.mark or not known.heads.entries

    def _read(self, limits: Mapping[LaneLine, int]) -> None:
        found = self._queue.heads({line.run_id: limit for line, limit in limits.items()}) if limits else {}
        for line, limit in limits.items():
            self._known[line.run_id] = _Known(line.mark, limit, found[line.run_id])


def _lane(run_id: str, heads: Heads, *, paused: bool, leaving_out: Collection[WorkKey]) -> Lane:
    """A lane that was cut tells of one entry more than it lists: how many there are does not matter here."""
    entries = tuple(entry for entry in heads.entries if entry.key not in leaving_out)
    return Lane(run_id, entries, waiting=len(entries) + heads.more, paused=paused)
