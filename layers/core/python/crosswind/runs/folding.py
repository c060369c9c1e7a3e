"""How records become results: shards into a round's cases, rounds into a run's. Pure.

Every planned test ends as exactly one case. A record that is missing becomes a case `missing`, one that is doubled
becomes a fault; neither is ever dropped in silence (ADR 0006). Of several rounds each test's latest record counts, and none
erases an earlier pass (ADR 0012).
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from crosswind.contracts.resolved import DurationSummary, Plan
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkOutcome
from crosswind.runs import failing_fast
from crosswind.runs.evidence import RED
from crosswind.runs.identity import SUITE_MARK
from crosswind.runs.merging import RANK, over_rounds
from crosswind.runs.model import Case, Work
from crosswind.runs.rounds import RoundFold, ShardRecords, StageNotRun

FAULTS_KEPT = 200
_NOBODY: Mapping[tuple[str, str], str] = MappingProxyType({})
_NOWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Folded:
    """A run's results: `cases` are sorted, worst first, those in quarantine behind the others, then by id."""

    cases: list[Case] = field(default_factory=list)
    counts: dict[CaseStatus, int] = field(default_factory=dict)
    muted: int = 0
    faults: tuple[str, ...] = ()
    not_run: tuple[StageNotRun, ...] = ()
    left_out: tuple[str, ...] = ()
    open_pulls: tuple[str, ...] = ()  # work lists with tests that nobody has a record of

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


def fold_run(
    plans: Sequence[Plan],
    records: Mapping[str, ShardRecords],
    *,
    team: str,
    suite: str,
    stopped: bool,
    muted: Mapping[tuple[str, str], str] = _NOBODY,
    under_chaos: Mapping[str, str] = _NOWHERE,
) -> Folded:
    """All cases of a run, from the plans of its rounds, the oldest first, and what its shards left.

    `stopped` tells that the run was cancelled: then stages that never began are no evidence. `muted` says, by test job and
    name, why a test's failure does not gate. `under_chaos` tells, by shard, the experiment's run whose faults were in.
    """
    cases: dict[str, Case] = {}
    faults: list[tuple[str | None, str]] = []
    not_run: dict[str, StageNotRun] = {}
    left_out: dict[str, str] = {}
    open_pulls: list[str] = []
    planned: set[str] = set()
    for index, plan in enumerate(plans):
        later = plans[index + 1 :]
        carried = _carried(later)
        folding = RoundFold(plan, records, muted, team=team, suite=suite, stopped=stopped)
        folding.fold(carried=carried)
        planned |= folding.planned
        for identity, case in folding.cases.items():
            known = cases.get(identity)
            cases[identity] = over_rounds(known, case) if known else case
        for identity in folding.covered & cases.keys():
            if cases[identity].status is CaseStatus.MISSING:  # in an earlier round it left no record at all
                del cases[identity]
        for identity in _outlived(plan, cases, folding, planned):
            del cases[identity]
        superseded = {work_id for other in later for work_id in other.supersedes}
        faults += [fault for fault in folding.faults if fault[0] not in superseded]
        for name in folding.began:
            not_run.pop(name, None)
            left_out.pop(name, None)
        not_run |= folding.not_run
        left_out |= folding.left_out
        open_pulls += folding.open_pulls
    return _folded(
        cases.values(),
        faults=[sentence for _, sentence in faults],
        not_run=tuple(not_run.values()),
        left_out=tuple(left_out.values()),
        open_pulls=tuple(open_pulls),
        muted=muted,
        under_chaos=under_chaos,
    )


def shards_of(plans: Sequence[Plan]) -> list[list[str]]:
    """Work ids of each round's shards, in the order in which `fold_run` reads them."""
    found = []
    for index, plan in enumerate(plans):
        carried = _carried(plans[index + 1 :])
        ids = [[shard.work_id for shard in stage.shards] for stage in plan.stages]
        found.append([work_id for stage in ids if carried.isdisjoint(stage) for work_id in stage])
    return found


def lost_work(
    plans: Sequence[Plan], works: Iterable[Work], *, open_pulls: Collection[str] | None
) -> list[Work]:
    """Work that infrastructure did not bring to an end and that nothing has made good, by work id.

    Not what fail-fast has ended, nor shards whose tests ran elsewhere: in a later round, or, where they pull, in the other
    shards of their list. What one of these left is nobody's loss either where fail-fast kept the others from taking it.
    `open_pulls` None: it is not known which lists are done, so each lost shard counts.
    """
    listed = sorted(works, key=lambda work: work.key.work_id)
    ended = {work.key.work_id for work in listed if work.commit and failing_fast.is_ended(work.commit.reason)}
    made_good = ended | {work_id for plan in plans for work_id in plan.supersedes}
    if open_pulls is not None:
        settled = (
            pull
            for plan in plans
            for pull in plan.pulls
            if pull.pull_id not in open_pulls or not ended.isdisjoint(pull.work_ids)
        )
        made_good |= {work_id for pull in settled for work_id in pull.work_ids}
    return [
        work
        for work in listed
        if work.key.work_id not in made_good
        and (work.commit is None or work.commit.outcome is not WorkOutcome.COMPLETED)
    ]


def _carried(later: Sequence[Plan]) -> frozenset[str]:
    """Shards that a later round has too: of stages that never began in an earlier one."""
    return frozenset(shard.work_id for plan in later for stage in plan.stages for shard in stage.shards)


def durations(cases: Iterable[Case]) -> tuple[DurationSummary, ...]:
    """How long the tests took that ran, over all and for each test job."""
    by_job: dict[str | None, list[float]] = {None: []}
    for case in cases:
        if case.status not in {CaseStatus.SKIPPED, CaseStatus.MISSING}:
            by_job.setdefault(case.test, []).append(case.duration_seconds)
            by_job[None].append(case.duration_seconds)
    return tuple(
        DurationSummary(test=test, p95=_percentile(seconds, 95), max=max(seconds))
        for test, seconds in by_job.items()
        if seconds
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank: the smallest value that so many percent do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _folded(
    cases: Iterable[Case],
    *,
    faults: Sequence[str],
    not_run: tuple[StageNotRun, ...],
    left_out: tuple[str, ...],
    open_pulls: tuple[str, ...],
    muted: Mapping[tuple[str, str], str],
    under_chaos: Mapping[str, str],
) -> Folded:
    quarantined = 0
    judged = []
    for case in cases:
        why = muted.get((case.test, case.name)) if case.status in RED else None
        chaos = under_chaos.get(case.work_id)
        quarantined += why is not None
        same = (case.muted, case.chaos) == (why, chaos)
        judged.append(case if same else replace(case, muted=why, chaos=chaos))
    judged.sort(key=lambda case: (RANK[case.status], case.muted is not None, case.id))
    return Folded(
        cases=judged,
        counts=dict(Counter(case.status for case in judged)),
        muted=quarantined,
        faults=shortened(faults),
        not_run=not_run,
        left_out=left_out,
        open_pulls=open_pulls,
    )


def _outlived(plan: Plan, cases: Mapping[str, Case], round_: RoundFold, planned: set[str]) -> list[str]:
    """Red records that tell of a shard and not of a test, once the shard has run again as a whole and without a fault.

    Such as a suite's failed set-up, or an error outside of all planned tests: nothing reports them as passed, ever.
    """
    superseded = set(plan.supersedes)
    known_jobs = {job for job, counted in round_.jobs.items() if counted}
    return [
        identity
        for identity, case in cases.items()
        if case.status in RED
        and case.work_id in superseded
        and identity not in round_.cases
        and (case.test, case.variant) in round_.jobs
        and (case.test, case.variant) not in round_.unsound
        and (
            case.name.endswith(SUITE_MARK)
            or ((case.test, case.variant) in known_jobs and identity not in planned)
        )
    ]


def shortened(faults: Sequence[str], *, keep: int = FAULTS_KEPT) -> tuple[str, ...]:
    """The first faults, and how many more there are."""
    if len(faults) <= keep:
        return tuple(faults)
    return (*faults[:keep], f"and {len(faults) - keep} more faults of this kind")
