"""When whoever looks after one cluster from within looks, and how long its word counts. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswind.runs.pods.model import Caretaker

SETTLING = 0.5
"""Seconds after a change: what changes together is looked at together."""
EVERYTHING_EVERY = timedelta(seconds=20)
"""Patience runs out, and tries move on, without any change of a Job."""
AGAIN_AFTER_FAILURE = timedelta(seconds=5)
TOLD_EVERY = timedelta(seconds=10)
RELIED_ON = timedelta(seconds=35)
"""With the Lambda's twenty seconds between two looks, a dead controller's cluster is looked at within a minute."""
_SOONEST = 0.1


@dataclass(frozen=True, slots=True)
class Attendance:
    """What was done last."""

    everything_at: datetime | None = None
    told_at: datetime | None = None
    failed: bool = False

    def everything_is_due(self, now: datetime) -> bool:
        """Whether every Job is to be looked at, not only those that changed."""
        return now >= self._everything_due(now)

    def telling_is_due(self, now: datetime) -> bool:
        """Whether it is time to say that the cluster is looked after. Nobody who failed says so."""
        return not self.failed and (self.told_at is None or now >= self.told_at + TOLD_EVERY)

    def patience(self, now: datetime) -> float:
        """Seconds to wait for a change at most."""
        due = self._everything_due(now)
        if not self.failed and self.told_at is not None:
            due = min(due, self.told_at + TOLD_EVERY)
        return max(_SOONEST, (due - now).total_seconds())

    def _everything_due(self, now: datetime) -> datetime:
        if self.everything_at is None:
            return now
        return self.everything_at + (AGAIN_AFTER_FAILURE if self.failed else EVERYTHING_EVERY)


def is_on_duty(caretaker: Caretaker | None, *, now: datetime) -> bool:
    """Whether a cluster can be left to its caretaker."""
    return caretaker is not None and now < caretaker.until
