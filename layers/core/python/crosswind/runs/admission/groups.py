"""Load jobs among what waits: one at a time gets its workers, so that no two hold some slots each and wait for the others'."""

from collections import Counter
from collections.abc import Iterable, Sequence

from crosswind.runs.admission.model import Lane, QueueEntry

Group = tuple[str, str]  # run and group


class Groups:
    """Which load job is being filled: it has workers with a slot, and workers that wait for one."""

    def __init__(self, active: Iterable[QueueEntry], lanes: Sequence[Lane]) -> None:
        self._begun = {group for entry in active if (group := _of(entry)) is not None}
        self._waiting: Counter[Group] = Counter()
        for lane in lanes:
            self._waiting.update(group for entry in lane.entries if (group := _of(entry)) is not None)
        self._held = False

    def must_wait(self, entry: QueueEntry) -> bool:
        """Whether the entry would be the first worker of its load job while another job is being filled."""
        group = _of(entry)
        waits = group is not None and group not in self._begun and self._filling() is not None
        self._held |= waits
        return waits

    def take(self, entry: QueueEntry) -> bool:
        """Count an admission in. Whether a load job that was held may begin now."""
        group = _of(entry)
        if group is None:
            return False
        self._begun.add(group)
        self._waiting[group] -= 1
        return self._held and self._filling() is None

    def _filling(self) -> Group | None:
        return next((group for group in self._begun if self._waiting[group] > 0), None)


def _of(entry: QueueEntry) -> Group | None:
    return None if entry.group is None else (entry.key.run_id, entry.group)
