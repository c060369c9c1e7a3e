"""Reviews: submit, approve, request changes."""

from collections.abc import Callable
from dataclasses import dataclass

from crosswind.chaos import lifecycle, reviewing
from crosswind.chaos.model import Experiment
from crosswind.chaos.policies import Policies, needed
from crosswind.chaos.ports import ExperimentStore
from crosswind.chaos.resolving import Resolution, Resolve
from crosswind.chaos.reviewing import Reviewed, content_digest
from crosswind.chaos.usecases.finding import FindExperiment
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.definitions import ReviewRequest
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import (
    ConflictError,
    DependencyError,
    FieldError,
    InvalidInputError,
    RetryableError,
)
from crosswind.kernel.retry import Pause, retry_conflicts

_REASON_CHARACTERS = 1000


@dataclass(frozen=True)
class ChangeReview:
    """Apply a pure move to a stored definition; when another writer was quicker, load and decide again."""

    experiments: ExperimentStore
    find: FindExperiment
    pause: Pause

    def __call__(
        self,
        name: str,
        decide: Callable[[Experiment], Reviewed],
        *,
        team: str | None,
        actor: Actor,
        action: Action,
    ) -> Experiment:
        """The definition as stored afterwards."""

        def attempt() -> Experiment:
            reviewed = decide(self.find(name, team=team, actor=actor, action=action))
            return self.experiments.save(reviewed.experiment, event=reviewed.event)

        return retry_conflicts(attempt, pause=self.pause)


@dataclass(frozen=True)
class SubmitExperiment:
    """Ask for a review of the draft."""

    change: ChangeReview
    clock: Clock

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> Experiment:
        """Raises NotFoundError, ForbiddenError, and ConflictError unless it is a draft."""
        return self.change(
            name,
            lambda found: reviewing.submit(found, actor=actor.subject, now=self.clock.now()),
            team=team,
            actor=actor,
            action=Action.WRITE_EXPERIMENTS,
        )


@dataclass(frozen=True)
class ApproveExperiment:
    """Approve exactly the content that was looked at, with the targets that it resolves to now."""

    change: ChangeReview
    resolve: Resolve
    policies: Policies
    clock: Clock

    def __call__(self, name: str, request: ReviewRequest, *, team: str | None, actor: Actor) -> Experiment:
        """The definition with one more approval; approved when it was the last that was needed.

        Raises:
            InvalidInputError: No digest is told.
            NotFoundError: There is no such experiment.
            ForbiddenError: The actor may not approve, or wrote or submitted this content.
            ConflictError: It is not under review, the content is another one, or it resolves to nothing.
            RetryableError: A provider could not be asked, so nobody knows what would be approved.
        """
        digest = request.digest
        if digest is None:
            fault = FieldError(
                "digest", "is required", "that of GET or preview: it proves what was looked at"
            )
            raise InvalidInputError("say which content is approved", [fault])
        return self.change(
            name,
            lambda found: self._approved(found, digest, request.comment, actor.subject),
            team=team,
            actor=actor,
            action=Action.APPROVE_EXPERIMENTS,
        )

    def _approved(self, found: Experiment, digest: str, comment: str | None, actor: str) -> Reviewed:
        revision = found.revision
        what = f"revision {revision.number} of {found.name}"
        lifecycle.check_action(revision.state, "approve", what=what)
        reviewing.refuse_own(revision, actor)  # before anybody is asked for targets
        now = self.clock.now()
        resolution = self.resolve(revision, team=found.team, name=found.name, now=now)
        _refuse_unresolved(resolution)
        if digest not in {revision.spec_digest, content_digest(revision.spec_digest, resolution.target_ids)}:
            raise ConflictError(
                f"{what} or what it resolves to is not what you looked at: look at it again, then approve that"
            )
        return reviewing.approve(
            found,
            actor=actor,
            target_ids=resolution.target_ids,
            needed=needed(self.policies.of(revision.spec.environment).spec, revision.spec),
            comment=comment,
            now=now,
        )


@dataclass(frozen=True)
class RequestChanges:
    """Send it back to its authors."""

    change: ChangeReview
    clock: Clock

    def __call__(self, name: str, request: ReviewRequest, *, team: str | None, actor: Actor) -> Experiment:
        """Raises InvalidInputError without a reason; NotFoundError, ForbiddenError; ConflictError for a draft."""
        reason = request.reason
        if reason is None:
            raise InvalidInputError("say what is to be changed", [FieldError("reason", "is required")])
        return self.change(
            name,
            lambda found: reviewing.request_changes(
                found, actor=actor.subject, reason=reason, now=self.clock.now()
            ),
            team=team,
            actor=actor,
            action=Action.APPROVE_EXPERIMENTS,
        )


def _refuse_unresolved(resolution: Resolution) -> None:
    failed = [each.answer for each in resolution.faults if isinstance(each.answer, Exception)]
    if any(isinstance(each, RetryableError | TimeoutError) for each in failed):
        raise DependencyError(f"the targets cannot be resolved now: {resolution.unresolved}")
    if failed:
        raise ConflictError(f"a provider refuses it: {resolution.unresolved}"[:_REASON_CHARACTERS])
    without = [each.fault.name for each in resolution.previews if not each.preview.targets]
    if without:
        raise ConflictError(f"nothing would be hit by {', '.join(dict.fromkeys(without))}")
