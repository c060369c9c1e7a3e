"""The end of a stage and of a run: CloseStage, FoldRun, JudgeRun, PublishRun, and RecordFailure on the way there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from crosswind.contracts.events import DomainEvent, RunFinished
from crosswind.contracts.requests import CaseStatus, RunState, VerdictKind
from crosswind.contracts.resolved import Plan, PlannedShard, ResultsIndex
from crosswind.contracts.tasks import FoldRunAnswer, PlanOutcome, PlanRunAnswer, StateError
from crosswind.contracts.work import Ticket, WorkKind, WorkOutcome
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import layout, protocol
from crosswind.runs.evidence import RED
from crosswind.runs.folding import Folded, ShardRecords, StageNotRun, fold_run, stage_not_run
from crosswind.runs.judging import Evidence, judge
from crosswind.runs.model import Run, RunFailure, ShardSummary, Verdict, Work, WorkKey
from crosswind.runs.ports import EventBus, ObjectStore, RunStore, WorkStore
from crosswind.runs.protocol import Transition
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.changing import ChangeWork
from crosswind.runs.usecases.planning import next_stage
from crosswind.runs.usecases.reading_ahead import CasesAhead, reading_ahead

PAGE_ROWS = 500
NAMES_IN_A_REASON = 3
_DETAIL_CHARS = 2_000


@dataclass(frozen=True)
class CloseStage:
    """Decide whether the next stage runs: only when this one passed, each planned test of it, and nobody cancelled."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    pause: Pause

    def __call__(self, run_id: str, *, stage: int) -> PlanRunAnswer:
        """Where to go on."""
        run = self.runs.get(run_id)
        if run.cancel_requested_at is not None or run.state is RunState.FINISHED:
            return _stop("The run was cancelled." if run.cancel_requested_at else "The run is finished.")
        plan = documents.read_plan(self.artifacts, run_id)
        if plan is None or stage >= len(plan.stages):
            return _stop("The run has no plan for this stage.")
        works = {work.key.work_id: work for work in self.works.of_run(run_id)}
        for shard in plan.stages[stage].shards:
            why = _why_not_passed(shard, works.get(shard.work_id))
            if why is not None:
                return _stop(f"Stage {plan.stages[stage].name!r} did not pass: {why}.")
        following = next_stage(plan, stage + 1, bucket=self.artifacts.bucket)
        if following is None:
            return _stop("That was the last stage.")
        documents.change_run(
            self.runs,
            run_id,
            lambda stored: replace(stored, current_stage=max(following.stage, stored.current_stage or 0)),
            pause=self.pause,
        )
        return PlanRunAnswer(outcome=PlanOutcome.PROCEED, next=following)


def _stop(reason: str) -> PlanRunAnswer:
    return PlanRunAnswer(outcome=PlanOutcome.STOP, reason=reason[:1000])


def _why_not_passed(shard: PlannedShard, work: Work | None) -> str | None:
    if work is None or work.commit is None:
        return f"{shard.work_id} never ended"
    if work.commit.outcome is not WorkOutcome.COMPLETED:
        return f"{shard.work_id} ended as {work.commit.outcome}: {work.commit.reason or 'no reason is known'}"
    if work.summary is None:
        return f"the reports of {shard.work_id} were not read"
    return _why_not_green(shard, work.summary)


def _why_not_green(shard: PlannedShard, summary: ShardSummary) -> str | None:
    if summary.failed or summary.errors:
        return f"{summary.failed + summary.errors} tests of {shard.work_id} failed"
    if summary.faults:
        return f"{shard.work_id}: {summary.faults[0]}"
    if summary.tests < len(shard.test_ids or ()):
        return f"{shard.work_id} was given {len(shard.test_ids or ())} tests and reports {summary.tests}"
    return None


@dataclass(frozen=True)
class FoldRun:
    """Put the results of all shards together: pages of cases, the index, the counts on the run. Safe to repeat."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    pause: Pause

    def __call__(self, run_id: str) -> FoldRunAnswer:
        """How much there is."""
        run = documents.change_run(self.runs, run_id, _judging, pause=self.pause)
        plan = documents.read_plan(self.artifacts, run_id) or Plan(run_id=run_id, stages=(), method="none")
        folded = self._fold(run, plan)
        pages = 0
        rows = iter(folded.cases)
        while page := list(islice(rows, PAGE_ROWS)):
            documents.write_cases(self.artifacts, layout.results_page_key(run_id, pages), page)
            pages += 1
        index = ResultsIndex(
            page_size=PAGE_ROWS, total=len(folded.cases), ranges=folded.ranges(), faults=folded.faults
        )
        documents.write(self.artifacts, layout.results_index_key(run_id), index)
        counts = {status.value: count for status, count in folded.counts.items()}
        documents.change_run(
            self.runs, run_id, lambda stored: replace(stored, case_counts=counts), pause=self.pause
        )
        return FoldRunAnswer(tests=len(folded.cases), pages=pages)

    def _fold(self, run: Run, plan: Plan) -> Folded:
        works = {work.key.work_id: work for work in self.works.of_run(run.run_id)}
        planned = [works.get(shard.work_id) for stage in plan.stages for shard in stage.shards]
        summaries = [work.summary for work in planned if work and work.summary]
        keys = [summary.cases_key for summary in summaries if summary.cases_key]
        with reading_ahead(self.artifacts, keys) as ahead:
            return fold_run(
                plan,
                {work_id: self._records(work, ahead) for work_id, work in works.items()},
                team=run.team,
                suite=run.suite,
                stopped=run.cancel_requested_at is not None,
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


def _judging(run: Run) -> Run:
    return run if run.state is RunState.FINISHED else replace(run, state=RunState.JUDGING)


@dataclass(frozen=True)
class JudgeRun:
    """Give the run its verdict, from what was folded and from what is known of its shards. Set once."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
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
        plan = documents.read_plan(self.artifacts, run.run_id)
        index = documents.read_index(self.artifacts, run.run_id)
        works = {
            work.key.work_id: work for work in self.works.of_run(run.run_id) if work.kind is WorkKind.SHARD
        }
        return Evidence(
            cancelled=run.cancel_requested_at is not None,
            cancelled_by=run.cancelled_by,
            failure=run.failure,
            planned=plan is not None,
            plan_reason=plan.reason if plan else None,
            plan_errors=plan.errors if plan else (),
            counts={status: end - start for status, (start, end) in index.ranges.items()} if index else None,
            failed_names=self._failed_names(run.run_id, index),
            faults=index.faults if index else (),
            lost_shards=tuple(_lost(works)),
            not_run=_not_run(plan, works) if plan else (),
            gates=documents.read_suite(self.artifacts, run).gates,
        )

    def _failed_names(self, run_id: str, index: ResultsIndex | None) -> tuple[str, ...]:
        if index is None or not any(status in RED for status in index.ranges):
            return ()
        page = documents.read_cases(self.artifacts, layout.results_page_key(run_id, 0))
        red = (case.name for case in page if case.status in RED)
        return tuple(islice(red, NAMES_IN_A_REASON))


def _lost(works: dict[str, Work]) -> Iterator[str]:
    """Shards that infrastructure did not bring to an end, as sentences."""
    for work_id, work in sorted(works.items()):
        if work.commit is None:
            yield f"{work_id} of {work.test!r} never ended"
        elif work.commit.outcome is not WorkOutcome.COMPLETED:
            reason = work.commit.reason or "the reason is not known"
            ended = "was cancelled" if work.commit.outcome is WorkOutcome.CANCELLED else "was given up"
            yield f"{work_id} of {work.test!r} {ended}: {reason}"


def _not_run(plan: Plan, works: dict[str, Work]) -> tuple[StageNotRun, ...]:
    """Stages none of whose shards was ever enqueued."""
    return tuple(
        stage_not_run(stage)
        for stage in plan.stages
        if stage.shards and not any(shard.work_id in works for shard in stage.shards)
    )


@dataclass(frozen=True)
class PublishRun:
    """Finish the run and tell the world: record and event in one transaction, then the event goes out. Safe to repeat."""

    runs: RunStore
    bus: EventBus
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str) -> Run:
        """The finished run. An event that could not be sent stays in the outbox, and the sweep sends it."""
        run = self._finish(run_id)
        event = _event(run)
        if any(unsent.id == event.id for unsent in self.runs.unsent_events()):
            self.bus.publish([event])
            self.runs.mark_sent(event.id)
        return run

    def _finish(self, run_id: str) -> Run:
        def attempt() -> Run:
            run = self.runs.get(run_id)
            if run.state is RunState.FINISHED:
                return run
            finished = replace(
                run,
                state=RunState.FINISHED,
                finished_at=self.clock.now(),
                verdict=_last_verdict(run),
            )
            return self.runs.finish(finished, _event(finished))

        return retry_conflicts(attempt, pause=self.pause)


def _last_verdict(run: Run) -> Verdict:
    """The verdict; of a run that was cancelled after it had been judged, that it was cancelled."""
    if run.verdict is None:
        return _unjudged(run)
    if run.cancel_requested_at is None or run.verdict.kind is VerdictKind.CANCELLED:
        return run.verdict
    return Verdict(VerdictKind.CANCELLED, f"{_unjudged(run).reason} Until then: {run.verdict.reason}")


def _unjudged(run: Run) -> Verdict:
    """The verdict of a run that could not be judged: never better than an error."""
    if run.cancel_requested_at is not None:
        by = f" by {run.cancelled_by}" if run.cancelled_by else ""
        return Verdict(VerdictKind.CANCELLED, f"The run was cancelled{by}.")
    why = f"{run.failure.state} gave up: {run.failure.detail}" if run.failure else "no reason was recorded"
    return Verdict(VerdictKind.ERROR, f"The run could not be judged: {why}")


def _event(run: Run) -> DomainEvent:
    """The event of a finished run: the same for every call, so that a repeated delivery can be recognised."""
    finished = to_iso(run.finished_at or run.created_at)
    verdict = run.verdict or _unjudged(run)
    failed = sum(run.case_counts.get(status.value, 0) for status in (CaseStatus.FAILED, CaseStatus.ERROR))
    return DomainEvent(
        id=f"{run.run_id}.finished",
        occurred_at=finished,
        team=run.team,
        detail=RunFinished(
            run_id=run.run_id,
            team=run.team,
            suite=run.suite,
            verdict=verdict.kind.value,
            reason=verdict.reason,
            tests=sum(run.case_counts.values()),
            failed=failed,
            started_at=to_iso(run.started_at or run.created_at),
            finished_at=finished,
            actor=run.actor,
        ),
    )


@dataclass(frozen=True)
class RecordFailure:
    """A state of the machine gave up, after its retries: note it where the verdict will look."""

    runs: RunStore
    change: ChangeWork
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str, *, state: str, failure: StateError, ticket: Ticket | None) -> None:
        """Of one shard when there is a ticket, else of the run. The first failure of a run is the one that is kept."""
        detail = f"{failure.error}: {failure.cause}".strip(": ")[:_DETAIL_CHARS]
        if ticket is not None:
            key = WorkKey(ticket.run_id, ticket.work_id)
            self.change(key, lambda work: self._end(work, state, detail))
            if self.change.works.get(key) is not None:
                return
            detail = f"{ticket.work_id} was never enqueued: {detail}"
        noted = RunFailure(state=state, kind="infrastructure", detail=detail, at=self.clock.now())
        documents.change_run(
            self.runs,
            run_id,
            lambda run: run if run.failure else replace(run, failure=noted),
            pause=self.pause,
        )

    def _end(self, work: Work | None, state: str, detail: str) -> Transition | None:
        if work is None:
            return None
        if work.commit is None:
            return protocol.give_up(work, reason=f"{state}: {detail}", now=self.clock.now())
        unread = ShardSummary(
            0, 0, 0, 0, 0, 0, cases_key=None, faults=(f"its reports were not read: {state}: {detail}",)
        )
        return protocol.summarise(work, summary=unread)
