"""Reading runs: one, with what its shards are doing, and a team's."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.contracts.requests import (
    CaseCounts,
    RoundView,
    RunState,
    RunSummary,
    RunView,
    ShardCounts,
    ShardView,
    StageChaosView,
    VerdictKind,
    VerdictView,
)
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkKind
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import NotFoundError
from crosswind.kernel.paging import Page
from crosswind.runs import beside
from crosswind.runs.model import Beside, RoundRecord, Run, Verdict, Work, WorkState, WorkTally, tally_of
from crosswind.runs.ports import RunFilter, RunStore, WorkStore

MAX_WORK_SHOWN = 1000


@dataclass(frozen=True)
class FindRun:
    """A run, if the actor may do something with it. A run of another team answers as one that does not exist."""

    runs: RunStore
    guard: Guard

    def __call__(self, run_id: str, *, actor: Actor, action: Action = Action.READ_RUNS) -> Run:
        """The run. Raises NotFoundError, ForbiddenError."""
        missing = f"there is no run {run_id}"
        try:
            run = self.runs.get(run_id)
        except NotFoundError:
            raise NotFoundError(missing) from None
        self.guard.require_for(actor, action, team=run.team, missing=missing)
        return run


@dataclass(frozen=True)
class GetRun:
    """A run as it is now. While it goes on, its counts come from the shards: ingested ones, and what runners tell."""

    find: FindRun
    works: WorkStore

    def __call__(self, run_id: str, *, detail: bool, actor: Actor) -> RunView:
        """The run. Raises NotFoundError, ForbiddenError."""
        return self.view(self.find(run_id, actor=actor), detail=detail)

    def view(self, run: Run, *, detail: bool) -> RunView:
        """A run that the caller may read."""
        folded = bool(run.case_counts)
        works = tuple(self.works.of_run(run.run_id)) if detail else ()
        shards = [tally for tally in self._tallies(run, works) if tally.kind is WorkKind.SHARD]
        return RunView(
            execution_id=run.run_id,
            team=run.team,
            suite=run.suite,
            priority=run.priority,
            state=run.state,
            stage=_stage(run),
            actor=run.actor,
            created_at=to_iso(run.created_at),
            started_at=to_iso(run.started_at) if run.started_at else None,
            finished_at=to_iso(run.finished_at) if run.finished_at else None,
            parameters=run.parameters,
            labels=run.labels,
            cancel_requested=run.cancel_requested_at is not None,
            paused_at=to_iso(run.paused_at) if run.paused_at else None,
            paused_by=run.paused_by,
            tests=_folded_counts(run) if folded else _live_counts(run, shards),
            shards=_shard_counts(run, shards),
            work=tuple(shard_view(work, run) for work in works[:MAX_WORK_SHOWN]) if detail else None,
            verdict=verdict_view(run.verdict) if run.verdict else None,
            round=run.round,
            rounds=tuple(_round_view(each) for each in run.rounds),
            trigger=run.trigger,
            chaos=tuple(_chaos_view(run, each) for each in run.beside if each.round == 1 or each.began_at),
        )

    def _tallies(self, run: Run, works: Sequence[Work]) -> Iterable[WorkTally]:
        """What is counted of the run's work: whole items, mostly tokens and orders, are for detail only."""
        if works:
            return map(tally_of, works)
        if run.case_counts and run.state is RunState.FINISHED:
            return ()
        return self.works.tallies(run.run_id)


@dataclass(frozen=True)
class ListRuns:
    """A team's runs, newest first."""

    runs: RunStore
    guard: Guard

    def __call__(
        self,
        *,
        team: str | None,
        suite: str | None,
        state: RunState | None,
        verdict: VerdictKind | None,
        limit: int,
        cursor: str | None,
        actor: Actor,
    ) -> Page[RunSummary]:
        """A page. Raises ForbiddenError, and InvalidInputError for a cursor that no page gave."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_RUNS, team=owner)
        wanted = RunFilter(team=owner, suite=suite, state=state, verdict=verdict)
        page = self.runs.list_runs(wanted, limit=limit, cursor=cursor)
        return Page(tuple(_summary(run) for run in page.items), page.cursor)


def _chaos_view(run: Run, record: Beside) -> StageChaosView:
    return StageChaosView(
        stage=beside.stage_name(run, record.stage),
        round=record.round,
        experiment=record.experiment,
        required=record.required,
        experiment_run=record.experiment_run,
        state=record.state,
        verdict=record.verdict,
        reason=record.reason,
        injected_at=to_iso(record.injected_at) if record.injected_at else None,
        removed_at=to_iso(record.removed_at) if record.removed_at else None,
    )


def shard_view(work: Work, run: Run) -> ShardView:
    """One piece of the run's work as the API shows it."""
    last = work.failures[-1] if work.failures else None
    reason = work.commit.reason if work.commit else f"{last.reason}: {last.detail}" if last else None
    done, failed = work.progress.tests_done, work.progress.tests_failed
    if work.summary is not None:
        done, failed = work.summary.tests, work.summary.failed + work.summary.errors
    return ShardView(
        work_id=work.key.work_id,
        test=work.test,
        stage=work.stage,
        state=work.state.value,
        attempt=work.attempt,
        runner=work.lease.runner_id if work.lease else None,
        tests_done=done,
        tests_failed=failed,
        outcome=work.commit.outcome.value if work.commit else None,
        reason=reason,
        chaos=beside.under(run.beside, work),
    )


def _stage(run: Run) -> str | None:
    index = run.current_stage
    return run.stage_names[index] if index is not None and index < len(run.stage_names) else None


def _shard_counts(run: Run, shards: Sequence[WorkTally]) -> ShardCounts:
    """Shards of the plan that were not enqueued yet wait too; those of a finished run never will run."""
    states = Counter(work.state for work in shards)
    total = max(len(shards), run.plan.shards if run.plan else 0)
    running = states[WorkState.ADMITTED] + states[WorkState.LEASED]
    done = states[WorkState.DONE]
    if run.state is RunState.FINISHED:
        return ShardCounts(total=total, done=done if shards else total)
    return ShardCounts(total=total, waiting=total - running - done, running=running, done=done)


def _folded_counts(run: Run) -> CaseCounts:
    counts = {status.value: run.case_counts.get(status.value, 0) for status in CaseStatus}
    return CaseCounts(total=sum(counts.values()), muted=run.muted, **counts)


def verdict_view(verdict: Verdict) -> VerdictView:
    """A verdict as the API shows it."""
    return VerdictView(kind=verdict.kind, reason=verdict.reason)


def _round_view(record: RoundRecord) -> RoundView:
    counts = {status.value: record.case_counts.get(status.value, 0) for status in CaseStatus}
    return RoundView(
        round=record.round,
        verdict=verdict_view(record.verdict),
        tests=CaseCounts(total=sum(counts.values()), **counts),
        started_at=to_iso(record.started_at),
        finished_at=to_iso(record.finished_at),
    )


def _live_counts(run: Run, shards: Sequence[WorkTally]) -> CaseCounts:
    counted: Counter[str] = Counter()
    for work in shards:
        summary = work.summary
        if summary is not None:
            counted.update(
                passed=summary.passed,
                failed=summary.failed,
                error=summary.errors,
                skipped=summary.skipped,
                flaky=summary.flaky,
            )
        elif work.leased:
            failed = work.progress.tests_failed
            counted.update(failed=failed, passed=max(work.progress.tests_done - failed, 0))
    planned = run.plan.tests if run.plan and run.plan.tests else 0
    return CaseCounts(total=max(planned, counted.total()), **counted)


def _summary(run: Run) -> RunSummary:
    return RunSummary(
        execution_id=run.run_id,
        team=run.team,
        suite=run.suite,
        priority=run.priority,
        state=run.state,
        actor=run.actor,
        created_at=to_iso(run.created_at),
        finished_at=to_iso(run.finished_at) if run.finished_at else None,
        verdict=run.verdict.kind if run.verdict else None,
    )
