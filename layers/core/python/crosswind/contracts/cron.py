"""Cron expressions as EventBridge Scheduler reads them, and the moments that they mean.

What fires on AWS is Scheduler's own reading of the expression, so this one follows it and no Unix cron: a local time
that the clocks skip in spring has no run, one that they pass twice in autumn has one (the first). Five fields are
rewritten into Scheduler's six; what the five can say and the six cannot is refused by the field's name.
"""

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from crosswind.contracts.schedules import MAX_CRON_CHARACTERS
from crosswind.kernel.errors import FieldError

HORIZON = timedelta(days=41 * 366)  # a 29 February on a given weekday comes within 40 years
_MOST_PARTS = 60
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
_WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_UNIX_WEEKDAYS = {name: number - 1 for name, number in _WEEKDAYS.items()}
_STEP = re.compile(r"(?P<range>[^/]+)/(?P<step>[0-9]{1,4})")
_NEAREST = re.compile(r"([0-9]{1,2})W")
_LAST_WEEKDAY = re.compile(r"([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)L")
_NTH = re.compile(r"([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#([1-5])")
_FIVE, _SIX = 5, 6
_WEEK = 7


class CronError(Exception):
    """An expression with faults, each under the name of its field."""

    def __init__(self, faults: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}".lstrip(": ") for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Days:
    """Which days of a month: by date or by weekday (1 is Sunday), never by both."""

    dates: frozenset[int] = frozenset()
    last: bool = False
    nearest: frozenset[int] = frozenset()  # the weekday (Monday to Friday) nearest to these dates
    weekdays: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()  # (weekday, which of the month)
    last_weekdays: frozenset[int] = frozenset()

    def __contains__(self, day: date) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        weekday = day.isoweekday() % _WEEK + 1
        return (
            day.day in self.dates
            or weekday in self.weekdays
            or (self.last and day.day == length)
            or (weekday, (day.day - 1) // _WEEK + 1) in self.nth
            or (weekday in self.last_weekdays and day.day > length - _WEEK)
            or any(day.day == _nearest_weekday(day.year, day.month, wanted) for wanted in self.nearest)
        )


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. `text` is its six fields as EventBridge takes them."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int] | None
    days: Days
    text: str

    def after(self, moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The moments strictly after `moment`, in UTC and in order, none beyond `HORIZON`."""
        day = moment.astimezone(zone).date()
        end = day + HORIZON
        while day <= end:
            if day.month not in self.months or (self.years is not None and day.year not in self.years):
                day = _next_month(day)
                continue
            if day in self.days:
                for hour in self.hours:
                    for minute in self.minutes:
                        utc = to_utc(datetime(day.year, day.month, day.day, hour, minute), zone)  # noqa: DTZ001  # local, to be placed in its zone
                        if utc is not None and utc > moment:
                            yield utc
            day += timedelta(days=1)


def to_utc(local: datetime, zone: ZoneInfo) -> datetime | None:
    """A local time as the moment that it is: the first where clocks show it twice, None where they skip it."""
    utc = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return utc if utc.astimezone(zone).replace(tzinfo=None) == local else None


def parse(text: str) -> Cron:
    """Parse five fields, or EventBridge's six with or without `cron(…)`. Raises CronError with every fault."""
    inner = re.fullmatch(r"\s*cron\((.*)\)\s*", text)
    fields = (inner[1] if inner else text).upper().split()
    if len(fields) == _FIVE:
        return _parse(fields, unix=True)
    if len(fields) == _SIX:
        return _parse(fields, unix=False)
    raise CronError(
        [
            FieldError(
                "",
                f"has {len(fields)} fields",
                expected="five (minute hour day-of-month month day-of-week), or six with the year as EventBridge has them",
            )
        ]
    )


@dataclass
class _Faults:
    found: list[FieldError] = field(default_factory=list)

    def add(self, name: str, message: str, expected: str | None = None) -> None:
        self.found.append(FieldError(name, message, expected))


@dataclass(frozen=True, slots=True)
class _Range:
    """One field of numbers."""

    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        named = f" or {next(iter(self.names))} to {list(self.names)[-1]}" if self.names else ""
        return f"{self.low} to {self.high}{named}, with `,` `-` `*` `/`"


_MINUTE = _Range("minute", 0, 59)
_HOUR = _Range("hour", 0, 23)
_DATE = _Range("dayOfMonth", 1, 31)
_MONTH = _Range("month", 1, 12, _MONTHS)
_WEEKDAY = _Range("dayOfWeek", 1, 7, _WEEKDAYS)
_UNIX_WEEKDAY = _Range("dayOfWeek", 0, 7, _UNIX_WEEKDAYS)  # both 0 and 7 are Sunday
_YEAR = _Range("year", 1970, 2199)


def _parse(fields: Sequence[str], *, unix: bool) -> Cron:
    faults = _Faults()
    minutes = _numbers(fields[0], _MINUTE, faults)
    hours = _numbers(fields[1], _HOUR, faults)
    months = _numbers(fields[3], _MONTH, faults)
    years = None if unix or fields[5] in {"*", "?"} else _numbers(fields[5], _YEAR, faults)
    days, day_texts = (_unix_days if unix else _days)(fields[2], fields[4], faults)
    if faults.found:
        raise CronError(faults.found)
    texts = (
        _render(minutes, _MINUTE),
        _render(hours, _HOUR),
        day_texts[0],
        _render(months, _MONTH),
        day_texts[1],
        "*" if years is None else _render(years, _YEAR),
    )
    text = " ".join(texts)
    if len(f"cron({text})") > MAX_CRON_CHARACTERS:
        raise CronError([FieldError("", "is too long for EventBridge", expected="fewer single values")])
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        months=months,
        years=years,
        days=days,
        text=text,
    )


def _unix_days(dates: str, weekdays: str, faults: _Faults) -> tuple[Days, tuple[str, str]]:
    if dates != "*" and weekdays != "*":
        faults.add(
            "dayOfWeek",
            "stands beside a day of the month: five fields mean either of the two days, which EventBridge cannot say",
            expected="`*` in one of them, or two schedules",
        )
        return Days(), ("?", "?")
    if weekdays == "*":
        chosen = _numbers(dates, _DATE, faults)
        return Days(dates=chosen), (_render(chosen, _DATE), "?")
    named = frozenset(number % _WEEK + 1 for number in _numbers(weekdays, _UNIX_WEEKDAY, faults))
    return Days(weekdays=named), ("?", _render(named, _WEEKDAY))


def _days(dates: str, weekdays: str, faults: _Faults) -> tuple[Days, tuple[str, str]]:
    if (dates == "?") == (weekdays == "?"):
        faults.add(
            "dayOfMonth",
            "and dayOfWeek are both `?`"
            if dates == "?"
            else "and dayOfWeek are both given; EventBridge takes one of them",
            expected="`?` in exactly one of them",
        )
        return Days(), ("?", "?")
    return _by_date(dates, faults) if weekdays == "?" else _by_weekday(weekdays, faults)


def _by_date(text: str, faults: _Faults) -> tuple[Days, tuple[str, str]]:
    if text == "L":
        return Days(last=True), ("L", "?")
    match = _NEAREST.fullmatch(text)
    if match is not None and _DATE.low <= int(match[1]) <= _DATE.high:
        return Days(nearest=frozenset({int(match[1])})), (text, "?")
    chosen = _numbers(text, _DATE, faults, also=", `L` or a date and `W`")
    return Days(dates=chosen), (_render(chosen, _DATE), "?")


def _by_weekday(text: str, faults: _Faults) -> tuple[Days, tuple[str, str]]:
    if last := _LAST_WEEKDAY.fullmatch(text):
        weekday = _weekday(last[1])
        return Days(last_weekdays=frozenset({weekday})), ("?", f"{weekday}L")
    if nth := _NTH.fullmatch(text):
        weekday = _weekday(nth[1])
        return Days(nth=frozenset({(weekday, int(nth[2]))})), ("?", f"{weekday}#{nth[2]}")
    if text == "L":
        text = "7"
    chosen = _numbers(text, _WEEKDAY, faults, also=", a day and `L`, or a day, `#` and 1 to 5")
    return Days(weekdays=chosen), ("?", _render(chosen, _WEEKDAY))


def _weekday(text: str) -> int:
    return int(text) if text.isdecimal() else _WEEKDAYS[text]


def _numbers(text: str, kind: _Range, faults: _Faults, *, also: str = "") -> frozenset[int]:
    """The numbers that a field means; a fault under its name where it means none."""
    parts = text.split(",")
    if len(parts) > _MOST_PARTS:
        faults.add(kind.name, f"has {len(parts)} parts", expected=f"at most {_MOST_PARTS}")
        return frozenset()
    chosen: set[int] = set()
    for part in parts:
        try:
            chosen.update(_part(part, kind))
        except ValueError as fault:
            faults.add(kind.name, f"`{part[:30]}` {fault}", expected=kind.expected + also)
    return frozenset(chosen)


def _part(part: str, kind: _Range) -> range:
    """Raises ValueError with what is wrong, to be put behind the part."""
    stepped = _STEP.fullmatch(part)
    step = int(stepped["step"]) if stepped else 1
    text = stepped["range"] if stepped else part
    if step < 1:
        raise ValueError("has a step of 0")
    if text == "*":
        low, high = kind.low, min(kind.high, 6) if kind is _UNIX_WEEKDAY else kind.high
    elif "-" in text:
        first, _, last = text.partition("-")
        low, high = _number(first, kind), _number(last, kind)
        if low > high:
            raise ValueError("ends before it starts")
    else:
        low = _number(text, kind)
        high = kind.high if stepped else low
    return range(low, high + 1, step)


def _number(text: str, kind: _Range) -> int:
    number = kind.names.get(text)
    if number is None:
        if not (text.isascii() and text.isdecimal()):
            raise ValueError("is not understood")
        number = int(text)
    if not kind.low <= number <= kind.high:
        raise ValueError(f"is not from {kind.low} to {kind.high}")
    return number


def _render(chosen: frozenset[int], kind: _Range) -> str:
    """The field as short as EventBridge takes it: `*`, `5/15`, or numbers and ranges."""
    numbers = sorted(chosen)
    if len(numbers) == kind.high - kind.low + 1:
        return "*"
    step = numbers[1] - numbers[0] if len(numbers) > 2 else 0  # noqa: PLR2004  # a step needs three
    if step > 1 and numbers == list(range(numbers[0], kind.high + 1, step)):
        return f"{numbers[0]}/{step}"
    return ",".join(_runs(numbers))


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    start = previous = None
    for number in (*numbers, None):
        if start is None or previous is None:
            start = previous = number
        elif number == previous + 1:
            previous = number
        else:
            yield str(start) if start == previous else f"{start}-{previous}"
            start = previous = number


def _nearest_weekday(year: int, month: int, wanted: int) -> int | None:
    """The date of the Monday to Friday nearest to a date, within its month."""
    length = calendar.monthrange(year, month)[1]
    if wanted > length:
        return None
    weekday = date(year, month, wanted).isoweekday()
    if weekday == 6:  # noqa: PLR2004  # Saturday: the Friday before, but not in another month
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == _WEEK:  # Sunday: the Monday behind
        return wanted + 1 if wanted < length else wanted - 2
    return wanted


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
