"""Frameworks that are asked for files and report tests. Input: plans and cases. Output: results and what runs again. Pure."""

from crosswind.contracts.resolved import Plan, PlannedShard
from crosswind.contracts.work import WorkOutcome
from crosswind.runs import rerunning
from crosswind.runs.identity import SUITE_MARK
from crosswind.runs.model import Commit, ShardSummary, Work, WorkKey
from crosswind.runs.rounds import ShardRecords
from tests.fakes import START, make_work
from tests.unit.runs.rounds_samples import (
    ERROR,
    FAILED,
    FLAKY,
    MISSING,
    PASSED,
    case,
    fold,
    plan,
    planned,
    records,
    statuses,
)


def files(number: int, *names: str) -> PlannedShard:
    return planned(number, *names, group_separator=" > ")


def again(plans: list[Plan], *known: ShardRecords) -> tuple[str, ...]:
    """The files that a rerun of these rounds would run."""
    folded = fold(plans, *known)
    works = {each.work_id: work_of(each) for each in known}
    chosen = rerunning.select(
        plans,
        [each for each in folded.cases if each.status in rerunning.OPEN],
        works,
        team="demo",
        suite="shop",
        recorded_by=lambda _: {},
    )
    return tuple(name for stage in chosen.stages for job in stage.jobs for name in job.test_ids)


def work_of(record: ShardRecords) -> Work:
    """The shard that left a record."""
    ended = Commit(outcome=record.outcome or WorkOutcome.ERROR, attempt=1, epoch=1, at=START)
    summary = ShardSummary(1, 0, 0, 0, 0, 0, cases_key=None, faults=record.faults)
    return make_work(key=WorkKey("run", record.work_id), commit=ended, summary=summary)


def test_a_file_with_a_record_of_one_of_its_tests_is_not_missing() -> None:
    folded = fold([plan((files(0, "a.js", "b.js"),))], records(0, case("a.js > x"), case("b.js > y > z")))

    assert statuses(folded) == {"a.js > x": PASSED, "b.js > y > z": PASSED}
    assert folded.faults == ()


def test_a_file_without_any_record_is_missing() -> None:
    folded = fold([plan((files(0, "a.js", "b.js"),))], records(0, case("a.js > x")))

    assert statuses(folded) == {"a.js > x": PASSED, "b.js": MISSING}


def test_a_file_whose_name_only_begins_alike_is_another_file() -> None:
    folded = fold([plan((files(0, "a.js"),))], records(0, case("a.jsx > x")))

    assert statuses(folded)["a.js"] is MISSING


def test_a_suite_that_failed_as_such_stands_for_its_file() -> None:
    folded = fold([plan((files(0, "a.js"),))], records(0, case(f"a.js{SUITE_MARK}", ERROR)))

    assert statuses(folded) == {f"a.js{SUITE_MARK}": ERROR}


def test_a_file_that_was_missing_and_has_records_after_a_rerun_is_missing_no_more() -> None:
    first, second = plan((files(0, "a.js"),)), plan((files(1, "a.js"),), supersedes=(0,))

    folded = fold([first, second], records(0), records(1, case("a.js > x")))

    assert statuses(folded) == {"a.js > x": PASSED}


def test_a_failed_test_that_its_files_rerun_left_out_stays_failed() -> None:
    first, second = plan((files(0, "a.js"),)), plan((files(1, "a.js"),), supersedes=(0,))

    folded = fold(
        [first, second], records(0, case("a.js > x"), case("a.js > y", FAILED)), records(1, case("a.js > x"))
    )

    assert statuses(folded) == {"a.js > x": PASSED, "a.js > y": FAILED}


def test_a_rerun_asks_for_the_files_of_failed_tests_and_for_missing_ones() -> None:
    first = plan((files(0, "a.js", "b.js"), files(1, "c.js", "d.js")))
    known = (
        records(0, case("a.js > x", FAILED), case("a.js > y", FAILED), case("b.js > x")),
        records(1, case("c.js > x")),
    )

    assert again([first], *known) == ("a.js", "d.js")


def test_a_test_that_passes_when_its_file_runs_again_is_flaky() -> None:
    first, second = plan((files(0, "a.js"),)), plan((files(1, "a.js"),))

    folded = fold([first, second], records(0, case("a.js > x", FAILED)), records(1, case("a.js > x")))

    assert statuses(folded) == {"a.js > x": FLAKY}
