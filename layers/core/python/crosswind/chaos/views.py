"""Runs, injections and timelines as the API shows them. Used by the reading use cases, by moves, and by the report."""

from collections.abc import Iterable, Sequence

from crosswind.chaos import lifecycle
from crosswind.chaos.model import ExperimentRun, Injection, Target, TimelineEvent
from crosswind.contracts.chaos.runs import (
    AbortView,
    ExperimentRunSummary,
    ExperimentRunView,
    FaultView,
    TargetView,
    TimelineEntry,
)
from crosswind.kernel.clock import to_iso

SHOWN_TARGETS = 100
_DETAIL_CHARACTERS = 1000


def run_view(run: ExperimentRun, injections: Sequence[Injection]) -> ExperimentRunView:
    """A run with its faults. A run whose abort is recorded cannot be aborted again."""
    aborted = run.abort
    return ExperimentRunView(
        run_id=run.run_id,
        experiment=run.experiment,
        team=run.team,
        revision=run.revision,
        environment=run.environment,
        service=run.service,
        state=run.state,
        actions=lifecycle.actions(run.state) if aborted is None else (),
        step=run.step,
        steps=run.steps,
        created_at=to_iso(run.created_at),
        started_at=to_iso(run.started_at) if run.started_at else None,
        finished_at=to_iso(run.finished_at) if run.finished_at else None,
        blocked_until=to_iso(run.blocked_until) if run.blocked_until else None,
        requested_by=run.requested_by,
        trigger=run.trigger,
        parent_run=run.parent_run,
        abort=AbortView(cause=aborted.cause, reason=aborted.reason, by=aborted.by, at=to_iso(aborted.at))
        if aborted
        else None,
        verdict=run.verdict,
        reason=run.reason,
        faults=tuple(fault_view(each) for each in injections),
        decision=run.decision,
        timings=run.timings,
    )


def run_summary(run: ExperimentRun) -> ExperimentRunSummary:
    """One row."""
    return ExperimentRunSummary(
        run_id=run.run_id,
        experiment=run.experiment,
        team=run.team,
        revision=run.revision,
        environment=run.environment,
        service=run.service,
        state=run.state,
        verdict=run.verdict,
        reason=run.reason,
        created_at=to_iso(run.created_at),
        finished_at=to_iso(run.finished_at) if run.finished_at else None,
        requested_by=run.requested_by,
    )


def fault_view(injection: Injection) -> FaultView:
    """One fault in one step."""
    return FaultView(
        step=injection.step,
        name=injection.fault,
        provider=injection.provider,
        action=injection.action,
        percent=injection.percent,
        state=injection.state,
        targets=target_views(injection.targets),
        injected_at=to_iso(injection.injected_at) if injection.injected_at else None,
        removed_at=to_iso(injection.removed_at) if injection.removed_at else None,
        detail=injection.detail[:_DETAIL_CHARACTERS] if injection.detail else None,
    )


def target_views(targets: Iterable[Target]) -> tuple[TargetView, ...]:
    """The first of them, so that an answer stays small."""
    shown = tuple(targets)[:SHOWN_TARGETS]
    return tuple(
        TargetView(
            provider=each.provider, kind=each.kind, id=each.id, name=each.name, namespace=each.namespace
        )
        for each in shown
    )


def timeline_entry(line: TimelineEvent) -> TimelineEntry:
    """One line."""
    return TimelineEntry(
        at=to_iso(line.at),
        number=line.number,
        kind=line.kind,
        actor=line.actor,
        text=line.text,
        state=line.state,
        fault=line.fault,
    )
