"""Why a run waits, is red, or passed: gathers what the stores know of it, for the pure explanation."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from crosswind.contracts.actors import Actor
from crosswind.contracts.explaining import (
    MOST_FAILURES,
    MOST_LOST,
    FailingTestView,
    FirstFailureView,
    KnownFailureView,
    LostAttemptView,
    LostWorkView,
    SimilarFailuresView,
    WhyView,
)
from crosswind.contracts.queueing import WaitingView
from crosswind.contracts.requests import RunState
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import NotFoundError, RetryableError
from crosswind.runs.evidence import RED
from crosswind.runs.explaining import Facts, Failing, First, alike, cause, explain, failed_statuses
from crosswind.runs.folding import lost_work
from crosswind.runs.history.knowing import flaky_odds, known_failure
from crosswind.runs.history.model import JobKey, TestHistory
from crosswind.runs.history.ports import HistoryStore
from crosswind.runs.model import Case, Run, Work, WorkState
from crosswind.runs.pods.model import NOT_BEGUN, PodRecord
from crosswind.runs.pods.ports import PodStore
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun, verdict_view

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExplainRun:
    """Answer why. Bounded: some fifty failures with their history, and the run's work."""

    find: FindRun
    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    history: HistoryStore
    why_waiting: Callable[[str], WaitingView | None]
    pods: PodStore

    def __call__(self, run_id: str, *, actor: Actor) -> WhyView:
        """The answer. Raises NotFoundError, ForbiddenError."""
        run = self.find(run_id, actor=actor)
        works = list(self.works.of_run(run_id))
        failed, muted, red = self._failed(run)
        failing, answered = self._with_history(run, red)
        facts = Facts(
            run=run,
            waiting=None if run.state is RunState.FINISHED else self.why_waiting(run_id),
            failing=failing,
            failed=failed,
            muted=muted,
            first=self._first(red, works),
            lost=self._lost(run, works),
            made_good=[work for work in works if work.failures and not _is_given_up(work)],
            history_known=answered,
            pods=self._waiting_pods(run, works),
        )
        return _view(facts)

    def _waiting_pods(self, run: Run, works: Sequence[Work]) -> list[PodRecord]:
        """Pods of admitted work that have not begun. Their records are read only where some work is in pods."""
        launched = {
            (work.key.work_id, work.attempt, work.epoch)
            for work in works
            if work.cluster is not None and work.state is WorkState.ADMITTED
        }
        if not launched:
            return []
        return [
            record
            for record in self.pods.of_run(run.run_id)
            if record.state in NOT_BEGUN
            and (record.carrier.key.work_id, record.carrier.attempt, record.carrier.epoch) in launched
        ]

    def _failed(self, run: Run) -> tuple[int, int, list[Case]]:
        """How many cases failed, how many of them are muted, and the first of them: those that gate come first."""
        index = documents.read_index(self.artifacts, run.run_id)
        if index is None:
            known = [case for case in self.runs.failures(run.run_id) if case.status in RED]
            return len(known), 0, known[:MOST_FAILURES]
        found: list[Case] = []
        for status in failed_statuses():
            start, end = index.ranges.get(status, (0, 0))
            rows = documents.read_rows(self.artifacts, run.run_id, index, first=start) if end > start else ()
            found += islice(rows, min(end - start, MOST_FAILURES))
        found.sort(key=lambda case: case.muted is not None)
        failed = sum(
            end - start for status, (start, end) in index.ranges.items() if status in failed_statuses()
        )
        return failed, index.muted, found[:MOST_FAILURES]

    def _with_history(self, run: Run, red: Sequence[Case]) -> tuple[list[Failing], bool]:
        """The failed tests with their past, and whether the history answered: without it they are shown all the same."""
        by_job: dict[JobKey, list[str]] = {}
        for case in red:
            by_job.setdefault(JobKey(run.team, run.suite, case.test, case.variant), []).append(case.id)
        histories: dict[str, TestHistory] = {}
        try:
            for job, ids in by_job.items():
                histories |= self.history.get(job, ids)
        except RetryableError:
            _log.warning("the history of %s did not answer", run.run_id, exc_info=True)
            return [Failing(case) for case in red], False
        return [_failing(case, histories.get(case.id), run) for case in red], True

    def _lost(self, run: Run, works: Sequence[Work]) -> list[Work]:
        """Work that infrastructure gave up and nothing has made good. The plans are read only where some was."""
        if not any(_is_given_up(work) for work in works):
            return []
        index = documents.read_index(self.artifacts, run.run_id)
        plans = documents.read_plans(self.artifacts, run)
        lost = lost_work(plans, works, open_pulls=index.open_pulls if index else None)
        return [work for work in lost if _is_given_up(work)]

    def _first(self, red: Sequence[Case], works: Sequence[Work]) -> First | None:
        """The failed test whose shard ended first; of that shard, the first in its reports."""
        holding = {case.work_id for case in red}
        ended = [
            (work.commit.at, work)
            for work in works
            if work.key.work_id in holding and work.commit is not None
        ]
        if not ended:
            return None
        at, work = min(ended, key=lambda each: (each[0], each[1].key.work_id))
        ids = {case.id: case for case in red if case.work_id == work.key.work_id}
        reported = next((case for case in self._reported(work) if case.id in ids), None)
        return First(ids[reported.id] if reported else next(iter(ids.values())), at)

    def _reported(self, work: Work) -> Iterator[Case]:
        if work.summary is None or work.summary.cases_key is None:
            return
        try:
            yield from documents.read_cases(self.artifacts, work.summary.cases_key)
        except NotFoundError:
            return


def _is_given_up(work: Work) -> bool:
    return work.commit is not None and work.commit.outcome is WorkOutcome.ERROR


def _failing(case: Case, history: TestHistory | None, run: Run) -> Failing:
    return Failing(
        case,
        seen=history is not None,
        known=known_failure(history, run_id=run.run_id),
        odds=flaky_odds(history, run_id=run.run_id) if history is not None else None,
    )


def _view(facts: Facts) -> WhyView:
    run = facts.run
    return WhyView(
        execution_id=run.run_id,
        state=run.state,
        round=run.round,
        verdict=verdict_view(run.verdict) if run.verdict else None,
        cause=cause(facts),
        answer=explain(facts),
        waiting=facts.waiting,
        first_failure=_first_view(facts.first) if facts.first else None,
        failures=tuple(map(_failing_view, facts.failing)),
        more_failures=max(facts.failed - len(facts.failing), 0),
        similar=tuple(
            SimilarFailuresView(message=group.message, tests=group.tests, examples=group.examples)
            for group in alike(facts.failing)
        ),
        lost=tuple(map(_lost_view, facts.lost[:MOST_LOST])),
        made_good=sum(len(work.failures) for work in facts.made_good),
    )


def _first_view(first: First) -> FirstFailureView:
    case = first.case
    return FirstFailureView(name=case.name, work_id=case.work_id, at=to_iso(first.at), message=case.message)


def _failing_view(failing: Failing) -> FailingTestView:
    case, known = failing.case, failing.known
    return FailingTestView(
        id=case.id,
        test=case.test,
        variant=case.variant,
        name=case.name,
        status=case.status,
        work_id=case.work_id,
        attempts=case.attempts,
        message=case.message,
        new=known is None if failing.seen else None,
        known=KnownFailureView(
            since_run=known.since_run,
            since=to_iso(known.since),
            failures=known.failures,
            on_default_branch=known.on_default_branch,
        )
        if known
        else None,
        flaky_odds=failing.odds,
        muted=case.muted,
    )


def _lost_view(work: Work) -> LostWorkView:
    commit = work.commit
    return LostWorkView(
        work_id=work.key.work_id,
        test=work.test,
        outcome=commit.outcome.value if commit else None,
        reason=(commit.reason if commit else None) or "the reason is not known",
        attempts=commit.attempt if commit else work.attempt,
        budget=work.infrastructure_retries + 1,
        lost=tuple(
            LostAttemptView(attempt=each.attempt, reason=each.reason, detail=each.detail, at=to_iso(each.at))
            for each in work.failures
        ),
    )
