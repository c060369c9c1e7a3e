"""Fair shares: what each team has used of the slots, how it fades, and what an admission costs at once.

Teams take turns by (used + penalty) / weight: the lowest goes first. `used` is sampled at every look
at the queue and halves with every half-life. An admission is charged its expected time at once, as a penalty, so that
a burst cannot slip in before usage shows; with every sample the penalty shrinks to what the work still has before it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import expm1, fsum, log

from crosswind.runs.admission.model import Account, QueueEntry, Share

LEAST_PENALTY = 60.0
"""Seconds. What no admission costs less than at once: where nothing is known of a shard its estimate says 1 s, and
executors bill a minute."""

_FORGOTTEN = 0.5  # slot-seconds below which an idle team needs no line in the account


def settled(
    account: Account | None, active: Iterable[QueueEntry], *, half_life: timedelta, now: datetime
) -> dict[str, Share]:
    """The shares of every team, decayed to now, with what was used since the last sample.

    What is at work is charged exactly. What ended since the last sample was seen at most the time between the two,
    and is charged no more than the penalty that stood for it, so that a long silence of the scheduler costs nobody.
    """
    earlier: Mapping[str, Share] = account.shares if account else {}
    elapsed = max(0.0, (now - account.at).total_seconds()) if account else 0.0
    by_team: dict[str, list[QueueEntry]] = {team: [] for team in earlier}
    for entry in active:
        by_team.setdefault(entry.team, []).append(entry)
    shares = {
        team: _sampled(earlier.get(team, Share()), entries, elapsed=elapsed, half_life=half_life, now=now)
        for team, entries in by_team.items()
    }
    return {team: share for team, share in shares.items() if share.slots or share.used >= _FORGOTTEN}


def charged(share: Share, entry: QueueEntry) -> Share:
    """The share after one more admission."""
    return replace(share, penalty=share.penalty + _expected(entry), slots=share.slots + 1)


def per_weight(share: Share, weight: float) -> float:
    """Slot-seconds per weight: the measure by which teams take turns."""
    return (share.used + share.penalty) / weight


def holders(active: Iterable[QueueEntry]) -> tuple[tuple[str, int], ...]:
    """Who holds how many slots, the largest first."""
    counts = Counter(entry.team for entry in active)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _sampled(
    share: Share, entries: list[QueueEntry], *, elapsed: float, half_life: timedelta, now: datetime
) -> Share:
    ages = [_age(entry, now) for entry in entries]
    ended = max(0, share.slots - len(entries))  # each admission stores the account: nobody came in between
    recent = fsum(min(age, elapsed) for age in ages) + min(ended * elapsed, share.penalty)
    rate = log(2) / half_life.total_seconds()
    faded = -expm1(-rate * elapsed)  # the part of old usage that fades in this time
    # usage spread evenly over the time since the last sample fades on average as its integral says
    kept = faded / (rate * elapsed) if elapsed else 1.0
    return Share(
        used=share.used * (1 - faded) + recent * kept,
        # fsum is exact, so that the order in which the active list came cannot turn a tie
        penalty=fsum(max(0.0, _expected(entry) - age) for entry, age in zip(entries, ages, strict=True)),
        slots=len(entries),
    )


def _age(entry: QueueEntry, now: datetime) -> float:
    return max(0.0, (now - (entry.admitted_at or now)).total_seconds())


def _expected(entry: QueueEntry) -> float:
    return max(LEAST_PENALTY, entry.estimate_seconds)
