"""What a rerun of a run's failed tests has to run: pure, from the plans of the rounds before and what they came to.

A test runs again when it failed or has no record. Around them three things are looked after, so that a rerun can make every
kind of red good and none by leaving it out: a shard whose evidence is contradictory runs again even where no test of it is
red; a shard whose framework cannot tell its tests runs again as a whole; a stage that never began runs as it was planned.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crosswind.contracts.resolved import Plan, PlannedShard, PlannedStage
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.evidence import RED
from crosswind.runs.folding import shards_of
from crosswind.runs.frameworks.groups import group_of
from crosswind.runs.identity import case_id
from crosswind.runs.model import Case, Work

OPEN = RED | {CaseStatus.MISSING}
"""Statuses of tests that run again."""

RecordedBy = Callable[[frozenset[str]], Mapping[str, frozenset[str]]]
"""Ids of all cases that the given shards have recorded, by shard. Asked only where it is needed: it reads all results."""


@dataclass(frozen=True, slots=True)
class JobAgain:
    """Of one test job, what runs again: tests by id, or whole shards where its framework cannot tell its tests."""

    test: str
    variant: str
    like: str  # a shard of the job: its order and ticket are the pattern
    at_most: int  # shards that the job had before
    test_ids: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(
        default_factory=dict
    )  # by test id, where it was measured in this run
    whole: tuple[PlannedShard, ...] = ()
    group_separator: str | None = None  # as in its shards


@dataclass(frozen=True, slots=True)
class StageAgain:
    """One stage of a rerun. `carried` is a stage that never began: it runs as it was planned."""

    planned: PlannedStage
    jobs: tuple[JobAgain, ...] = ()
    carried: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """All that runs again, by stage. `supersedes` are the shards whose faults and losses it makes good."""

    stages: tuple[StageAgain, ...]
    supersedes: tuple[str, ...]


def select(
    plans: Sequence[Plan],
    opened: Iterable[Case],
    works: Mapping[str, Work],
    *,
    team: str,
    suite: str,
    recorded_by: RecordedBy,
) -> Again:
    """What to run again. `opened` are the folded cases that are red or missing."""
    by_job: dict[tuple[str, str], list[Case]] = {}
    for case in opened:
        by_job.setdefault((case.test, case.variant), []).append(case)
    selection = _Selection(plans, works, by_job, team=team, suite=suite, recorded_by=recorded_by)
    stages = tuple(selection.stage(index) for index in range(len(plans[0].stages)))
    return Again(stages=stages, supersedes=tuple(sorted(selection.supersedes)))


def next_number(plans: Sequence[Plan]) -> int:
    """The number of the first new shard: work ids go on counting over the rounds."""
    numbers = (int(work_id.rpartition("-")[2]) for plan in shards_of(plans) for work_id in plan)
    return 1 + max(numbers, default=-1)


@dataclass(slots=True)
class _Job:
    """A test job over all rounds that have begun."""

    shards: list[PlannedShard] = field(default_factory=list)  # the latest round's last
    names: dict[str, None] = field(default_factory=dict)  # planned test ids, in the order of discovery
    pulling: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by shard, the tests of its list
    at_most: int = 1

    def add(self, shards: Sequence[PlannedShard], pulled: Mapping[str, tuple[str, ...]]) -> None:
        """Take in the shards of one round."""
        self.shards.extend(shards)
        self.at_most = max(self.at_most, len(shards))
        for shard in shards:
            mine = pulled.get(shard.work_id)
            if mine is not None:
                self.pulling[shard.work_id] = mine
            self.names.update(dict.fromkeys(shard.test_ids or mine or ()))


class _Selection:
    """Selects stage by stage, and collects what is superseded."""

    def __init__(
        self,
        plans: Sequence[Plan],
        works: Mapping[str, Work],
        opened: Mapping[tuple[str, str], Sequence[Case]],
        *,
        team: str,
        suite: str,
        recorded_by: RecordedBy,
    ) -> None:
        self._plans = plans
        self._works = works
        self._opened = opened
        self._team = team
        self._suite = suite
        self._recorded_by = recorded_by
        self._made_good = {work_id for plan in plans for work_id in plan.supersedes}
        self._pulled = {
            work_id: pull.test_ids for plan in plans for pull in plan.pulls for work_id in pull.work_ids
        }
        self._loads = {(load.test, load.variant) for plan in plans for load in plan.loads}
        self.supersedes: set[str] = set()

    def stage(self, index: int) -> StageAgain:
        """What runs again of one stage."""
        rounds = [plan.stages[index] for plan in self._plans if plan.stages[index].shards]
        if not rounds:
            return StageAgain(planned=self._plans[-1].stages[index])
        began = [each for each in rounds if any(shard.work_id in self._works for shard in each.shards)]
        if not began:
            return StageAgain(planned=rounds[-1], carried=True)
        jobs: dict[tuple[str, str], _Job] = {}
        for each in began:
            shards: dict[tuple[str, str], list[PlannedShard]] = {}
            for shard in each.shards:
                shards.setdefault((shard.test, shard.variant), []).append(shard)
            for name, mine in shards.items():
                jobs.setdefault(name, _Job()).add(mine, self._pulled)
        again = (self._job(test, variant, job) for (test, variant), job in jobs.items())
        return StageAgain(planned=began[-1], jobs=tuple(each for each in again if each is not None))

    def _job(self, test: str, variant: str, job: _Job) -> JobAgain | None:
        opened = self._opened.get((test, variant), ())
        current = [shard for shard in job.shards if shard.work_id not in self._made_good]
        troubled = [shard for shard in current if _is_troubled(self._works.get(shard.work_id))]
        if not job.names:
            return self._whole(test, variant, job, current, troubled, opened)
        ids = self._ids(test, variant, job.names)
        separator = job.shards[-1].group_separator
        if separator is not None:
            opened = self._as_groups(opened, ids, separator)
        wanted = {case.id for case in opened if case.id in ids}
        strays = {case.work_id for case in opened if case.id not in ids}
        silent = [
            shard.work_id
            for shard in troubled
            if self._speaks(shard, job) and wanted.isdisjoint(self._own(shard, job, test, variant))
        ]
        for work_id, recorded in self._all_of({*strays, *silent}, job, test, variant).items():
            self.supersedes.add(work_id)
            again = recorded & ids.keys()
            wanted |= ids.keys() if work_id in strays and not again else again
        self.supersedes.update(shard.work_id for shard in troubled)
        if not wanted:
            return None
        seconds = {ids[case.id]: case.duration_seconds for case in opened if case.id in ids}
        return JobAgain(
            test=test,
            variant=variant,
            like=job.shards[-1].work_id,
            at_most=job.at_most,
            test_ids=tuple(name for identity, name in ids.items() if identity in wanted),
            seconds={name: each for name, each in seconds.items() if each > 0},
            group_separator=separator,
        )

    def _as_groups(self, opened: Sequence[Case], ids: Mapping[str, str], separator: str) -> Sequence[Case]:
        """The cases under the identities of the groups that run again for them, each with the time of all of them."""
        by_name = {name: identity for identity, name in ids.items()}
        found: dict[str, Case] = {}
        for case in opened:
            group = group_of(case.name, by_name, separator)
            identity = case.id if group is None else by_name[group]
            before = found[identity].duration_seconds if identity in found else 0.0
            found[identity] = replace(case, id=identity, duration_seconds=before + case.duration_seconds)
        return tuple(found.values())

    def _whole(
        self,
        test: str,
        variant: str,
        job: _Job,
        current: Sequence[PlannedShard],
        troubled: Sequence[PlannedShard],
        opened: Sequence[Case],
    ) -> JobAgain | None:
        """Shards whose tests are not known: those that hold a red test, and all of them where a red test's shard was
        replaced before, for then nobody knows which of them should report it. Of a load job all workers or none."""
        known = {shard.work_id for shard in current}
        holding = {case.work_id for case in opened}
        unclear = bool(holding - known)
        chosen = [shard for shard in current if unclear or shard.work_id in holding or shard in troubled]
        if chosen and (test, variant) in self._loads:
            chosen = list(current)
        if not chosen:
            return None
        self.supersedes.update(shard.work_id for shard in chosen)
        return JobAgain(
            test=test,
            variant=variant,
            like=chosen[0].work_id,
            at_most=job.at_most,
            whole=tuple(chosen),
        )

    def _speaks(self, shard: PlannedShard, job: _Job) -> bool:
        """Whether trouble with a shard is trouble with results: what one that pulled left undone, others have done."""
        work = self._works.get(shard.work_id)
        return shard.work_id not in job.pulling or bool(work and work.summary and work.summary.faults)

    def _ids(self, test: str, variant: str, names: Iterable[str]) -> dict[str, str]:
        """Names by case id, in their order."""
        return {
            case_id(team=self._team, suite=self._suite, test=test, variant=variant, name=name): name
            for name in names
        }

    def _own(self, shard: PlannedShard, job: _Job, test: str, variant: str) -> Iterable[str]:
        """Ids of the tests that a shard may have left open."""
        names = shard.test_ids or job.pulling.get(shard.work_id) or ()
        return self._ids(test, variant, names)

    def _all_of(
        self, work_ids: Iterable[str], job: _Job, test: str, variant: str
    ) -> Mapping[str, frozenset[str]]:
        """Ids of all tests of some shards. What one that pulled has run, only the results can tell."""
        shards = {shard.work_id: shard for shard in job.shards}
        found: dict[str, frozenset[str]] = {}
        unknown = set()
        for work_id in work_ids:
            shard = shards.get(work_id)
            if shard is not None and shard.test_ids is not None:
                found[work_id] = frozenset(self._ids(test, variant, shard.test_ids))
            else:
                unknown.add(work_id)
        if unknown:
            recorded = self._recorded_by(frozenset(unknown))
            found |= {work_id: recorded.get(work_id, frozenset()) for work_id in unknown}
        return found


def _is_troubled(work: Work | None) -> bool:
    """Whether a shard has not ended well: lost, cancelled, unread, or with a fault in what it left."""
    if work is None or work.commit is None or work.summary is None:
        return True
    return work.commit.outcome is not WorkOutcome.COMPLETED or bool(work.summary.faults)
