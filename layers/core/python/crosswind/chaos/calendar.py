"""Freezes and business hours, pure: whether a window of time is free, and when it next would be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crosswind.contracts.chaos.gate import BusinessHours, Freeze, PolicySpec
from crosswind.contracts.moments import zone_of
from crosswind.kernel.clock import from_iso

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKS_AHEAD = timedelta(days=22)  # a window that fits nowhere in three weeks of hours fits nowhere
_ATTEMPTS = (
    250  # more than freezes there can be, each of which may push the window behind itself and the hours
)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; its end is outside."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def moved_to(self, start: datetime) -> "Window":
        """As long, from then on."""
        return Window(start, start + self.length)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a window is not free, and the first later moment at which one as long would be; None: never."""

    reason: str
    until: datetime | None


def refusal(policy: PolicySpec, window: Window) -> Refusal | None:
    """None for a window that no freeze touches and that lies wholly in business hours.

    Raises MomentError or ValueError for a policy whose times cannot be read.
    """
    frozen = _frozen(policy.freezes, window)
    if frozen is None and _fit(policy.business_hours, window) == window.start:
        return None
    if frozen is not None:
        reason = f"freeze `{frozen.name}` from {frozen.start} to {frozen.end}"
    else:
        hours = policy.business_hours
        assert hours is not None  # noqa: S101  # without hours every window fits
        reason = (
            f"outside of business hours ({hours.start} to {hours.end} {hours.timezone} on {', '.join(hours.days)}), "
            f"or would not be over within them"
        )
    return Refusal(reason, _next_free(policy, window))


def _next_free(policy: PolicySpec, window: Window) -> datetime | None:
    for _ in range(_ATTEMPTS):
        frozen = _frozen(policy.freezes, window)
        if frozen is not None:
            window = window.moved_to(from_iso(frozen.end))
            continue
        start = _fit(policy.business_hours, window)
        if start is None or start == window.start:
            return start
        window = window.moved_to(start)
    return None


def _frozen(freezes: Sequence[Freeze], window: Window) -> Freeze | None:
    """Of the freezes that touch the window, the one that ends last."""
    touching = [
        each
        for each in freezes
        if from_iso(each.end) > window.start
        and (from_iso(each.start) < window.end or from_iso(each.start) <= window.start)
    ]
    return max(touching, key=lambda each: from_iso(each.end), default=None)


def _fit(hours: BusinessHours | None, window: Window) -> datetime | None:
    """The first moment from the window's start on at which it lies in business hours."""
    if hours is None:
        return window.start
    for opened in _open(hours, window.start):
        start = max(opened.start, window.start)
        if start < opened.end and start + window.length <= opened.end:
            return start
    return None


def _open(hours: BusinessHours, since: datetime) -> Iterator[Window]:
    """Open windows of three weeks; what touches is one."""
    zone = zone_of(hours.timezone)
    opens, closes = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    first = since.astimezone(zone).date() - timedelta(days=1)
    current: Window | None = None
    for offset in range(_WEEKS_AHEAD.days):
        day = first + timedelta(days=offset)
        if _DAYS[day.weekday()] not in hours.days:
            continue
        last = day if closes > opens else day + timedelta(days=1)
        start, end = (
            _moment(datetime.combine(day, opens), zone),
            _moment(datetime.combine(last, closes), zone),
        )
        if current is not None and start <= current.end:
            current = Window(current.start, max(current.end, end))
            continue
        if current is not None:
            yield current
        current = Window(start, end)
    if current is not None:
        yield current


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
