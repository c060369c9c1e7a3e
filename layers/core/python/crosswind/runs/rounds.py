"""What one round of a run came to: its plan, held against what the shards left. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crosswind.contracts.resolved import Plan, PlannedShard, PlannedStage
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.evidence import MESSAGE_CHARS, RED
from crosswind.runs.frameworks.groups import group_of
from crosswind.runs.identity import case_id
from crosswind.runs.merging import worst
from crosswind.runs.model import Case
from crosswind.runs.reports import cut
from crosswind.runs.stages import held

NO_SHARD = "none"
"""Stands for the shard of a test that was left out of the plan."""


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
    """A stage that was not started, because of what happened before it."""

    name: str
    tests: int | None


@dataclass(slots=True)
class _Groups:
    """The groups of one shard, and those of which a test was seen."""

    names: frozenset[str]
    separator: str
    seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, shard: PlannedShard) -> "_Groups | None":
        """None for a shard whose tests are planned one by one."""
        if shard.group_separator is None:
            return None
        return cls(frozenset(shard.test_ids or ()), shard.group_separator)

    def saw(self, case: Case) -> bool:
        """Whether a case belongs to one of them."""
        group = group_of(case.name, self.names, self.separator)
        if group is None:
            return False
        self.seen.add(group)
        return True


class RoundFold:
    """Folds one plan. What is taken from it: cases, planned ids, faults by shard, jobs that left something open, stages."""

    def __init__(
        self,
        plan: Plan,
        records: Mapping[str, ShardRecords],
        muted: Mapping[tuple[str, str], str],
        *,
        team: str,
        suite: str,
        stopped: bool,
    ) -> None:
        self._plan = plan
        self._records = records
        self._muted = muted
        self._team = team
        self._suite = suite
        self._stopped = stopped
        self._pulling = frozenset(work_id for pull in plan.pulls for work_id in pull.work_ids)
        self.cases: dict[str, Case] = {}
        self.planned: set[str] = set()
        self.covered: set[str] = set()  # identities of groups, such as files, of which a test has a record
        self.faults: list[tuple[str | None, str]] = []
        self.jobs: dict[tuple[str, str], bool] = {}  # jobs that ran, and whether their tests are known
        self.unsound: set[tuple[str, str]] = set()
        self.began: set[str] = set()
        self.not_run: dict[str, StageNotRun] = {}
        self.left_out: dict[str, str] = {}
        self.open_pulls: list[str] = []

    def fold(self, *, carried: frozenset[str]) -> None:
        """Fold every stage but those that a later round carries on."""
        failed_before = False
        for stage in self._plan.stages:
            if any(shard.work_id in carried for shard in stage.shards):
                continue
            if self._began(stage) or self._should_have_run(stage, failed_before=failed_before):
                self.began.add(stage.name)
                failed_before = not self._fold_stage(stage) or failed_before
        self._add_skipped()

    def _began(self, stage: PlannedStage) -> bool:
        return any(shard.work_id in self._records for shard in stage.shards)

    def _should_have_run(self, stage: PlannedStage, *, failed_before: bool) -> bool:
        """Whether a stage that never began is a gap in the evidence. Where it is none, the reason is kept."""
        why = held(stage, failed_before=failed_before)
        if why is not None and not why.by_failure and (stage.shards or stage.left_out):
            self.left_out[stage.name] = f"Stage {stage.name!r} was left out: {why.reason}."
        elif stage.shards and (self._stopped or why is not None):
            self.not_run[stage.name] = stage_not_run(stage, self._plan)
        return bool(stage.shards) and why is None and not self._stopped

    def _fold_stage(self, stage: PlannedStage) -> bool:
        """Whether the stage has passed, muted failures apart."""
        clean = True
        for shard in stage.shards:
            clean = self._fold_shard(shard) and clean
        mine = {shard.work_id for shard in stage.shards}
        for pull in self._plan.pulls:
            if mine.isdisjoint(pull.work_ids):
                continue
            self.jobs[pull.test, pull.variant] = True
            gone = self._lost(pull.work_ids)
            missing = self._add_missing(
                pull.test_ids,
                test=pull.test,
                variant=pull.variant,
                work_id=pull.work_ids[0],
                why=f"No shard of its job has a record of it{f': {gone}' if gone else '.'}",
            )
            if missing:
                self.open_pulls.append(pull.pull_id)
                clean = False
        return clean

    def _fold_shard(self, shard: PlannedShard) -> bool:
        """Whether the shard has passed, muted failures apart. One that pulls need not have ended: another took over."""
        record = self._records.get(shard.work_id)
        job = (shard.test, shard.variant)
        pulls = shard.work_id in self._pulling
        before = len(self.faults)
        groups = _Groups.of(shard)
        reds = self._take(record, groups) if record else 0
        self.jobs[job] = pulls or shard.test_ids is not None or self.jobs.get(job, False)
        missing = self._add_missing(
            shard.test_ids or (),
            test=shard.test,
            variant=shard.variant,
            work_id=shard.work_id,
            why=_why_missing(record),
            groups=groups,
        )
        completed = record is not None and record.outcome is WorkOutcome.COMPLETED
        if record is not None and completed and not record.ingested:
            self._fault(shard.work_id, "its reports were not read")
        if record is None and shard.test_ids is None and not pulls:
            self._fault(shard.work_id, "it was planned and never started")
        sound = (completed or pulls) and not missing and len(self.faults) == before
        if not sound:
            self.unsound.add(job)
        return sound and not reds

    def _fault(self, work_id: str, sentence: str) -> None:
        self.faults.append((work_id, f"{work_id}: {sentence}"))

    def _take(self, record: ShardRecords, groups: "_Groups | None") -> int:
        """Add a shard's cases; returns how many gate."""
        for fault in record.faults:
            self._fault(record.work_id, fault)
        reds = 0
        for case in record.cases:
            reds += case.status in RED and (case.test, case.name) not in self._muted
            if groups is not None and groups.saw(case):
                self.planned.add(case.id)
            known = self.cases.get(case.id)
            if known is None:
                self.cases[case.id] = case
                continue
            doubled = (
                f"test {case.name!r} is reported by {known.work_id} and by {case.work_id}; "
                "each test may run in one shard only"
            )
            self.faults.append((None, doubled))
            self.cases[case.id] = worst(known, case)
        return reds

    def _add_missing(
        self,
        names: Iterable[str],
        *,
        test: str,
        variant: str,
        work_id: str,
        why: str,
        groups: "_Groups | None" = None,
    ) -> int:
        """Add a case `missing` for every planned test without a record, and for every group without a test that has one.

        Returns their number.
        """
        missing = 0
        for name in names:
            identity = case_id(team=self._team, suite=self._suite, test=test, variant=variant, name=name)
            self.planned.add(identity)
            if groups is not None and name in groups.seen:
                self.covered.add(identity)
                continue
            if identity in self.cases:
                continue
            missing += 1
            self.cases[identity] = Case(
                id=identity,
                test=test,
                variant=variant,
                name=cut(name, limit=MESSAGE_CHARS),
                status=CaseStatus.MISSING,
                duration_seconds=0.0,
                work_id=work_id,
                message=why,
            )
        if missing:
            self.unsound.add((test, variant))
        return missing

    def _lost(self, work_ids: Sequence[str]) -> str | None:
        """Why a shard of a list that is not done was lost; None where none was."""
        for work_id in work_ids:
            record = self._records.get(work_id)
            if record is None or record.outcome is not WorkOutcome.COMPLETED:
                return f"{work_id}: {_why_missing(record)}"
        return None

    def _add_skipped(self) -> None:
        """Tests that the plan left out on purpose are skipped, with the reason."""
        for skip in self._plan.skipped:
            identity = case_id(
                team=self._team,
                suite=self._suite,
                test=skip.test,
                variant=skip.variant,
                name=skip.test_id,
            )
            skipped = Case(
                id=identity,
                test=skip.test,
                variant=skip.variant,
                name=cut(skip.test_id, limit=MESSAGE_CHARS),
                status=CaseStatus.SKIPPED,
                duration_seconds=0.0,
                work_id=NO_SHARD,
                message=skip.reason,
            )
            self.cases.setdefault(identity, skipped)


def stage_not_run(stage: PlannedStage, plan: Plan) -> StageNotRun:
    """A stage of the plan, as one that never began."""
    mine = {shard.work_id for shard in stage.shards}
    pulls = [pull for pull in plan.pulls if not mine.isdisjoint(pull.work_ids)]
    pulling = {work_id for pull in pulls for work_id in pull.work_ids}
    fixed = [shard.test_ids for shard in stage.shards if shard.work_id not in pulling]
    if None in fixed:
        return StageNotRun(name=stage.name, tests=None)
    tests = sum(len(ids or ()) for ids in fixed) + sum(len(pull.test_ids) for pull in pulls)
    return StageNotRun(name=stage.name, tests=tests)


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
