"""Reviews: how a definition's revisions are edited, submitted, approved and sent back. Pure; the store keeps what comes out.

An approval is of one exact content: the digest of the spec, and the targets that it resolved to. It never counts for
another content, for a target that was not there, after its time, from somebody who wrote the content or submitted it, or
twice from one person. Every edit is a revision of its own and begins as a draft, so nothing starts until that is approved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.chaos import lifecycle
from crosswind.chaos.model import Approval, Experiment, Revision
from crosswind.chaos.when import next_start
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.contracts.events import DomainEvent, ExperimentMoved
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel import json
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, ForbiddenError

DEFAULT_VALID_FOR = timedelta(hours=168)
MAX_APPROVALS = 20  # on one revision, those that do not count any more included
MAX_EDITORS = 50

_DRAFT, _REVIEW, _APPROVED = RevisionState


@dataclass(frozen=True, slots=True)
class Content:
    """What an author writes."""

    spec: ExperimentSpec
    spec_digest: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A definition behind a move, with the event that tells of it."""

    experiment: Experiment
    event: DomainEvent


def content_digest(spec_digest: str, target_ids: Sequence[str]) -> str:
    """What an approval binds to: the spec and everything that it resolves to."""
    return json.digest({"spec": spec_digest, "targets": sorted(set(target_ids))})


def create(content: Content, *, team: str, name: str, number: int = 1, actor: str, now: datetime) -> Reviewed:
    """A new definition: its first draft. `number` goes on where an earlier definition of the name was deleted."""
    revision = _draft(content, number=number, edited_by=(actor,), now=now)
    experiment = Experiment(
        team=team,
        name=name,
        version=0,
        created_by=actor,
        created_at=now,
        revision=revision,
        labels=dict(content.labels),
    )
    return _told(experiment, "edit", _DRAFT, actor=actor, reason="stored as a draft", now=now)


def edit(experiment: Experiment, content: Content, *, actor: str, now: datetime) -> Reviewed | None:
    """The definition with this content, as a new draft; None where the content is what it was.

    Raises ConflictError where too many people wrote it since it was last approved.
    """
    before = experiment.revision
    if before.spec_digest == content.spec_digest:
        return None
    earlier = () if before.state is _APPROVED else before.edited_by
    edited_by = tuple(dict.fromkeys((*earlier, actor)))
    if len(edited_by) > MAX_EDITORS:
        raise ConflictError(f"{experiment.name} was edited by {MAX_EDITORS} people and never approved")
    draft = _draft(content, number=before.number + 1, edited_by=edited_by, now=now)
    changed = replace(
        experiment, revision=draft, labels=dict(content.labels), next_start=None, start_parameters={}
    )
    reason = f"revision {draft.number} is a new draft"
    return _told(changed, "edit", before.state, actor=actor, reason=reason, now=now)


def submit(experiment: Experiment, *, actor: str, now: datetime) -> Reviewed:
    """Ask for a review. Raises ConflictError unless it is a draft."""
    before = _allowed(experiment, "submit")
    revision = replace(
        before,
        state=_REVIEW,
        submitted_by=actor,
        submitted_at=now,
        updated_at=now,
        approvals=(),
        changes_requested=None,
        changes_requested_by=None,
    )
    changed = replace(experiment, revision=revision)
    return _told(changed, "submit", before.state, actor=actor, reason="asks for a review", now=now)


def approve(
    experiment: Experiment,
    *,
    actor: str,
    target_ids: Sequence[str],
    needed: int,
    comment: str | None,
    now: datetime,
) -> Reviewed:
    """One more yes; with as many as are needed the revision is approved, and its schedule begins.

    Raises:
        ForbiddenError: It is the actor's own.
        ConflictError: It is not under review, or too many approvals are stored.
    """
    before = _allowed(experiment, "approve")
    refuse_own(before, actor)
    spec = before.spec
    valid = spec.approvals.valid_for
    given = Approval(
        by=actor,
        at=now,
        expires_at=now + (timedelta(seconds=duration_seconds(valid)) if valid else DEFAULT_VALID_FOR),
        digest=content_digest(before.spec_digest, target_ids),
        target_ids=tuple(sorted(set(target_ids))),
        comment=comment,
    )
    approvals = (*(each for each in before.approvals if each.by != actor), given)
    if len(approvals) > MAX_APPROVALS:
        raise ConflictError(f"{experiment.name} has {MAX_APPROVALS} approvals already")
    revision = replace(before, approvals=approvals, updated_at=now)
    count = len(counting(revision, target_ids=target_ids, now=now))
    reached = count >= needed
    revision = replace(revision, state=_APPROVED if reached else before.state)
    changed = replace(experiment, revision=revision)
    if reached and before.state is not _APPROVED and spec.schedule is not None:
        changed = replace(changed, next_start=next_start(spec.schedule, after=now))
    reason = f"{count} of {needed} approvals{f': {comment}' if comment else ''}"
    return _told(changed, "approve", before.state, actor=actor, reason=reason, now=now)


def request_changes(experiment: Experiment, *, actor: str, reason: str, now: datetime) -> Reviewed:
    """Send it back as a draft; its approvals are void. Raises ConflictError where it is a draft already."""
    before = _allowed(experiment, "request-changes")
    revision = replace(
        before,
        state=_DRAFT,
        updated_at=now,
        approvals=(),
        submitted_by=None,
        submitted_at=None,
        changes_requested=reason,
        changes_requested_by=actor,
    )
    changed = replace(experiment, revision=revision, next_start=None, start_parameters={})
    return _told(changed, "request-changes", before.state, actor=actor, reason=reason, now=now)


def counting(revision: Revision, *, target_ids: Sequence[str], now: datetime) -> tuple[Approval, ...]:
    """The approvals that count for exactly this content and these targets at this moment. The gate asks it, too."""
    last = {each.by: each for each in revision.approvals}
    return tuple(
        each for each in last.values() if why_not(revision, each, target_ids=target_ids, now=now) is None
    )


def why_not(
    revision: Revision, approval: Approval, *, target_ids: Sequence[str] | None, now: datetime
) -> str | None:
    """Why an approval does not count; None where it does. Targets that are not known (None) are not looked at."""
    if approval.by == revision.submitted_by or approval.by in revision.edited_by:
        return "nobody approves their own"
    if approval.digest != content_digest(revision.spec_digest, approval.target_ids):
        return "it is of another content"
    if not approval.at <= now < approval.expires_at:
        return f"it expired at {to_iso(approval.expires_at)}"
    grown = set(target_ids or ()) - set(approval.target_ids)
    if grown:
        return f"{min(grown)} was not among the targets that were approved"
    return None


def refuse_own(revision: Revision, actor: str) -> None:
    """Raises ForbiddenError for whoever wrote this content or submitted it."""
    if actor in revision.edited_by:
        raise ForbiddenError(
            f"you wrote revision {revision.number} or what it is made from: somebody else approves it"
        )
    if actor == revision.submitted_by:
        raise ForbiddenError(f"you submitted revision {revision.number}: somebody else approves it")


def _draft(content: Content, *, number: int, edited_by: tuple[str, ...], now: datetime) -> Revision:
    return Revision(
        number=number,
        state=_DRAFT,
        spec=content.spec,
        spec_digest=content.spec_digest,
        edited_by=edited_by,
        updated_at=now,
    )


def _allowed(experiment: Experiment, action: str) -> Revision:
    revision = experiment.revision
    lifecycle.check_action(revision.state, action, what=f"revision {revision.number} of {experiment.name}")
    return revision


def _told(
    experiment: Experiment, move: str, before: RevisionState, *, actor: str, reason: str, now: datetime
) -> Reviewed:
    revision = experiment.revision
    legal = lifecycle.find(before, revision.state)
    if legal is None:  # a fault in this module: the table has the last word
        raise ConflictError(f"{before.value} cannot become {revision.state.value}")
    detail = ExperimentMoved(
        experiment=experiment.name,
        team=experiment.team,
        environment=revision.spec.environment,
        revision=revision.number,
        service=revision.spec.service,
        move=move,
        from_state=before.value,
        to_state=revision.state.value,
        actor=actor,
        reason=reason[:1000],
    )
    event_id = f"{experiment.team}-{experiment.name}-{to_iso(now)}-{experiment.version + 1}"
    return Reviewed(experiment, lifecycle.told(event_id, detail, now=now))
