"""From a schedule's document to its timing, or to every fault of it at once; and the moments that a timing means."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from crosswind.contracts import cron
from crosswind.contracts.cron import CronError
from crosswind.contracts.moments import MomentError, read_moment, zone_of
from crosswind.contracts.schedules import ScheduleSpec
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.runs.schedules.model import Timing

LONGEST_JITTER = timedelta(hours=24)  # EventBridge's own bound of a flexible window
_PROBED = 50  # neighbouring runs that a jitter is compared with
_MINUTE = timedelta(minutes=1)


def check(spec: ScheduleSpec, *, now: datetime) -> Timing:
    """The timing that a document means. Raises InvalidInputError with every fault, each under its field."""
    faults: list[FieldError] = []
    zone = _zone(spec.timezone, faults)
    timing = Timing(
        cron=_cron(spec, faults),
        at=_moment("at", spec.at, zone, faults),
        timezone=spec.timezone,
        start=_moment("start", spec.start, zone, faults),
        expiry=_moment("expiry", spec.expiry, zone, faults),
        jitter=_jitter(spec.jitter, faults),
    )
    if not faults:
        faults += _contradictions(timing, now)
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InvalidInputError(f"the schedule has {count}", faults)
    return timing


def occurrences(timing: Timing, *, after: datetime) -> Iterator[datetime]:
    """The moments strictly after `after` at which runs are due, in UTC and in order."""
    if timing.at is not None:
        if timing.at > after:
            yield timing.at
        return
    if timing.start is not None:
        after = max(after, timing.start - _MINUTE / 60)  # a run at the start itself is due
    for moment in _parsed(timing.cron or "").after(after, ZoneInfo(timing.timezone)):
        if timing.expiry is not None and moment >= timing.expiry:
            return
        yield moment


def next_runs(timing: Timing, *, after: datetime, count: int) -> tuple[datetime, ...]:
    """The next runs, fewer where there are no more."""
    return tuple(islice(occurrences(timing, after=after), count))


def next_run(timing: Timing, *, after: datetime) -> datetime | None:
    """The next run; None after the last one."""
    return next(occurrences(timing, after=after), None)


def expression(timing: Timing) -> str:
    """The timing in EventBridge's words; a single moment is told in UTC."""
    if timing.at is not None:
        return f"at({timing.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})"
    return f"cron({_parsed(timing.cron or '').text})"


@lru_cache(maxsize=256)
def _parsed(text: str) -> cron.Cron:
    return cron.parse(text)


def _zone(name: str, faults: list[FieldError]) -> ZoneInfo | None:
    try:
        return zone_of(name)
    except MomentError as error:
        faults.append(FieldError("spec.timezone", str(error), error.expected))
        return None


def _cron(spec: ScheduleSpec, faults: list[FieldError]) -> str | None:
    if (spec.cron is None) == (spec.at is None):
        faults.append(FieldError("spec", "has to have exactly one of `cron` and `at`"))
        return None
    if spec.cron is None:
        return None
    try:
        _parsed(spec.cron)
    except CronError as error:
        faults += [replace(fault, path=f"spec.cron.{fault.path}".rstrip(".")) for fault in error.faults]
        return None
    return spec.cron


def _moment(name: str, text: str | None, zone: ZoneInfo | None, faults: list[FieldError]) -> datetime | None:
    if text is None:
        return None
    try:
        return read_moment(text, zone)
    except MomentError as error:
        faults.append(FieldError(f"spec.{name}", str(error), error.expected))
        return None


def _jitter(text: str | None, faults: list[FieldError]) -> timedelta:
    jitter = timedelta(seconds=duration_seconds(text)) if text else timedelta()
    if jitter % _MINUTE or jitter > LONGEST_JITTER:
        faults.append(FieldError("spec.jitter", f"is {text}", "whole minutes, at most 24h"))
    return jitter


def _contradictions(timing: Timing, now: datetime) -> Iterator[FieldError]:
    if timing.at is not None:
        if timing.at <= now:
            yield FieldError("spec.at", "is in the past", f"a moment after {now:%Y-%m-%dT%H:%M:%SZ}")
        for name in ("start", "expiry"):
            if getattr(timing, name) is not None:
                yield FieldError(f"spec.{name}", "has no meaning beside `at`")
        return
    if timing.expiry is not None and timing.expiry <= now:
        yield FieldError("spec.expiry", "is in the past", f"a moment after {now:%Y-%m-%dT%H:%M:%SZ}")
    elif timing.expiry is not None and timing.start is not None and timing.expiry <= timing.start:
        yield FieldError("spec.expiry", "is not after `start`")
    elif not (soon := next_runs(timing, after=now, count=_PROBED)):
        yield _never(timing)
    else:
        gap = min((later - earlier for earlier, later in pairwise(soon)), default=None)
        if gap is not None and timing.jitter >= gap:
            yield FieldError(
                "spec.jitter",
                f"is as long as the time between two runs or longer ({gap})",
                f"less than {int(gap.total_seconds() // 60)}m",
            )


def _never(timing: Timing) -> FieldError:
    if timing.expiry is not None:
        return FieldError("spec.expiry", "comes before the first run")
    return FieldError("spec.cron", "never comes: no such day is in its months and years")
