"""How long a run took to notice, to end and to recover, from the moments that were recorded. Pure."""

from collections.abc import Sequence
from datetime import datetime

from crosswind.chaos.model import ExperimentRun, Injection
from crosswind.contracts.chaos.monitoring import MonitorResult
from crosswind.contracts.chaos.runs import Timings
from crosswind.kernel.clock import from_iso


def measure(run: ExperimentRun, injections: Sequence[Injection], monitor: MonitorResult | None) -> Timings:
    """What did not happen is missing; a clock that stood back counts as no time."""
    first = min((each.injected_at for each in injections if each.injected_at), default=None)
    last = max((each.removed_at for each in injections if each.removed_at), default=None)
    breached = from_iso(monitor.breached_at) if monitor and monitor.breached_at else None
    steady = from_iso(monitor.steady_again_at) if monitor and monitor.steady_again_at else None
    return Timings(
        to_detect=_between(first, breached),
        to_abort=_between(breached, last),
        to_recover=_between(run.undone_at or last, steady),
        injected=_between(first, last),
    )


def _between(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return round(max(0.0, (end - start).total_seconds()), 3)
