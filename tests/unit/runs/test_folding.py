"""How records become results. Input: cases. Output: folded cases and faults. Pure."""

from dataclasses import replace

import pytest

from crosswind.contracts.frameworks import IdentitySpec
from crosswind.contracts.resolved import Plan, PlannedShard, PlannedStage
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.folding import Folded, fold_run
from crosswind.runs.identity import by_address, case_id, reported_name
from crosswind.runs.merging import fold_attempts
from crosswind.runs.model import Case
from crosswind.runs.reports import NODE_ID_PROPERTY, ReportedCase
from crosswind.runs.rounds import ShardRecords

PASSED, FAILED, ERROR = CaseStatus.PASSED, CaseStatus.FAILED, CaseStatus.ERROR
SKIPPED, FLAKY, MISSING = CaseStatus.SKIPPED, CaseStatus.FLAKY, CaseStatus.MISSING


def identity(name: str, variant: str = "") -> str:
    return case_id(team="demo", suite="shop", test="unit", variant=variant, name=name)


def case(name: str, status: CaseStatus = PASSED, *, shard: int = 0, variant: str = "") -> Case:
    return Case(
        id=identity(name, variant),
        test="unit",
        variant=variant,
        name=name,
        status=status,
        duration_seconds=1.0,
        work_id=f"shard-{shard:05d}",
        message="why" if status in {FAILED, ERROR} else None,
    )


def planned(number: int, *names: str, variant: str = "") -> PlannedShard:
    return PlannedShard(
        work_id=f"shard-{number:05d}", test="unit", variant=variant, test_ids=names, estimate_seconds=1
    )


def plan(*stages: tuple[PlannedShard, ...]) -> Plan:
    return Plan(
        run_id="run",
        stages=tuple(
            PlannedStage(name=f"stage{number}", tickets_key="k", shards=shards)
            for number, shards in enumerate(stages)
        ),
        method="by-count",
    )


def records(number: int, *cases: Case, **changes: object) -> ShardRecords:
    base = ShardRecords(
        work_id=f"shard-{number:05d}",
        outcome=WorkOutcome.COMPLETED,
        reason=None,
        ingested=True,
        cases=cases,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # changes are the class's own fields


def fold(the_plan: Plan, *known: ShardRecords, stopped: bool = False) -> Folded:
    return fold_run(
        [the_plan], {each.work_id: each for each in known}, team="demo", suite="shop", stopped=stopped
    )


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((PASSED,), PASSED),
        ((FAILED, PASSED), FLAKY),
        ((ERROR, FAILED, PASSED), FLAKY),
        ((FAILED, FAILED), FAILED),
        ((FAILED, ERROR), ERROR),
        ((PASSED, FAILED), FAILED),
        ((FAILED, SKIPPED), FAILED),
        ((SKIPPED, SKIPPED), SKIPPED),
    ],
)
def test_the_last_attempt_decides_and_an_earlier_failure_is_remembered(
    history: tuple[CaseStatus, ...], status: CaseStatus
) -> None:
    [folded], faults = fold_attempts([[case("a", each)] for each in history])
    assert folded.status is status
    assert folded.attempts == len(history)
    assert faults == []


def test_a_flaky_test_keeps_the_message_of_its_failure() -> None:
    [folded], _ = fold_attempts([[case("a", FAILED)], [case("a")]])
    assert folded.message == "why"


def test_a_test_that_failed_and_was_not_tried_again_stays_failed() -> None:
    folded, _ = fold_attempts([[case("a", FAILED), case("b")], [case("b")]])
    assert {each.name: each.status for each in folded} == {"a": FAILED, "b": PASSED}


def test_two_records_of_one_test_in_one_attempt_are_a_fault_and_the_worse_counts() -> None:
    [folded], [fault] = fold_attempts([[case("a"), case("a", FAILED)]])
    assert folded.status is FAILED
    assert "'a' is reported more than once" in fault


def test_a_failed_test_whose_tear_down_fails_too_is_one_failed_test() -> None:
    [folded], faults = fold_attempts([[case("a", FAILED), case("a", ERROR)]])
    assert (folded.status, faults) == (FAILED, [])


def test_planned_tests_without_a_record_are_missing() -> None:
    folded = fold(plan((planned(0, "a", "b"),)), records(0, case("a")))
    assert folded.counts == {PASSED: 1, MISSING: 1}
    assert folded.cases[0].name == "b"
    assert folded.cases[0].id == identity("b")


def test_a_shard_that_never_began_leaves_all_its_tests_missing() -> None:
    folded = fold(plan((planned(0, "a"), planned(1, "b"))), records(0, case("a")))
    assert folded.counts == {PASSED: 1, MISSING: 1}
    assert folded.cases[0].message == "Its shard was never started."


def test_one_test_in_two_shards_is_a_fault_and_the_worse_counts() -> None:
    folded = fold(
        plan((planned(0, "a"), planned(1, "b"))),
        records(0, case("a")),
        records(1, case("b", shard=1), case("a", FAILED, shard=1)),
    )
    assert folded.counts == {FAILED: 1, PASSED: 1}
    assert "reported by shard-00000 and by shard-00001" in folded.faults[0]


def test_variants_of_one_test_are_two_tests() -> None:
    folded = fold(
        plan((planned(0, "a", variant="os=x"), planned(1, "a", variant="os=y"))),
        records(0, case("a", variant="os=x")),
        records(1, case("a", variant="os=y", shard=1)),
    )
    assert folded.counts == {PASSED: 2}
    assert folded.faults == ()


def test_a_completed_shard_that_nobody_read_is_a_fault() -> None:
    folded = fold(plan((planned(0, "a"),)), records(0, ingested=False))
    assert folded.counts == {MISSING: 1}
    assert "not read" in folded.faults[0]


def test_a_whole_shard_that_never_began_is_a_fault_because_no_test_of_it_is_known() -> None:
    whole = PlannedShard(work_id="shard-00000", test="unit", variant="", estimate_seconds=1)
    assert "never started" in fold(plan((whole,))).faults[0]


def test_a_stage_after_a_failed_one_is_named_as_not_run_and_not_as_missing() -> None:
    folded = fold(plan((planned(0, "a"),), (planned(1, "b", "c"),)), records(0, case("a", FAILED)))
    assert folded.counts == {FAILED: 1}
    assert [(stage.name, stage.tests) for stage in folded.not_run] == [("stage1", 2)]


def test_a_stage_that_should_have_run_and_did_not_is_missing() -> None:
    folded = fold(plan((planned(0, "a"),), (planned(1, "b"),)), records(0, case("a")))
    assert folded.counts == {PASSED: 1, MISSING: 1}
    assert folded.not_run == ()


def test_cases_are_sorted_worst_first_and_the_ranges_say_where() -> None:
    folded = fold(
        plan((planned(0, "a", "b", "c", "d"),)),
        records(0, case("a"), case("b", SKIPPED), case("c", FAILED), case("d", FLAKY)),
    )
    assert [each.status for each in folded.cases] == [FAILED, FLAKY, SKIPPED, PASSED]
    assert folded.ranges() == {FAILED: (0, 1), FLAKY: (1, 2), SKIPPED: (2, 3), PASSED: (3, 4)}


def reported(
    name: str, class_name: str | None, *, suites: tuple[str, ...] = (), node: str = ""
) -> ReportedCase:
    return ReportedCase(
        name=name,
        class_name=class_name,
        suites=suites,
        status=PASSED,
        duration_seconds=0,
        line=1,
        properties=((NODE_ID_PROPERTY, node),) if node else (),
    )


def test_the_frameworks_own_id_names_a_case() -> None:
    assert reported_name(reported("b", "t", node="t.py::b"), {}, IdentitySpec()) == "t.py::b"


def test_a_pytest_report_without_our_property_still_finds_the_planned_test() -> None:
    ids = ["tests/test_a.py::TestX::test_b[x::y/z]", "tests/test_a.py::test_c"]
    address = by_address(ids)
    assert reported_name(reported("test_b[x::y/z]", "tests.test_a.TestX"), address, IdentitySpec()) == ids[0]
    assert reported_name(reported("test_c", "tests.test_a"), address, IdentitySpec()) == ids[1]


def test_planned_tests_that_pytest_writes_alike_are_not_guessed() -> None:
    assert by_address(["a/b.py::t", "a.b.py::t"]) == {}


def test_other_reports_are_named_by_suite_class_and_name_without_repetition() -> None:
    assert (
        reported_name(reported("works", "Shop", suites=("web", "Shop")), {}, IdentitySpec())
        == "web / Shop / works"
    )
