"""Fair shares: sampling, fading, the penalty and its settlement."""

from datetime import timedelta

import pytest

from crosswind.runs.admission.model import Account, QueueEntry, Share
from crosswind.runs.admission.shares import LEAST_PENALTY, charged, per_weight, settled
from tests.fakes import START, make_entry
from tests.unit.runs.admission.samples import at_work

WEEK = timedelta(days=7)


def after(seconds: float, share: Share, active: list[QueueEntry]) -> Share:
    """The share of team demo some seconds after it was counted."""
    account = Account(START - timedelta(seconds=seconds), {"demo": share})
    return settled(account, active, half_life=WEEK, now=START).get("demo", Share())


def test_usage_halves_with_each_half_life() -> None:
    share = after(WEEK.total_seconds(), Share(used=1000), [])
    assert share.used == pytest.approx(500)


def test_what_is_at_work_is_charged_for_the_time_since_the_last_sample() -> None:
    share = after(30, Share(slots=2), at_work(2, minutes_ago=5))
    assert share.used == pytest.approx(60, rel=1e-3)
    assert (share.penalty, share.slots) == (0, 2)


def test_what_was_admitted_since_is_charged_from_its_admission() -> None:
    assert after(30, Share(), at_work(minutes_ago=0.25)).used == pytest.approx(15, rel=1e-3)


def test_an_admission_costs_its_estimate_at_once_and_at_least_a_minute() -> None:
    assert charged(Share(used=1), make_entry(estimate_seconds=300)) == Share(1, penalty=300, slots=1)
    assert charged(Share(used=1), make_entry()) == Share(1, penalty=LEAST_PENALTY, slots=1)


def test_the_penalty_shrinks_as_usage_shows_so_that_the_sum_stays_the_estimate() -> None:
    fresh = charged(Share(), make_entry(estimate_seconds=300))
    seen = after(120, fresh, at_work(minutes_ago=2, estimate_seconds=300))
    assert seen.penalty == 180
    assert seen.used + seen.penalty == pytest.approx(300, rel=1e-3)


def test_what_ended_before_it_was_sampled_is_charged_for_that_time_and_its_penalty_is_lifted() -> None:
    fresh = charged(Share(), make_entry(estimate_seconds=300))
    share = after(20, fresh, [])
    assert share.used == pytest.approx(20, rel=1e-3)
    assert (share.penalty, share.slots) == (0, 0)


def test_a_long_silence_of_the_scheduler_costs_nobody_more_than_was_expected() -> None:
    fresh = charged(Share(), make_entry(estimate_seconds=300))
    assert after(8 * 3600, fresh, []).used == pytest.approx(300, rel=0.03)


def test_sampling_often_or_seldom_comes_to_the_same() -> None:
    active = at_work(3, minutes_ago=60)
    account = Account(START - timedelta(minutes=40), {"demo": Share(used=5000, slots=3)})
    once = settled(account, active, half_life=WEEK, now=START)
    for minute in range(39, -1, -1):
        now = START - timedelta(minutes=minute)
        account = Account(now, settled(account, active, half_life=WEEK, now=now))
    assert account.shares["demo"].used == pytest.approx(once["demo"].used)


def test_clocks_that_go_back_charge_nothing() -> None:
    account = Account(START + timedelta(minutes=1), {"demo": Share(used=10, slots=1)})
    assert settled(account, at_work(minutes_ago=-1), half_life=WEEK, now=START)["demo"].used == 10


def test_an_idle_team_is_forgotten_in_the_end() -> None:
    account = Account(START - 20 * WEEK, {"demo": Share(used=1000)})
    assert settled(account, [], half_life=WEEK, now=START) == {}


def test_weights_divide() -> None:
    assert per_weight(Share(used=30, penalty=60), 3) == 30
