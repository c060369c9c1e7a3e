"""Which tests do not gate, and until when. Pure: who asks says what time it is."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from crosswind.runs.history.model import Quarantine, QuarantineMode

LONGEST = timedelta(days=30)
MOST_PER_SUITE = 200
MOST_KEPT_PER_SUITE = 1_000  # with those that expired in the last weeks: every run of the suite reads them
Test = tuple[str, str]
"""A test of a suite: its job and its name, over all variants."""


def active(quarantines: Iterable[Quarantine], *, now: datetime) -> tuple[Quarantine, ...]:
    """Those that hold now. One that has expired gates again from that moment on."""
    return tuple(each for each in quarantines if each.expires_at > now)


def muted(quarantines: Iterable[Quarantine], *, now: datetime) -> Mapping[Test, Quarantine]:
    """Tests whose failure does not gate, by job and name: also those that were to be skipped and ran all the same, because
    their framework runs whole files, or cannot leave out a test."""
    return {
        test: each for mode in QuarantineMode for test, each in _of_mode(quarantines, mode, now=now).items()
    }


def skipped(quarantines: Iterable[Quarantine], *, now: datetime) -> Mapping[Test, Quarantine]:
    """Tests that do not run, by job and name."""
    return _of_mode(quarantines, QuarantineMode.SKIP, now=now)


def sentence(quarantine: Quarantine) -> str:
    """Why a test is not judged, or not run, for its case and for the plan."""
    what = "Muted" if quarantine.mode is QuarantineMode.MUTE else "Skipped"
    ticket = f" ({quarantine.ticket})" if quarantine.ticket else ""
    until = f"{quarantine.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{what} by quarantine until {until}, owner {quarantine.owner}{ticket}: {quarantine.reason}"


def _of_mode(
    quarantines: Iterable[Quarantine], mode: QuarantineMode, *, now: datetime
) -> Mapping[Test, Quarantine]:
    return {(each.test, each.name): each for each in active(quarantines, now=now) if each.mode is mode}
