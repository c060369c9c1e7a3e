"""Launch pacing: a token bucket, as executors take only so many new pods a second."""

import math
from datetime import datetime, timedelta

from crosswind.runs.admission.model import Account, Capacity

_WHOLE = 1 - 1e-6  # a token that is whole but for the arithmetic
_TICK = timedelta(milliseconds=1)


def tokens_at(account: Account | None, capacity: Capacity, now: datetime) -> float:
    """Launches that may be made now: what was left, refilled by the time since; without end where nothing is paced."""
    rate = capacity.launches_per_second
    if rate is None:
        return math.inf
    if account is None or account.launch_tokens is None:
        return float(capacity.launch_burst)
    elapsed = max(0.0, (now - account.at).total_seconds())
    return min(float(capacity.launch_burst), account.launch_tokens + elapsed * rate)


def may_launch(tokens: float) -> bool:
    """Whether a whole token is there."""
    return tokens >= _WHOLE


def next_launch_at(tokens: float, capacity: Capacity, now: datetime) -> datetime:
    """When the next whole token is there; rounded up, so that whoever comes then does not come too early."""
    if capacity.launches_per_second is None or may_launch(tokens):
        return now
    return now + timedelta(seconds=(1 - tokens) / capacity.launches_per_second) + _TICK
