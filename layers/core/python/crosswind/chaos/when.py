"""When an experiment starts by itself: the moments of its schedule, and what is wrong with how it is written."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from crosswind.contracts import cron
from crosswind.contracts.chaos.spec import WhenSpec
from crosswind.contracts.cron import CronError
from crosswind.contracts.faults import Path
from crosswind.contracts.moments import MomentError, read_moment, zone_of
from crosswind.contracts.parameters import Fault

_WAYS = ("cron", "at", "onEvent")


def next_start(when: WhenSpec, *, after: datetime) -> datetime | None:
    """The next moment after `after`; None where there is none, or where an event decides."""
    zone = zone_of(when.timezone)
    if when.at is not None:
        moment = read_moment(when.at, zone)
        return moment if moment is not None and moment > after else None
    if when.cron is not None:
        return next(cron.parse(when.cron).after(after, zone), None)
    return None


def when_faults(when: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    """What is wrong with a schedule as it is written."""
    given = [name for name in _WAYS if when.get(name) is not None]
    if len(given) != 1:
        yield path, "has to have exactly one of `cron`, `at` and `onEvent`", None
    zone: ZoneInfo | None = None
    name = when.get("timezone", "UTC")
    if isinstance(name, str):
        try:
            zone = zone_of(name)
        except MomentError as error:
            yield (*path, "timezone"), str(error), error.expected
    if isinstance(when.get("cron"), str):
        yield from _cron(when["cron"], (*path, "cron"))
    if isinstance(when.get("at"), str):
        try:
            read_moment(when["at"], zone)
        except MomentError as error:
            yield (*path, "at"), str(error), error.expected


def _cron(text: str, path: Path) -> Iterator[Fault]:
    try:
        cron.parse(text)
    except CronError as error:
        for fault in error.faults:
            where = f"{fault.path} " if fault.path else ""
            yield path, f"{where}{fault.message}", fault.expected
