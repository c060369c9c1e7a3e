"""A clock that stands still until it is told, and identifiers that count."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


class SettableClock:
    """Stands at `START` (or another moment) until a test moves it."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Move to a moment."""
        self._at = at

    def advance(self, by: timedelta | float) -> datetime:
        """Move on by a duration (a number means seconds) and return the new moment."""
        self._at += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._at


class CountingIds:
    """`run-00000000000000000000000001` and so on: of the real form and in the order in which they were made."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, *, prefix: str, at: datetime) -> str:
        self._count += 1
        return f"{prefix}-{self._count:026d}"
