"""MergeLoad: when the last worker of a load job is read, what all of them measured becomes one result, and is judged."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from crosswind.contracts.load import (
    LoadBaselineSpec,
    LoadComparison,
    LoadOrder,
    LoadResult,
    LoadSummary,
    WorkerFigures,
)
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.work import ShardOrder, WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import CrosswindError, InvalidInputError, NotFoundError, TooLargeError
from crosswind.runs import layout
from crosswind.runs.load import comparing, merging, thresholds
from crosswind.runs.load.cases import cases, comparison_fault, not_judged
from crosswind.runs.load.histogram import DamagedHistogramError
from crosswind.runs.load.judged import LoadJudged
from crosswind.runs.load.merging import Merged
from crosswind.runs.load.ports import BarrierStore
from crosswind.runs.model import Work, WorkKey
from crosswind.runs.ports import ObjectStore, RunFilter, RunStore, WorkStore
from crosswind.runs.usecases import documents

RUNS_LOOKED_AT = 20
"""So many passed runs are searched for one that has the job."""

LAST_PASSED = "last-passed"
_RESULT_BYTES = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Worker:
    work_id: str
    result: LoadResult | None
    reason: str | None = None  # why there is none


@dataclass(frozen=True)
class MergeLoad:
    """Merge and judge, once: of the shards that come to it when all are done, the first. Safe to repeat."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    barriers: BarrierStore

    def __call__(self, work: Work, order: ShardOrder) -> LoadJudged | None:
        """None: it is not for this shard to do, or some worker has not ended yet."""
        load = order.load
        if load is None:
            return None
        run_id = work.key.run_id
        works = {
            each.key.work_id: each
            for each in self.works.get_many([WorkKey(run_id, work_id) for work_id in load.workers])
        }
        if any(each not in works or works[each].commit is None for each in load.workers):
            return None
        if self.barriers.claim_judging(run_id, load.group, work.key.work_id) != work.key.work_id:
            return None
        workers = [self._worker(works[work_id]) for work_id in load.workers]
        results = [worker.result for worker in workers if worker.result is not None]
        if len(results) < len(workers):
            return LoadJudged(not_judged(_incomplete(workers)))
        try:
            merged = merging.merge(results)
        except (InvalidInputError, DamagedHistogramError) as error:
            return LoadJudged(not_judged(str(error)))
        return self._judged(work, order, load, merged, workers)

    def _judged(
        self, work: Work, order: ShardOrder, load: LoadOrder, merged: Merged, workers: Sequence[_Worker]
    ) -> LoadJudged:
        asked: dict[str, tuple[str, ...]] = dict(merged.thresholds)
        for name, texts in load.thresholds.items():
            asked[name] = (*asked.get(name, ()), *texts)
        judged = thresholds.judge(asked, merged.metrics, seconds=merged.seconds)
        run_id = work.key.run_id
        comparison = self._comparison(work, order, load.baseline, merged) if load.baseline else None
        merged_key = layout.load_merged_key(run_id, load.group)
        documents.write(self.artifacts, merged_key, merging.as_result(merged))
        summary = LoadSummary(
            group=load.group,
            test=order.test,
            variant=order.variant,
            tool=merged.tool,
            unit="iterations" if merged.unit == "iterations" else "requests",
            workers=tuple(_figures(worker) for worker in workers),
            workers_planned=len(load.workers),
            started_at=to_iso(datetime.fromtimestamp(merged.start_at, UTC)),
            seconds=merged.seconds,
            accuracy=merged.accuracy,
            figures=merging.figures(merged),
            thresholds=judged,
            slice_seconds=merged.slice_seconds,
            points=merging.points(merged),
            comparison=comparison,
            merged_key=merged_key,
        )
        documents.write(self.artifacts, layout.load_summary_key(run_id, load.group), summary)
        fault = comparison_fault(comparison)
        return LoadJudged(
            cases(merged, judged, comparison, workers=len(workers)), faults=(fault,) if fault else ()
        )

    def _worker(self, work: Work) -> _Worker:
        work_id, commit = work.key.work_id, work.commit
        if commit is None or commit.outcome is not WorkOutcome.COMPLETED or commit.prefix is None:
            return _Worker(work_id, None, (commit.reason if commit else None) or "it has no end")
        try:
            result = documents.read_result(self.artifacts, commit.prefix)
            if result.load_key is None:
                return _Worker(work_id, None, result.load_error or "it handed in nothing")
            measured = documents.read(self.artifacts, result.load_key, LoadResult, limit_bytes=_RESULT_BYTES)
        except (NotFoundError, InvalidInputError, TooLargeError) as error:
            return _Worker(work_id, None, f"what it measured cannot be read: {error}")
        return _Worker(work_id, measured)

    def _comparison(
        self, work: Work, order: ShardOrder, spec: LoadBaselineSpec, merged: Merged
    ) -> LoadComparison:
        try:
            found = self._baseline(work, order, spec)
        except CrosswindError as error:
            _log.warning("the baseline of %s cannot be read: %s", work.key.run_id, error)
            return comparing.lost_baseline(spec, reason=f"the baseline cannot be read: {error}")
        if found is None and spec.run == LAST_PASSED:
            return comparing.not_compared(spec, reason="no passed run of the suite has this job yet")
        if found is None:
            return comparing.lost_baseline(spec, reason=f"{spec.run} has no results of this job")
        baseline_run, before = found
        return comparing.compare(merged, before, spec, baseline_run=baseline_run, seed=work.key.run_id)

    def _baseline(self, work: Work, order: ShardOrder, spec: LoadBaselineSpec) -> tuple[str, Merged] | None:
        for run_id in self._candidates(work, spec):
            index = documents.read_index(self.artifacts, run_id)
            for summary in index.load if index else ():
                if (summary.test, summary.variant) == (order.test, order.variant) and summary.merged_key:
                    measured = documents.read(
                        self.artifacts, summary.merged_key, LoadResult, limit_bytes=_RESULT_BYTES
                    )
                    return run_id, merging.merge([measured])
        return None

    def _candidates(self, work: Work, spec: LoadBaselineSpec) -> Iterator[str]:
        if spec.run != LAST_PASSED:
            run = self.runs.get(spec.run)
            if run.team == work.team:
                yield run.run_id
            return
        wanted = RunFilter(team=work.team, suite=work.suite, verdict=VerdictKind.PASSED)
        for run in self.runs.list_runs(wanted, limit=RUNS_LOOKED_AT, cursor=None).items:
            if run.run_id != work.key.run_id:
                yield run.run_id


def _incomplete(workers: Sequence[_Worker]) -> str:
    measured = sum(worker.result is not None for worker in workers)
    first = next(worker for worker in workers if worker.result is None)
    return f"{measured} of {len(workers)} workers measured to the end; {first.work_id}: {first.reason}"


def _figures(worker: _Worker) -> WorkerFigures:
    result = worker.result
    if result is None:
        return WorkerFigures(work_id=worker.work_id, requests=0, errors=0)
    return WorkerFigures(
        work_id=worker.work_id,
        requests=sum(part.requests for part in result.slices),
        errors=sum(part.errors for part in result.slices),
        started_after_seconds=None
        if result.first_at is None
        else round(result.first_at - result.start_at, 3),
    )
