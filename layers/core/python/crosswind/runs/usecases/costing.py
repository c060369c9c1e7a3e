"""What runs have cost: one run in detail, and a team's finished runs by suite.

A finished run's cost is kept beside it, by round and prices, so that a team's sum reads one small object a run.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from crosswind.contracts.actors import Actor
from crosswind.contracts.costs import (
    MAX_LISTED,
    CaseCost,
    CostGrouping,
    CostParts,
    JobCost,
    PriceList,
    RunCost,
    ShardCost,
    UseView,
)
from crosswind.contracts.requests import RunState
from crosswind.contracts.work import ShardResult, WorkKind, WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import InvalidInputError, NotFoundError, TooLargeError
from crosswind.runs import layout
from crosswind.runs.costs.prices import builtin_prices, view_of
from crosswind.runs.costs.spreading import (
    CaseTime,
    Dollars,
    PricedCase,
    PricedJob,
    PricedRun,
    PricedShard,
    price_run,
)
from crosswind.runs.model import Case, Run, Work
from crosswind.runs.pods.ports import PodStore
from crosswind.runs.ports import ObjectStore, WorkStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun

_PRICES_BYTES = 1024 * 1024
_COST_BYTES = 4 * 1024 * 1024
_SHARDS_READ = 400  # cases of more shards are taken from the folded results
_USES_EACH = 8  # shards of a job whose use is looked at
_MOST_USES = 80
_MOST_CASES = 200_000
_DIGITS = 10


@dataclass(frozen=True)
class PriceRuns:
    """What a run has cost, from its pods, works and cases."""

    works: WorkStore
    pods: PodStore
    artifacts: ObjectStore
    clock: Clock

    def prices(self) -> PriceList:
        """The operator's own where there are such, else the built-in ones. Raises InvalidInputError."""
        try:
            return documents.read(self.artifacts, layout.PRICES_KEY, PriceList, limit_bytes=_PRICES_BYTES)
        except NotFoundError:
            return builtin_prices()

    def kept(self, run: Run, prices: PriceList) -> RunCost | None:
        """What was counted of a finished run before."""
        try:
            return documents.read(self.artifacts, self._key(run, prices), RunCost, limit_bytes=_COST_BYTES)
        except (NotFoundError, InvalidInputError):
            return None  # not counted yet, or by another edition

    def __call__(self, run: Run, prices: PriceList, *, by: CostGrouping = CostGrouping.JOB) -> RunCost:
        """Counted anew, and kept where nothing of it can change any more."""
        works = tuple(self.works.of_run(run.run_id))
        uses, batches = self._uses(works)
        cases = islice(self._cases(run, works), _MOST_CASES)
        priced = price_run(
            works,
            self.pods.of_run(run.run_id),
            map(_time_of, cases),
            prices=prices,
            now=self.clock.now(),
            uses=uses,
            batches=batches,
        )
        counted = _view(run, priced, prices)
        if counted.complete:
            documents.write(self.artifacts, self._key(run, prices), counted)
        return _listed(counted, priced, by)

    def _key(self, run: Run, prices: PriceList) -> str:
        digest = hashlib.sha256(prices.to_wire().encode()).hexdigest()[:12]
        return layout.cost_key(run.run_id, round_number=run.round, prices=digest)

    def _cases(self, run: Run, works: Sequence[Work]) -> Iterator[Case]:
        """Each in the shard that ran it. Folded results know the last round's shard only."""
        index = documents.read_index(self.artifacts, run.run_id)
        summaries = [work.summary for work in works if work.kind is WorkKind.SHARD and work.summary]
        if index is not None and (run.round == 1 or len(summaries) > _SHARDS_READ):
            yield from documents.read_rows(self.artifacts, run.run_id, index, first=0)
            return
        for summary in summaries[:_SHARDS_READ]:
            if summary.cases_key:
                yield from documents.read_cases(self.artifacts, summary.cases_key)

    def _uses(self, works: Iterable[Work]) -> tuple[Mapping[str, UseView], float]:
        """What some shards of each job have used, and how many batches they leased on average."""
        of_job: defaultdict[str, list[Work]] = defaultdict(list)
        for work in works:
            if work.kind is WorkKind.SHARD and work.commit and work.commit.prefix:
                of_job[work.test].append(work)
        chosen = [work for found in of_job.values() for work in found[:_USES_EACH]][:_MOST_USES]
        uses, batches = {}, []
        for work in chosen:
            result = self._result(work)
            if result is None:
                continue
            batches.append(len(result.batches))
            if result.use is not None:
                uses[work.key.work_id] = _use_of(result)
        return uses, sum(batches) / len(batches) if batches else 0.0

    def _result(self, work: Work) -> ShardResult | None:
        commit = work.commit
        if commit is None or commit.prefix is None or commit.outcome is not WorkOutcome.COMPLETED:
            return None
        try:
            return documents.read_result(self.artifacts, commit.prefix)
        except (NotFoundError, InvalidInputError, TooLargeError):
            return None  # a fault of its shard, which the verdict tells


@dataclass(frozen=True)
class GetRunCost:
    """What a run has cost so far."""

    find: FindRun
    price: PriceRuns

    def __call__(self, run_id: str, *, by: CostGrouping, actor: Actor) -> RunCost:
        """Raises NotFoundError, ForbiddenError, and InvalidInputError for an operator's list that is none."""
        run = self.find(run_id, actor=actor)
        return self.price(run, self.price.prices(), by=by)


def parts_of(dollars: Dollars) -> CostParts:
    """Parts as the API shows them."""
    return CostParts(
        tests=round(dollars.tests, _DIGITS),
        startup=round(dollars.startup, _DIGITS),
        lost=round(dollars.lost, _DIGITS),
        preparation=round(dollars.preparation, _DIGITS),
        control=round(dollars.control, _DIGITS),
        total=round(dollars.total, _DIGITS),
    )


def dollars_of(parts: CostParts) -> Dollars:
    """And back."""
    return Dollars(parts.tests, parts.startup, parts.lost, parts.preparation, parts.control)


def _view(run: Run, priced: PricedRun, prices: PriceList) -> RunCost:
    machines = ", ".join(sorted(priced.unpriced))
    count = sum(priced.unpriced.values())
    notes = (f"the price list has no price for {machines}: {count} pods count as nothing",) if count else ()
    return RunCost(
        execution_id=run.run_id,
        team=run.team,
        suite=run.suite,
        round=run.round,
        complete=priced.complete and run.state is RunState.FINISHED,
        prices=view_of(prices),
        cost=parts_of(priced.dollars),
        jobs=tuple(map(_job, priced.jobs)),
        notes=notes,
    )


def _listed(counted: RunCost, priced: PricedRun, by: CostGrouping) -> RunCost:
    if by is CostGrouping.SHARD:
        shards = tuple(map(_shard, priced.shards[:MAX_LISTED]))
        return counted.model_copy(update={"shards": shards, "more": max(0, len(priced.shards) - MAX_LISTED)})
    if by is CostGrouping.TEST:
        tests = tuple(map(_case, priced.cases[:MAX_LISTED]))
        return counted.model_copy(update={"tests": tests, "more": max(0, len(priced.cases) - MAX_LISTED)})
    return counted


def _time_of(case: Case) -> CaseTime:
    return CaseTime(
        case.id, case.test, case.variant, case.name, case.work_id, max(0.0, case.duration_seconds)
    )


def _use_of(result: ShardResult) -> UseView:
    use = result.use
    if use is None:
        raise ValueError("the result tells of no use")
    return UseView(
        cpu_p95_millis=use.cpu_p95_millis,
        cpu_max_millis=use.cpu_max_millis,
        memory_max_mib=use.memory_max_mib,
        throttled_share=round((use.throttled_seconds or 0.0) / use.seconds, 4),
        samples=use.samples,
        out_of_memory=result.out_of_memory,
    )


def _job(job: PricedJob) -> JobCost:
    return JobCost(
        test=job.test,
        variant=job.variant,
        shards=job.shards,
        tests=job.tests,
        test_seconds=round(job.test_seconds, 3),
        pod_seconds=round(job.pod_seconds, 3),
        capacity=job.capacity,
        cost=parts_of(job.dollars),
        cpu_millis=job.asked.cpu_millis,
        memory_mib=job.asked.memory_mib,
        used=job.used,
    )


def _shard(shard: PricedShard) -> ShardCost:
    counted = shard.counted
    return ShardCost(
        work_id=shard.work.key.work_id,
        test=shard.work.test,
        pods=shard.pods,
        capacity=counted.record.capacity if counted else None,
        billed_cpu_millis=counted.size.cpu_millis if counted else None,
        billed_memory_mib=counted.size.memory_mib if counted else None,
        seconds=round(shard.seconds, 3),
        startup_seconds=round(shard.startup_seconds, 3),
        tests=shard.tests,
        cost=parts_of(shard.dollars),
    )


def _case(priced: PricedCase) -> CaseCost:
    case = priced.case
    return CaseCost(
        id=case.id,
        test=case.test,
        variant=case.variant,
        name=case.name,
        work_id=case.work_id,
        seconds=round(case.seconds, 6),
        dollars=round(priced.dollars, _DIGITS),
    )


ENOUGH = timedelta(seconds=18)
"""For a team's sum: the API answers within 29 s."""
