"""Several rounds of a run become one result. Input: plans and cases. Output: folded cases and faults. Pure."""

import pytest

from crosswind.contracts.plans import PlannedSkip
from crosswind.contracts.resolved import PlannedPull
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import StageCondition
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.folding import durations, shards_of
from crosswind.runs.identity import SUITE_MARK
from crosswind.runs.merging import over_rounds
from tests.unit.runs.rounds_samples import (
    ERROR,
    FAILED,
    FLAKY,
    MISSING,
    PASSED,
    SKIPPED,
    case,
    fold,
    plan,
    planned,
    records,
    statuses,
)


@pytest.mark.parametrize(
    ("earlier", "later", "status"),
    [
        (FAILED, PASSED, FLAKY),
        (ERROR, FLAKY, FLAKY),
        (FAILED, FAILED, FAILED),
        (FAILED, ERROR, ERROR),
        (FAILED, SKIPPED, FAILED),
        (FAILED, MISSING, FAILED),
        (PASSED, FAILED, FLAKY),
        (PASSED, PASSED, PASSED),
        (FLAKY, PASSED, FLAKY),
        (PASSED, SKIPPED, PASSED),
        (PASSED, MISSING, PASSED),
        (SKIPPED, PASSED, PASSED),
        (SKIPPED, FAILED, FAILED),
        (MISSING, PASSED, PASSED),
        (MISSING, FAILED, FAILED),
        (MISSING, MISSING, MISSING),
    ],
)
def test_the_later_round_counts_and_erases_nothing(
    earlier: CaseStatus, later: CaseStatus, status: CaseStatus
) -> None:
    assert over_rounds(case("a", earlier), case("a", later, shard=9)).status is status


@pytest.mark.parametrize(("earlier", "later", "why"), [(FAILED, PASSED, "why 0"), (PASSED, FAILED, "why 9")])
def test_a_flaky_test_tells_of_its_failure_whichever_round_it_was_in(
    earlier: CaseStatus, later: CaseStatus, why: str
) -> None:
    folded = over_rounds(case("a", earlier), case("a", later, shard=9))
    assert (folded.message, folded.attempts) == (why, 2)


def test_tests_that_did_not_run_again_keep_their_results() -> None:
    first = plan((planned(0, "a", "b"), planned(1, "c")))
    second = plan((planned(2, "b"),))
    folded = fold(
        [first, second],
        records(0, case("a"), case("b", FAILED)),
        records(1, case("c")),
        records(2, case("b")),
    )
    assert statuses(folded) == {"a": PASSED, "b": FLAKY, "c": PASSED}
    assert folded.faults == ()


def test_a_rerun_that_left_no_record_leaves_the_failure_as_it_was() -> None:
    folded = fold([plan((planned(0, "a"),)), plan((planned(1, "a"),))], records(0, case("a", FAILED)))
    assert statuses(folded) == {"a": FAILED}


def test_a_round_whose_plan_was_never_made_changes_nothing() -> None:
    first = plan((planned(0, "a", "b"),))
    known = records(0, case("a"), case("b", FAILED))
    assert fold([first], known) == fold([first, plan(())], known)


def test_faults_of_a_shard_count_until_a_later_round_has_made_them_good() -> None:
    first = plan((planned(0, "a", "b"),))
    broken = records(0, case("a"), faults=("report x.xml cannot be read",))
    again = records(1, case("b"))
    assert fold([first], broken).faults == ("shard-00000: report x.xml cannot be read",)
    mended = fold([first, plan((planned(1, "b"),), supersedes=(0,))], broken, again)
    assert (statuses(mended), mended.faults) == ({"a": PASSED, "b": PASSED}, ())


def test_a_suites_failed_set_up_is_over_when_its_shard_ran_again_without_it() -> None:
    rounds = [plan((planned(0, whole=True),)), plan((planned(1, whole=True),), supersedes=(0,))]
    broken = records(0, case("a"), case(f"web{SUITE_MARK}", ERROR))
    assert statuses(fold(rounds, broken, records(1, case("a")))) == {"a": PASSED}
    lost = records(1, outcome=WorkOutcome.ERROR, ingested=False)
    assert f"web{SUITE_MARK}" in statuses(fold(rounds, broken, lost))


def test_a_test_that_a_whole_shard_no_longer_reports_stays_red() -> None:
    rounds = [plan((planned(0, whole=True),)), plan((planned(1, whole=True),), supersedes=(0,))]
    folded = fold(rounds, records(0, case("a"), case("b", FAILED)), records(1, case("a")))
    assert statuses(folded) == {"a": PASSED, "b": FAILED}


def test_a_stage_that_a_later_round_carries_on_is_judged_there() -> None:
    load = (planned(1, "b"),)
    first = plan((planned(0, "a"),), load)
    failed = records(0, case("a", FAILED))
    assert [stage.name for stage in fold([first], failed).not_run] == ["stage1"]
    second = plan((planned(2, "a"),), load)
    done = fold([first, second], failed, records(1, case("b")), records(2, case("a")))
    assert (statuses(done), done.not_run) == ({"a": FLAKY, "b": PASSED}, ())
    again = fold([first, second], failed, records(2, case("a", FAILED)))
    assert [stage.name for stage in again.not_run] == ["stage1"]
    assert shards_of([first, second]) == [["shard-00000"], ["shard-00002", "shard-00001"]]


def test_a_stage_for_failures_is_left_out_where_nothing_failed_and_no_gap() -> None:
    stages = plan((planned(0, "a"),), (planned(1, "b"),)).stages
    clean_up = stages[1].model_copy(update={"when": StageCondition.FAILED})
    folded = fold([plan().model_copy(update={"stages": (stages[0], clean_up)})], records(0, case("a")))
    assert statuses(folded) == {"a": PASSED}
    assert folded.left_out == (
        "Stage 'stage1' was left out: it runs only after a failure, and nothing failed.",
    )
    assert folded.not_run == ()


def pulled(*names: str, shards: int = 2) -> PlannedPull:
    return PlannedPull(
        pull_id="list",
        test="unit",
        variant="",
        key="k",
        test_ids=names,
        work_ids=tuple(f"shard-{number:05d}" for number in range(shards)),
        estimate_seconds=1,
    )


def test_a_pulled_test_may_come_from_any_shard_of_its_list() -> None:
    first = plan((planned(0, whole=True), planned(1, whole=True)), pulls=(pulled("a", "b"),))
    folded = fold([first], records(0, case("a"), case("b")), records(1))
    assert (statuses(folded), folded.faults, folded.open_pulls) == ({"a": PASSED, "b": PASSED}, (), ())


def test_a_lost_shard_of_a_list_that_the_others_finished_is_no_gap() -> None:
    first = plan((planned(0, whole=True), planned(1, whole=True)), pulls=(pulled("a", "b"),))
    lost = records(1, case("b"), outcome=WorkOutcome.ERROR, reason="lease_lost: gone")
    assert fold([first], records(0, case("a")), lost).open_pulls == ()


def test_a_pulled_test_that_nobody_recorded_is_missing_and_says_why() -> None:
    first = plan((planned(0, whole=True), planned(1, whole=True)), pulls=(pulled("a", "b"),))
    lost = records(1, outcome=WorkOutcome.ERROR, reason="lease_lost: gone")
    folded = fold([first], records(0, case("a")), lost)
    assert statuses(folded) == {"a": PASSED, "b": MISSING}
    assert folded.cases[0].message == (
        "No shard of its job has a record of it: shard-00001: Its shard was given up: lease_lost: gone"
    )
    assert folded.open_pulls == ("list",)


def test_a_muted_failure_is_counted_apart_and_listed_behind_those_that_gate() -> None:
    muted = {("unit", "a"): "Muted by quarantine.", ("unit", "c"): "Muted by quarantine."}
    folded = fold(
        [plan((planned(0, "a", "b", "c"),))],
        records(0, case("a", FAILED), case("b", FAILED), case("c")),
        muted=muted,
    )
    assert [(each.name, each.muted) for each in folded.cases] == [
        ("b", None),
        ("a", "Muted by quarantine."),
        ("c", None),
    ]
    assert (folded.muted, folded.counts[FAILED]) == (1, 2)


def test_a_stage_whose_failures_are_muted_has_passed_for_the_next_one() -> None:
    stages = plan((planned(0, "a"),), (planned(1, "b"),))
    failed = records(0, case("a", FAILED))
    gap = fold([stages], failed, muted={("unit", "a"): "Muted."})
    assert (statuses(gap)["b"], gap.not_run) == (MISSING, ())


def test_tests_that_the_plan_left_out_on_purpose_are_skipped_with_the_reason() -> None:
    skip = PlannedSkip(test="unit", test_id="b", reason="Skipped by quarantine.")
    folded = fold([plan((planned(0, "a"),), skipped=(skip,))], records(0, case("a")))
    assert statuses(folded) == {"a": PASSED, "b": SKIPPED}
    assert folded.cases[0].message == "Skipped by quarantine."


def test_durations_are_of_tests_that_ran() -> None:
    cases = [case(str(number), seconds=number) for number in range(1, 21)]
    cases.append(case("x", SKIPPED, seconds=900))
    assert [(each.test, each.p95, each.max) for each in durations(cases)] == [
        (None, 19, 20),
        ("unit", 19, 20),
    ]
    assert durations([]) == ()
