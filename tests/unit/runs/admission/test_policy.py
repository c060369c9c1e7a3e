"""The admission policy, rule by rule."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.runs.admission.model import Account, Capacity, Lane, Queue, Reason, Share, TeamPolicy, Usage
from crosswind.runs.admission.policy import admit
from tests.fakes import START
from tests.fakes.samples import run_id
from tests.unit.runs.admission.samples import P0, P1, P2, at_work, held, look, names, waiting


def test_a_higher_class_goes_first_whenever_it_came() -> None:
    result = look(waiting(run=1, priority=P2, minutes_ago=9), waiting(run=2, priority=P0), slots=1)
    assert names(result.admitted) == ["2/0"]


def test_each_limit_waited_raises_by_one_class() -> None:
    old = waiting(run=1, priority=P2, minutes_ago=25)
    assert names(look(old, waiting(run=2, priority=P0, minutes_ago=1), slots=1).admitted) == ["1/0"]
    assert names(look(old, waiting(run=2, priority=P0, minutes_ago=10), slots=1).admitted) == ["2/0"]


def test_aging_has_no_end_above_p0() -> None:
    result = look(
        waiting(run=1, priority=P0, minutes_ago=19), waiting(run=2, priority=P2, minutes_ago=40), slots=1
    )
    assert names(result.admitted) == ["2/0"]


def test_the_team_that_used_the_least_per_weight_goes_first() -> None:
    account = Account(START, {"demo": Share(used=100), "search": Share(used=150)})
    queue = (waiting(run=1, minutes_ago=5), waiting(run=2, team="search"))
    assert names(look(*queue, account=account, slots=1).admitted) == ["1/0"]
    heavier = {"search": TeamPolicy(weight=2)}
    assert names(look(*queue, account=account, slots=1, teams=heavier).admitted) == ["2/0"]


def test_a_burst_is_charged_at_once_so_that_teams_alternate() -> None:
    result = look(waiting(9, run=1), waiting(9, run=2, team="search"), slots=6)
    assert names(result.admitted) == ["1/0", "2/0", "1/1", "2/1", "1/2", "2/2"]


def test_inside_a_team_the_oldest_run_goes_first_and_keeps_its_own_order() -> None:
    result = look(
        waiting(2, run=1),
        waiting(run=2, minutes_ago=1) + waiting(run=2, first=1, minutes_ago=1, estimate_seconds=60),
        slots=3,
    )
    assert names(result.admitted) == ["2/1", "2/0", "1/0"]


def test_a_run_gets_no_more_than_its_concurrency_and_does_not_block_the_next() -> None:
    result = look(
        waiting(3, run=1, concurrency=2), waiting(run=2), active=at_work(run=1, first=7, concurrency=2)
    )
    assert names(result.admitted) == ["1/0", "2/0"]
    assert held(result) == {"1/1": "run_limit: Its run has 2 of at most 2 shards at work."}


def test_a_suite_is_limited_over_all_its_runs_of_the_team_only() -> None:
    result = look(
        waiting(2, run=1, suite_concurrency=2),
        waiting(run=2, suite_concurrency=2),
        waiting(run=3, team="search", suite_concurrency=2),
        active=at_work(),
    )
    assert names(result.admitted) == ["1/0", "3/0"]
    assert held(result) == {
        "1/1": "suite_limit: All runs of suite shop have 2 of at most 2 shards at work.",
        "2/0": "suite_limit: All runs of suite shop have 2 of at most 2 shards at work.",
    }


def test_a_team_is_limited_and_the_others_go_on() -> None:
    result = look(waiting(3, run=1), waiting(run=2, team="search"), teams={"demo": TeamPolicy(concurrency=2)})
    assert names(result.admitted) == ["1/0", "2/0", "1/1"]
    assert held(result) == {"1/2": "team_limit: Team demo has 2 of at most 2 shards at work."}


def test_paused_runs_and_teams_get_nothing() -> None:
    result = look(
        waiting(run=1),
        waiting(run=2, minutes_ago=90),
        waiting(run=3, team="search"),
        paused=(run_id(2),),
        teams={"search": TeamPolicy(paused=True)},
    )
    assert names(result.admitted) == ["1/0"]
    assert held(result) == {
        "2/0": "run_paused: Its run is paused.",
        "3/0": "team_paused: The queue of team search is paused.",
    }


def test_a_backoff_is_waited_out_while_the_rest_of_the_run_goes_on() -> None:
    due = START + timedelta(seconds=8)
    result = look(waiting(not_before=due, estimate_seconds=9), waiting(first=1, not_before=START))
    assert names(result.admitted) == ["1/1"]
    assert held(result) == {"1/0": "backoff: It failed by infrastructure and is tried again at 08:00:08 UTC."}
    assert result.again_at == due


def test_one_key_of_anti_affinity_is_held_once_in_the_team() -> None:
    result = look(
        waiting(2, run=1, anti_affinity="stripe"),
        waiting(run=1, first=7),
        waiting(run=2, team="search", anti_affinity="stripe"),
    )
    assert names(result.admitted) == ["1/0", "2/0", "1/7"]
    assert held(result) == {
        "1/1": "anti_affinity: Only one shard of team demo may use 'stripe' at a time:"
        f" shard-00000 of {run_id(1)} has it."
    }


def test_where_slots_are_taken_the_sentence_says_by_whom() -> None:
    result = look(waiting(), active=at_work(2, team="search") + at_work(run=91), slots=3)
    assert held(result) == {"1/0": "no_slot: 3 of 3 slots are taken: search 2, demo 1."}


def test_less_capacity_than_usage_admits_nothing() -> None:
    assert look(waiting(), active=at_work(2), slots=0).admitted == ()
    assert held(look(waiting(), slots=0)) == {"1/0": "no_slot: There are no slots."}


@pytest.mark.parametrize(
    ("reason", "capacity", "big"),
    [
        (Reason.NO_CPU, {"cpu_millis": 4000}, {"cpu_millis": 4000}),
        (Reason.NO_MEMORY, {"memory_mib": 8192}, {"memory_mib": 8192}),
    ],
)
def test_what_does_not_fit_is_passed_by_until_it_starves_then_room_is_kept_for_it(
    reason: Reason, capacity: dict[str, Any], big: dict[str, Any]
) -> None:
    small = waiting(2, run=2)
    patient = look(waiting(minutes_ago=19, **big), small, active=at_work(), **capacity)
    assert names(patient.admitted) == ["2/0", "2/1"]
    starving = look(waiting(minutes_ago=20, **big), small, active=at_work(), **capacity)
    assert names(starving.admitted) == []
    assert [decision.reason for decision in starving.decisions] == [reason, reason]
    assert held(starving)["2/0"] == (
        f"{reason}: Room is kept for shard-00000 of {run_id(1)}, which has waited since 07:40:00 UTC."
    )


def test_what_never_fits_keeps_no_room_and_says_so() -> None:
    result = look(waiting(minutes_ago=99, cpu_millis=9000), waiting(run=2), cpu_millis=4000)
    assert names(result.admitted) == ["2/0"]
    assert held(result) == {
        "1/0": "no_cpu: It needs 9 vCPU, and there are only 4 in all: it can never be admitted here."
    }


def test_own_slots_go_before_borrowed_ones_and_what_is_idle_is_lent() -> None:
    teams = {"demo": TeamPolicy(quota=1), "search": TeamPolicy(quota=2)}
    result = look(
        waiting(3, run=1, priority=P0), waiting(2, run=2, team="search", priority=P2), slots=4, teams=teams
    )
    assert names(result.admitted) == ["1/0", "2/0", "2/1", "1/1"]
    assert [decision.borrowed for decision in result.admitted] == [False, False, False, True]
    assert held(result) == {
        "1/2": "team_quota: Team demo holds 2 slots, its quota is 1, and nothing is idle to borrow."
        " 4 of 4 slots are taken: demo 2, search 2."
    }


def test_a_team_that_may_not_borrow_stays_within_its_quota() -> None:
    result = look(waiting(3), teams={"demo": TeamPolicy(quota=2, may_borrow=False)})
    assert names(result.admitted) == ["1/0", "1/1"]
    assert held(result) == {
        "1/2": "team_quota: Team demo holds 2 slots, its quota is 2, and it may not borrow."
    }


def test_launches_are_paced_and_the_next_token_is_told() -> None:
    paced: dict[str, Any] = {"launches_per_second": 20.0, "launch_burst": 2}
    first = look(waiting(4), **paced)
    assert names(first.admitted) == ["1/0", "1/1"]
    assert held(first) == {
        "1/2": "launch_rate: The executor takes 20 launches a second, and those of this moment are given."
    }
    assert first.again_at is not None
    assert first.again_at - START == timedelta(milliseconds=51)
    later = admit(
        Queue.of(waiting(2, first=2)), Usage((), first.account), Capacity(10, **paced), first.again_at
    )
    assert names(later.admitted) == ["1/2"]


def test_an_admission_tells_its_slot_its_share_and_whom_it_went_before() -> None:
    account = Account(START, {"demo": Share(used=90), "search": Share(used=150)})
    result = look(
        waiting(run=1, priority=P1),
        waiting(run=2, priority=P2, minutes_ago=12, team="search"),
        account=account,
        slots=2,
    )
    assert [decision.explanation for decision in result.admitted] == [
        "Slot 1 of 2: P1 of team demo at 1.5 slot-minutes per weight, before search at 2.5.",
        "Slot 2 of 2: P2, raised by 1 class in 12 min, of team search at 2.5 slot-minutes per weight, last in turn.",
    ]


def test_a_lane_that_was_cut_too_short_is_asked_for_again() -> None:
    listed = tuple(waiting(2, anti_affinity="stripe"))
    result = admit(Queue((Lane(run_id(1), listed, waiting=9),)), Usage(()), Capacity(10), START)
    assert names(result.admitted) == ["1/0"]
    assert result.cut_short == (run_id(1),)
    full = admit(Queue((Lane(run_id(1), listed, waiting=9),)), Usage(()), Capacity(1), START)
    assert full.cut_short == ()


def test_a_lane_held_by_its_own_limit_is_not_asked_for_again() -> None:
    listed = tuple(waiting(2, concurrency=2))
    result = admit(Queue((Lane(run_id(1), listed, waiting=9),)), Usage(()), Capacity(10), START)
    assert result.cut_short == ()


def test_clocks_that_disagree_lower_nobody() -> None:
    result = look(waiting(run=1, minutes_ago=-15, priority=P0), waiting(run=2, priority=P1), slots=1)
    assert names(result.admitted) == ["1/0"]


def test_policies_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        TeamPolicy(weight=0)
    with pytest.raises(ValueError, match="aging"):
        Capacity(1, aging=timedelta(0))
    with pytest.raises(ValueError, match="launch"):
        replace(Capacity(1), launches_per_second=1.0, launch_burst=0)
