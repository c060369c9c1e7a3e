"""Quarantine: what it covers, and that it ends."""

from dataclasses import replace
from datetime import timedelta

from crosswind.runs.history.model import QuarantineMode
from crosswind.runs.history.quarantine import active, muted, sentence, skipped
from tests.fakes.time import START
from tests.unit.runs.history.samples import quarantine

MUTED = quarantine()
SKIPPED = quarantine(name="t.py::b", mode=QuarantineMode.SKIP)


def test_a_quarantine_holds_until_it_expires_and_not_at_that_moment() -> None:
    ends = MUTED.expires_at
    assert active([MUTED], now=ends - timedelta(milliseconds=1)) == (MUTED,)
    assert active([MUTED], now=ends) == ()


def test_one_that_skips_also_mutes_for_the_test_may_run_all_the_same() -> None:
    both = [MUTED, SKIPPED]
    assert muted(both, now=START) == {("api", "t.py::a"): MUTED, ("api", "t.py::b"): SKIPPED}
    assert skipped(both, now=START) == {("api", "t.py::b"): SKIPPED}


def test_an_expired_one_neither_mutes_nor_skips() -> None:
    late = START + timedelta(days=15)
    assert not muted([MUTED], now=late)
    assert not skipped([SKIPPED], now=late)


def test_the_sentence_names_end_owner_ticket_and_reason() -> None:
    assert sentence(MUTED) == (
        "Muted by quarantine until 2026-02-14 08:00 UTC, owner ada (SHOP-1): times out on Mondays"
    )
    assert sentence(replace(SKIPPED, ticket=None)) == (
        "Skipped by quarantine until 2026-02-14 08:00 UTC, owner ada: times out on Mondays"
    )
