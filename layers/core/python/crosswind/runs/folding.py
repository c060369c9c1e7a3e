"""How records become results: attempts into a shard's cases, shards into a run's cases. Pure.

Every planned test ends as exactly one case. A record that is missing becomes a case `missing`, one that is doubled
becomes a fault; neither is ever dropped in silence (ADR 0006).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crosswind.contracts.requests import CaseStatus
from crosswind.contracts.resolved import Plan, PlannedShard, PlannedStage
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.evidence import MESSAGE_CHARS, RED
from crosswind.runs.identity import case_id
from crosswind.runs.model import Case
from crosswind.runs.reports import cut

RANK = {status: rank for rank, status in enumerate(CaseStatus)}
"""Worst first, as CaseStatus lists them."""

FAULTS_KEPT = 200


@dataclass(frozen=True, slots=True)
class ShardRecords:
    """What is known of one shard of the plan. `outcome` is None while its work has no end."""

    work_id: str
    outcome: WorkOutcome | None
    reason: str | None
    ingested: bool
    cases: Iterable[Case] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageNotRun:
    """A stage that was not started, because the run was over before it."""

    name: str
    tests: int | None


@dataclass(slots=True)
class Folded:
    """A run's results: `cases` are sorted, worst first, then by id."""

    cases: list[Case] = field(default_factory=list)
    counts: dict[CaseStatus, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    not_run: tuple[StageNotRun, ...] = ()

    def ranges(self) -> dict[CaseStatus, tuple[int, int]]:
        """Half-open row ranges of each status that occurs."""
        found = {}
        start = 0
        for status in CaseStatus:
            count = self.counts.get(status, 0)
            if count:
                found[status] = (start, start + count)
            start += count
        return found


def worst(first: Case, second: Case) -> Case:
    """The worse of two records of one test; the first where they are equal."""
    return second if RANK[second.status] < RANK[first.status] else first


def fold_attempts(attempts: Sequence[Iterable[Case]]) -> tuple[list[Case], list[str]]:
    """One case per test of one shard, oldest attempt first. A test that failed and passes in its last attempt is flaky.

    Returns the cases in the order of their first record, and a fault for each test that one attempt reports twice. Two red
    records of one test are no fault: pytest writes a failed test whose tear-down fails as two.
    """
    history: dict[str, list[Case]] = {}
    faults: dict[str, str] = {}
    for records in attempts:
        seen: dict[str, Case] = {}
        for case in records:
            known = seen.get(case.id)
            if known is None:
                seen[case.id] = case
                continue
            if not (known.status in RED and case.status in RED):
                faults[case.id] = (
                    f"test {case.name!r} is reported more than once in one run of the tests; "
                    "give each test a name of its own"
                )
            seen[case.id] = worst(known, case)
        for case in seen.values():
            history.setdefault(case.id, []).append(case)
    return [_over_attempts(records) for records in history.values()], list(faults.values())


def _over_attempts(records: Sequence[Case]) -> Case:
    last = records[-1]
    attempts = sum(case.attempts for case in records)
    earlier = next((case for case in records[:-1] if case.status in RED), None)
    if earlier is None or last.status in RED:
        return replace(last, attempts=attempts)
    if last.status in {CaseStatus.PASSED, CaseStatus.FLAKY}:
        return replace(
            last,
            status=CaseStatus.FLAKY,
            attempts=attempts,
            message=earlier.message,
            details=earlier.details,
        )
    return replace(earlier, attempts=attempts)  # skipping it the second time proves nothing


def fold_run(
    plan: Plan, records: Mapping[str, ShardRecords], *, team: str, suite: str, stopped: bool
) -> Folded:
    """All cases of a run. `stopped` tells that the run was cancelled: then stages that never began are no evidence."""
    by_id: dict[str, Case] = {}
    faults: list[str] = []
    not_run: list[StageNotRun] = []
    clean = True
    for stage in plan.stages:
        began = any(shard.work_id in records for shard in stage.shards)
        if not began and (stopped or not clean):
            not_run.append(stage_not_run(stage))
            continue
        for shard in stage.shards:
            record = records.get(shard.work_id)
            before = len(faults)
            reds = _take(record, by_id, faults) if record else 0
            missing = _add_missing(shard, record, by_id, team=team, suite=suite)
            if record is not None and record.outcome is WorkOutcome.COMPLETED and not record.ingested:
                faults.append(f"{shard.work_id}: its reports were not read")
            if record is None and shard.test_ids is None:
                faults.append(f"{shard.work_id}: it was planned and never started")
            completed = record is not None and record.outcome is WorkOutcome.COMPLETED
            clean = clean and completed and not (reds or missing or len(faults) > before)
    cases = sorted(by_id.values(), key=lambda case: (RANK[case.status], case.id))
    return Folded(
        cases=cases,
        counts=dict(Counter(case.status for case in cases)),
        faults=shortened(faults),
        not_run=tuple(not_run),
    )


def shortened(faults: Sequence[str], *, keep: int = FAULTS_KEPT) -> tuple[str, ...]:
    """The first faults, and how many more there are."""
    if len(faults) <= keep:
        return tuple(faults)
    return (*faults[:keep], f"and {len(faults) - keep} more faults of this kind")


def stage_not_run(stage: PlannedStage) -> StageNotRun:
    """A stage of the plan, as one that never began."""
    known = [shard.test_ids for shard in stage.shards if shard.test_ids is not None]
    tests = sum(len(ids) for ids in known) if len(known) == len(stage.shards) else None
    return StageNotRun(name=stage.name, tests=tests)


def _take(record: ShardRecords, by_id: dict[str, Case], faults: list[str]) -> int:
    """Add a shard's cases; returns how many are red."""
    faults.extend(f"{record.work_id}: {fault}" for fault in record.faults)
    reds = 0
    for case in record.cases:
        reds += case.status in RED
        known = by_id.get(case.id)
        if known is None:
            by_id[case.id] = case
            continue
        faults.append(
            f"test {case.name!r} is reported by {known.work_id} and by {case.work_id}; "
            "each test may run in one shard only"
        )
        by_id[case.id] = worst(known, case)
    return reds


def _add_missing(
    shard: PlannedShard, record: ShardRecords | None, by_id: dict[str, Case], *, team: str, suite: str
) -> int:
    """Add a case `missing` for every planned test without a record; returns their number."""
    missing = 0
    for name in shard.test_ids or ():
        identity = case_id(team=team, suite=suite, test=shard.test, variant=shard.variant, name=name)
        if identity in by_id:
            continue
        missing += 1
        by_id[identity] = Case(
            id=identity,
            test=shard.test,
            variant=shard.variant,
            name=cut(name, limit=MESSAGE_CHARS),
            status=CaseStatus.MISSING,
            duration_seconds=0.0,
            work_id=shard.work_id,
            message=_why_missing(record),
        )
    return missing


def _why_missing(record: ShardRecords | None) -> str:
    if record is None:
        return "Its shard was never started."
    if record.outcome is None:
        return "Its shard never ended."
    if record.outcome is WorkOutcome.CANCELLED:
        return "The run was cancelled before it ran."
    if record.outcome is WorkOutcome.ERROR:
        return f"Its shard was given up: {record.reason or 'the reason is not known'}"
    return "Its shard ended without a record of it."
