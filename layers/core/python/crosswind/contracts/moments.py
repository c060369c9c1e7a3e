"""Moments and time zones as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crosswind.contracts import cron

YEARS = range(
    1970, 2200
)  # those of a cron expression; and no time zone leads out of what a datetime can hold


class MomentError(Exception):
    """A text that is no moment, or no time zone; `expected` is what would be."""

    def __init__(self, message: str, expected: str | None = None) -> None:
        super().__init__(message)
        self.expected = expected


def zone_of(name: str) -> ZoneInfo:
    """An IANA time zone. Raises MomentError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MomentError(f"there is no time zone `{name}`", "an IANA name such as Europe/Berlin") from None


def read_moment(text: str, zone: ZoneInfo | None) -> datetime | None:
    """An ISO 8601 moment in UTC; without an offset it is of the zone, and None where that is not known.

    Raises MomentError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MomentError(f"`{text}` is no moment", "ISO 8601, such as 2027-03-01T08:00") from None
    if moment.year not in YEARS:
        raise MomentError(f"is in the year {moment.year}", f"{YEARS[0]} to {YEARS[-1]}")
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if zone is None:
        return None
    placed = cron.to_utc(moment, zone)
    if placed is None:
        raise MomentError(f"the clocks of {zone.key} skip {text}")
    return placed
