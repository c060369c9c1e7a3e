"""Plans, cases and records of runs with several rounds."""

from dataclasses import replace

from crosswind.contracts.resolved import Plan, PlannedShard, PlannedStage
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.folding import Folded, fold_run
from crosswind.runs.identity import case_id
from crosswind.runs.model import Case
from crosswind.runs.rounds import ShardRecords

PASSED, FAILED, ERROR = CaseStatus.PASSED, CaseStatus.FAILED, CaseStatus.ERROR
SKIPPED, FLAKY, MISSING = CaseStatus.SKIPPED, CaseStatus.FLAKY, CaseStatus.MISSING


def case(name: str, status: CaseStatus = PASSED, *, shard: int = 0, seconds: float = 1.0) -> Case:
    return Case(
        id=case_id(team="demo", suite="shop", test="unit", variant="", name=name),
        test="unit",
        variant="",
        name=name,
        status=status,
        duration_seconds=seconds,
        work_id=f"shard-{shard:05d}",
        message=f"why {shard}" if status in {FAILED, ERROR} else None,
    )


def planned(
    number: int, *names: str, whole: bool = False, group_separator: str | None = None
) -> PlannedShard:
    return PlannedShard(
        work_id=f"shard-{number:05d}",
        test="unit",
        variant="",
        test_ids=None if whole else names,
        group_separator=group_separator,
        estimate_seconds=1,
    )


def plan(*stages: tuple[PlannedShard, ...], supersedes: tuple[int, ...] = (), **changes: object) -> Plan:
    made = Plan(
        run_id="run",
        stages=tuple(
            PlannedStage(name=f"stage{number}", tickets_key="k", shards=shards)
            for number, shards in enumerate(stages)
        ),
        method="by-count",
        supersedes=tuple(f"shard-{number:05d}" for number in supersedes),
    )
    return made.model_copy(update=changes)


def records(number: int, *cases: Case, **changes: object) -> ShardRecords:
    base = ShardRecords(
        work_id=f"shard-{number:05d}",
        outcome=WorkOutcome.COMPLETED,
        reason=None,
        ingested=True,
        cases=tuple(replace(each, work_id=f"shard-{number:05d}") for each in cases),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # changes are the class's own fields


def fold(plans: list[Plan], *known: ShardRecords, **changes: object) -> Folded:
    given = {each.work_id: each for each in known}
    return fold_run(plans, given, team="demo", suite="shop", **{"stopped": False, **changes})  # type: ignore[arg-type]


def statuses(folded: Folded) -> dict[str, CaseStatus]:
    return {each.name: each.status for each in folded.cases}
