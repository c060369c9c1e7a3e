"""The end of a stage and of a run: CloseStage, PublishRun, and RecordFailure on the way there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from crosswind.contracts.events import DomainEvent, RunFinished
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.resolved import Plan, PlannedPull, PlannedShard, PlannedStage
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.tasks import PlanOutcome, PlanRunAnswer, StageRef, StateError
from crosswind.contracts.work import Ticket, WorkOutcome
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import beside, protocol
from crosswind.runs.effects import Transition
from crosswind.runs.evidence import RED
from crosswind.runs.history import quarantine
from crosswind.runs.history.ports import QuarantineStore
from crosswind.runs.model import Run, RunFailure, RunPurpose, ShardSummary, Verdict, Work, WorkKey
from crosswind.runs.ports import EventBus, ObjectStore, RunStore, WorkStore
from crosswind.runs.stages import next_index
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.changing import ChangeWork

_DETAIL_CHARS = 2_000


@dataclass(frozen=True)
class CloseStage:
    """Decide which stage runs next, by the conditions of the stages and by whether each planned test so far has passed."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    quarantines: QuarantineStore
    end_beside: Callable[[str, int], Run]  # EndBeside
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str, *, stage: int) -> PlanRunAnswer:
        """Where to go on. While the experiment beside the stage is being undone and judged: here, once more."""
        run = self.end_beside(run_id, stage)
        if run.cancel_requested_at is not None or run.state is RunState.FINISHED:
            return _stop("The run was cancelled." if run.cancel_requested_at else "The run is finished.")
        plan = documents.read_round(self.artifacts, run)
        if plan is None or stage >= len(plan.stages):
            return _stop("The run has no plan for this stage.")
        record = beside.of_stage(run, stage)
        if record is not None and beside.waits(record, self.clock.now()):
            return PlanRunAnswer(outcome=PlanOutcome.WAITING, next=self._ref(plan, stage))
        if record is not None and beside.leaves_faults(record):
            return _stop(
                f"Experiment {record.experiment!r} beside stage {plan.stages[stage].name!r} is not known to be undone."
            )
        why = self._first_failure(run, plan, stage)
        following = next_index(plan.stages, stage + 1, failed_before=why is not None)
        if following is None:
            return _stop(why or "That was the last stage.")
        documents.change_run(
            self.runs,
            run_id,
            lambda stored: replace(stored, current_stage=max(following, stored.current_stage or 0)),
            pause=self.pause,
        )
        return PlanRunAnswer(outcome=PlanOutcome.PROCEED, next=self._ref(plan, following))

    def _ref(self, plan: Plan, stage: int) -> StageRef:
        return StageRef(
            stage=stage,
            shards_bucket=self.artifacts.bucket,
            shards_key=plan.stages[stage].tickets_key,
        )

    def _first_failure(self, run: Run, plan: Plan, stage: int) -> str | None:
        """Why the first stage that did not pass did not; None where all have, up to this one."""
        works = {work.key.work_id: work for work in self.works.of_run(run.run_id)}
        muted = quarantine.muted(self.quarantines.of_suite(run.team, run.suite), now=self.clock.now())
        for index, each in enumerate(plan.stages[: stage + 1]):
            began = index == stage or any(shard.work_id in works for shard in each.shards)
            why = self._why_not_passed(each, plan, works, muted) if began else None
            if why is not None:
                return f"Stage {each.name!r} did not pass: {why}."
        return None

    def _why_not_passed(
        self,
        stage: PlannedStage,
        plan: Plan,
        works: Mapping[str, Work],
        muted: Mapping[tuple[str, str], object],
    ) -> str | None:
        pulling = {work_id for pull in plan.pulls for work_id in pull.work_ids}
        for shard in stage.shards:
            work = works.get(shard.work_id)
            why = _why_not_read(shard.work_id, work, pulls=shard.work_id in pulling)
            if why is None and work is not None and work.summary is not None:
                why = self._why_not_green(shard, work.summary, muted)
            if why is not None:
                return why
        mine = {shard.work_id for shard in stage.shards}
        incomplete = (
            _why_incomplete(pull, works) for pull in plan.pulls if not mine.isdisjoint(pull.work_ids)
        )
        return next((why for why in incomplete if why is not None), None)

    def _why_not_green(
        self, shard: PlannedShard, summary: ShardSummary, muted: Mapping[tuple[str, str], object]
    ) -> str | None:
        red = summary.failed + summary.errors
        if red and muted and summary.cases_key is not None:
            cases = documents.read_cases(self.artifacts, summary.cases_key)
            red = sum(case.status in RED and (case.test, case.name) not in muted for case in cases)
        if red:
            return f"{red} tests of {shard.work_id} failed"
        if summary.faults:
            return f"{shard.work_id}: {summary.faults[0]}"
        if summary.tests < len(shard.test_ids or ()):
            return f"{shard.work_id} was given {len(shard.test_ids or ())} tests and reports {summary.tests}"
        return None


def _stop(reason: str) -> PlanRunAnswer:
    return PlanRunAnswer(outcome=PlanOutcome.STOP, reason=reason[:1000])


def _why_not_read(work_id: str, work: Work | None, *, pulls: bool) -> str | None:
    """Why there are no results of a shard. One that pulls may be lost: what it did not do, the others did or is missing."""
    if pulls:
        return None
    if work is None or work.commit is None:
        return f"{work_id} never ended"
    if work.commit.outcome is not WorkOutcome.COMPLETED:
        return f"{work_id} ended as {work.commit.outcome}: {work.commit.reason or 'no reason is known'}"
    return f"the reports of {work_id} were not read" if work.summary is None else None


def _why_incomplete(pull: PlannedPull, works: Mapping[str, Work]) -> str | None:
    known = [works[work_id].summary for work_id in pull.work_ids if work_id in works]
    recorded = sum(summary.tests for summary in known if summary is not None)
    if recorded >= len(pull.test_ids):
        return None
    return f"the shards of test job {pull.test!r} report {recorded} of its {len(pull.test_ids)} tests"


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
        event = self.runs.unsent_event(_event_id(run))
        if event is not None:
            self.bus.publish([event])
            self.runs.mark_sent(event.id)
        return run

    def _finish(self, run_id: str) -> Run:
        def attempt() -> Run:
            run = self.runs.get(run_id)
            if run.state is RunState.FINISHED or _is_of_the_round_before(run):
                return run
            ended = replace(run, state=RunState.FINISHED, finished_at=self.clock.now())
            if (
                run.purpose is RunPurpose.PLAN
            ):  # nothing ran, so there is nothing to judge and nothing to tell
                return self.runs.save(ended)
            finished = replace(ended, verdict=_last_verdict(run))
            return self.runs.finish(finished, _event(finished))

        return retry_conflicts(attempt, pause=self.pause)


def _is_of_the_round_before(run: Run) -> bool:
    """Whether this call ended a round that is over: repeated, it finds the run reopened and nothing of the new round known.

    Where a new round has come to its end without any of these, its execution ends here, and the recovery takes over.
    """
    return run.round > 1 and run.verdict is None and run.failure is None and run.cancel_requested_at is None


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


def _event_id(run: Run) -> str:
    """Of the event that ends the present round: a rerun ends the run once more."""
    return f"{run.run_id}.finished" + (f".{run.round}" if run.round > 1 else "")


def _event(run: Run) -> DomainEvent:
    """The event of a finished run: the same for every call, so that a repeated delivery can be recognised."""
    finished = to_iso(run.finished_at or run.created_at)
    verdict = run.verdict or _unjudged(run)
    failed = sum(run.case_counts.get(status.value, 0) for status in (CaseStatus.FAILED, CaseStatus.ERROR))
    return DomainEvent(
        id=_event_id(run),
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
            round=run.round,
            muted=run.muted,
            trigger=run.trigger,
            chain=run.chain,
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
