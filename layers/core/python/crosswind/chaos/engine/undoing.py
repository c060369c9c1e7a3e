"""What may still be in at a provider, and in which order it is undone."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from crosswind.chaos.model import Injection
from crosswind.contracts.chaos.lifecycle import FaultState

IN_FLIGHT = timedelta(seconds=30)
"""How long after it was asked a provider may still inject although its answer never came. Every provider bounds its
calls by less, so that what was stopped after this time stays stopped."""

GONE = frozenset({FaultState.REMOVED, FaultState.REFUSED})
_UNANSWERED = frozenset({FaultState.INJECTING, FaultState.UNKNOWN})


def left(injections: Iterable[Injection], *, step: int | None = None) -> tuple[Injection, ...]:
    """What is not proven gone, of one step or of all, the last injected first."""
    wanted = (each for each in injections if each.state not in GONE and (step is None or each.step == step))
    return tuple(sorted(wanted, key=lambda each: (each.step, each.order), reverse=True))


def may_still_land(injection: Injection, *, now: datetime) -> bool:
    """Whether an injection that nobody got an answer for may come into being after `now`."""
    if injection.state not in _UNANSWERED or injection.asked_at is None:
        return False
    return now < injection.asked_at + IN_FLIGHT


def ever_asked(injections: Iterable[Injection]) -> bool:
    """Whether any provider was ever asked to inject."""
    return any(each.asked_at is not None for each in injections)
