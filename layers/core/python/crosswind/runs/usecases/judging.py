"""FoldRun and JudgeRun: what the shards left becomes the run's results, and the results its verdict."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from crosswind.contracts.load import LoadSummary
from crosswind.contracts.requests import RunState
from crosswind.contracts.resolved import NotRunStage, Plan, ResultsIndex
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import BudgetMetric
from crosswind.contracts.tasks import FoldRunAnswer
from crosswind.contracts.work import PullRef, WorkKind, WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.kernel.retry import Pause
from crosswind.runs import beside, layout
from crosswind.runs.evidence import RED
from crosswind.runs.folding import Folded, durations, fold_run, lost_work, shards_of
from crosswind.runs.history import quarantine
from crosswind.runs.history.knowing import known_failure
from crosswind.runs.history.model import JobKey
from crosswind.runs.history.ports import HistoryStore, QuarantineStore
from crosswind.runs.judging import Evidence, judge
from crosswind.runs.model import Case, Run, Verdict, Work
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.rounds import ShardRecords, StageNotRun
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading_ahead import CasesAhead, reading_ahead

PAGE_ROWS = 500
NAMES_IN_A_REASON = 3


@dataclass(frozen=True)
class FoldRun:
    """Put the results of all shards of all rounds together: pages of cases, the index, the counts on the run. Safe to repeat."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    quarantines: QuarantineStore
    shortfall: Callable[[str, PullRef], str | None]  # TellShortfall
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str) -> FoldRunAnswer:
        """How much there is."""
        run = documents.change_run(self.runs, run_id, _judging, pause=self.pause)
        plans = documents.read_plans(self.artifacts, run)
        folded = self._fold(run, plans)
        pages = 0
        rows = iter(folded.cases)
        while page := list(islice(rows, PAGE_ROWS)):
            documents.write_cases(self.artifacts, layout.results_page_key(run_id, pages), page)
            pages += 1
        index = ResultsIndex(
            page_size=PAGE_ROWS,
            total=len(folded.cases),
            ranges=folded.ranges(),
            faults=(*folded.faults, *self._shortfalls(run, plans, folded.open_pulls)),
            muted=folded.muted,
            not_run=tuple(NotRunStage(name=each.name, tests=each.tests) for each in folded.not_run),
            left_out=folded.left_out,
            open_pulls=folded.open_pulls,
            durations=durations(folded.cases),
            load=self._load(run_id, plans),
        )
        documents.write(self.artifacts, layout.results_index_key(run_id), index)
        counts = {status.value: count for status, count in folded.counts.items()}
        documents.change_run(
            self.runs,
            run_id,
            lambda stored: replace(stored, case_counts=counts, muted=folded.muted),
            pause=self.pause,
        )
        return FoldRunAnswer(tests=len(folded.cases), pages=pages)

    def _load(self, run_id: str, plans: Sequence[Plan]) -> tuple[LoadSummary, ...]:
        """Of each load job its latest round that was merged. One that was not has a case that says why."""
        found: dict[tuple[str, str], LoadSummary] = {}
        for load in (load for plan in plans for load in plan.loads):
            key = layout.load_summary_key(run_id, load.group)
            with suppress(NotFoundError):
                found[load.test, load.variant] = documents.read(self.artifacts, key, LoadSummary)
        return tuple(found.values())

    def _shortfalls(self, run: Run, plans: Sequence[Plan], open_pulls: Sequence[str]) -> Iterator[str]:
        """Why tests of a work list have no record, where nobody has ended the run or the list before its end."""
        if run.cancel_requested_at is not None or run.failed_fast:
            return
        for pull in (pull for plan in plans for pull in plan.pulls if pull.pull_id in open_pulls):
            try:
                told = self.shortfall(run.run_id, PullRef(pull_id=pull.pull_id, key=pull.key))
            except (NotFoundError, TooLargeError) as error:
                told = f"its work list cannot be read: {error}"
            if told is not None:
                yield f"test job {pull.test!r}: {told}"

    def _fold(self, run: Run, plans: Sequence[Plan]) -> Folded:
        works = {work.key.work_id: work for work in self.works.of_run(run.run_id)}
        planned = [works.get(work_id) for plan in shards_of(plans) for work_id in plan]
        summaries = [work.summary for work in planned if work and work.summary]
        keys = [summary.cases_key for summary in summaries if summary.cases_key]
        known = self.quarantines.of_suite(run.team, run.suite)
        muted = quarantine.muted(known, now=self.clock.now())
        with reading_ahead(self.artifacts, keys) as ahead:
            return fold_run(
                plans,
                {work_id: self._records(work, ahead) for work_id, work in works.items()},
                team=run.team,
                suite=run.suite,
                stopped=run.cancel_requested_at is not None,
                muted={test: quarantine.sentence(each) for test, each in muted.items()},
                under_chaos=_under_chaos(run, works.values()),
            )

    def _records(self, work: Work, ahead: CasesAhead) -> ShardRecords:
        """Its cases are unpacked only when folding comes to it, so that those of one shard are held at a time."""
        summary, commit = work.summary, work.commit
        return ShardRecords(
            work_id=work.key.work_id,
            outcome=commit.outcome if commit else None,
            reason=commit.reason if commit else None,
            ingested=summary is not None,
            cases=ahead.cases(summary.cases_key) if summary and summary.cases_key else (),
            faults=summary.faults if summary else (),
        )


def _under_chaos(run: Run, works: Iterable[Work]) -> dict[str, str]:
    found = ((work.key.work_id, beside.under(run.beside, work)) for work in works if run.beside)
    return {work_id: experiment for work_id, experiment in found if experiment is not None}


def _judging(run: Run) -> Run:
    return run if run.state is RunState.FINISHED else replace(run, state=RunState.JUDGING)


@dataclass(frozen=True)
class JudgeRun:
    """Give the run's present round its verdict, from what was folded and from what is known of its shards. Set once."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    history: HistoryStore
    pause: Pause

    def __call__(self, run_id: str) -> Verdict:
        """The verdict."""
        run = self.runs.get(run_id)
        if run.verdict is not None:
            return run.verdict
        verdict = judge(self._evidence(run))
        stored = documents.change_run(
            self.runs,
            run_id,
            lambda known: replace(known, verdict=known.verdict or verdict),
            pause=self.pause,
        )
        return stored.verdict or verdict

    def _evidence(self, run: Run) -> Evidence:
        plans = documents.read_plans(self.artifacts, run)
        first = plans[0] if plans else None
        index = documents.read_index(self.artifacts, run.run_id)
        works = {
            work.key.work_id: work for work in self.works.of_run(run.run_id) if work.kind is WorkKind.SHARD
        }
        gates = documents.read_suite(self.artifacts, run).gates
        lost = lost_work(plans, works.values(), open_pulls=index.open_pulls if index else None)
        return Evidence(
            cancelled=run.cancel_requested_at is not None,
            cancelled_by=run.cancelled_by,
            failure=run.failure,
            planned=first is not None,
            plan_reason=first.reason if first else None,
            plan_errors=first.errors if first else (),
            counts={status: end - start for status, (start, end) in index.ranges.items()} if index else None,
            failed_names=self._failed_names(run.run_id, index),
            muted=index.muted if index else 0,
            new_failures=self._new_failures(run, index) if gates.no_new_failures else None,
            measured=_measured(index, plans, works) if gates.budgets else {},
            faults=index.faults if index else (),
            lost_shards=tuple(_lost(lost)),
            not_run=tuple(StageNotRun(each.name, each.tests) for each in index.not_run) if index else (),
            left_out=index.left_out if index else (),
            gates=gates,
            not_under_chaos=tuple(beside.amiss(run, tuple(works.values()))),
            beside=tuple(beside.told(run, tuple(works.values()))),
        )

    def _red(self, run_id: str, index: ResultsIndex | None) -> Iterator[Case]:
        """Failed cases that gate, worst first: in each status they come before those in quarantine."""
        for status in CaseStatus if index else ():
            if index is None or status not in RED or status not in index.ranges:
                continue
            start, end = index.ranges[status]
            rows = documents.read_rows(self.artifacts, run_id, index, first=start)
            for case in islice(rows, end - start):
                if case.muted is not None:
                    break
                yield case

    def _failed_names(self, run_id: str, index: ResultsIndex | None) -> tuple[str, ...]:
        return tuple(case.name for case in islice(self._red(run_id, index), NAMES_IN_A_REASON))

    def _new_failures(self, run: Run, index: ResultsIndex | None) -> int | None:
        """How many failed tests that gate did not fail before on the default branch."""
        if index is None:
            return None
        by_job: dict[JobKey, list[str]] = {}
        for case in self._red(run.run_id, index):
            by_job.setdefault(JobKey(run.team, run.suite, case.test, case.variant), []).append(case.id)
        new = 0
        for job, ids in by_job.items():
            histories = self.history.get(job, ids)
            known = (known_failure(histories.get(each), run_id=run.run_id) for each in ids)
            new += sum(failure is None or not failure.on_default_branch for failure in known)
        return new


def _measured(
    index: ResultsIndex | None, plans: Sequence[Plan], works: Mapping[str, Work]
) -> dict[tuple[BudgetMetric, str | None], float]:
    """What budgets bound, in seconds. A rerun's time is added: it took so long to know."""
    found: dict[tuple[BudgetMetric, str | None], float] = {}
    for each in index.durations if index else ():
        found[BudgetMetric.TEST_P95, each.test] = each.p95
        found[BudgetMetric.TEST_MAX, each.test] = each.max
    rounds = [_span([works[work_id] for work_id in plan if work_id in works]) for plan in shards_of(plans)]
    if any(rounds):
        found[BudgetMetric.RUN_DURATION, None] = sum(rounds)
    return found


def _span(works: Iterable[Work]) -> float:
    """From the first enqueueing to the end of the last shard."""
    ended: list[tuple[datetime, datetime]] = [
        (work.enqueued_at, work.commit.at) for work in works if work.commit is not None
    ]
    if not ended:
        return 0.0
    return (max(end for _, end in ended) - min(start for start, _ in ended)).total_seconds()


def _lost(works: Iterable[Work]) -> Iterator[str]:
    """Lost shards as sentences."""
    for work in works:
        if work.commit is None:
            yield f"{work.key.work_id} of {work.test!r} never ended"
            continue
        reason = work.commit.reason or "the reason is not known"
        ended = "was cancelled" if work.commit.outcome is WorkOutcome.CANCELLED else "was given up"
        yield f"{work.key.work_id} of {work.test!r} {ended}: {reason}"
