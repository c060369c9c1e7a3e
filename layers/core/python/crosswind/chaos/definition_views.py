"""Definitions and their reviews as the API shows them."""

from collections.abc import Sequence
from datetime import datetime

from crosswind.chaos import lifecycle
from crosswind.chaos.model import Approval, Experiment, ExperimentRun, Revision
from crosswind.chaos.reviewing import why_not
from crosswind.chaos.views import run_summary
from crosswind.contracts.chaos.definitions import (
    ApprovalView,
    ExperimentSummary,
    ExperimentView,
    ReviewView,
)
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.kernel.clock import to_iso

SCHEDULE = "schedule"  # no move: it says when `start` happens by itself


def experiment_view(
    experiment: Experiment,
    *,
    revision: Revision,
    needed: int,
    runs: Sequence[ExperimentRun],
    now: datetime,
) -> ExperimentView:
    """A definition with one of its revisions; only the newest has moves."""
    newest = revision.number == experiment.revision.number
    return ExperimentView(
        name=experiment.name,
        team=experiment.team,
        revision=revision.number,
        state=revision.state,
        digest=revision.spec_digest,
        created_by=experiment.created_by,
        updated_by=revision.edited_by[-1],
        updated_at=to_iso(revision.updated_at),
        labels=dict(experiment.labels),
        actions=_actions(revision) if newest else (),
        review=review_view(revision, needed=needed, now=now),
        spec=revision.spec,
        next_start=to_iso(experiment.next_start) if experiment.next_start and not experiment.paused else None,
        paused=experiment.paused,
        runs=tuple(run_summary(each) for each in runs),
    )


def review_view(revision: Revision, *, needed: int, now: datetime) -> ReviewView:
    """Where a revision stands. Whether the targets have grown is only known when they are resolved: see the preview."""
    return ReviewView(
        submitted_by=revision.submitted_by,
        submitted_at=to_iso(revision.submitted_at) if revision.submitted_at else None,
        approvals=tuple(_approval_view(revision, each, now) for each in revision.approvals),
        needed=needed,
        changes_requested=revision.changes_requested,
        changes_requested_by=revision.changes_requested_by,
    )


def experiment_summary(experiment: Experiment, last_run: ExperimentRun | None) -> ExperimentSummary:
    """One row."""
    revision = experiment.revision
    return ExperimentSummary(
        name=experiment.name,
        team=experiment.team,
        revision=revision.number,
        state=revision.state,
        environment=revision.spec.environment,
        service=revision.spec.service,
        risk=revision.spec.risk,
        title=revision.spec.hypothesis.title,
        updated_at=to_iso(revision.updated_at),
        last_run=run_summary(last_run) if last_run else None,
    )


def _actions(revision: Revision) -> tuple[str, ...]:
    legal = lifecycle.actions(revision.state)
    return (*legal, SCHEDULE) if revision.state is RevisionState.APPROVED else legal


def _approval_view(revision: Revision, approval: Approval, now: datetime) -> ApprovalView:
    refusal = why_not(revision, approval, target_ids=None, now=now)
    return ApprovalView(
        by=approval.by,
        at=to_iso(approval.at),
        expires_at=to_iso(approval.expires_at),
        digest=approval.digest,
        targets=len(approval.target_ids),
        counts=refusal is None,
        why_not=refusal,
    )
