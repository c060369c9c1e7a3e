"""Permissions as use cases ask for them. The policy itself is the platform area's; bootstrap puts it in."""

from collections.abc import Callable
from dataclasses import dataclass

from crosswind.contracts.actors import Access, Action, Actor
from crosswind.kernel.errors import ForbiddenError, InvalidInputError, NotFoundError

Policy = Callable[[Actor, Action, str], Access]


@dataclass(frozen=True)
class Guard:
    """Asks the policy and raises what a refusal means."""

    policy: Policy

    def require(self, actor: Actor, action: Action, *, team: str) -> None:
        """Something in a team that the caller named. Raises ForbiddenError."""
        access = self.policy(actor, action, team)
        if access is Access.HIDDEN:
            raise ForbiddenError(f"you are not in team {team!r}")
        if access is Access.FORBIDDEN:
            raise ForbiddenError(f"your roles do not allow {action.value} in team {team!r}")

    def require_anywhere(self, actor: Actor, action: Action) -> None:
        """Something that is no team's: whoever may do it in one of the own teams. Raises ForbiddenError."""
        answers = {self.policy(actor, action, team) for team in actor.teams or ("",)}
        if Access.ALLOWED not in answers:
            raise ForbiddenError(f"your roles do not allow {action.value}")

    def require_for(self, actor: Actor, action: Action, *, team: str, missing: str) -> None:
        """Something that exists and is the team's. For another team it answers as if it did not exist.

        Raises:
            NotFoundError: With the sentence `missing`, the same as for a thing that does not exist.
            ForbiddenError: The actor may know of it and may not do this.
        """
        if self.policy(actor, action, team) is Access.HIDDEN:
            raise NotFoundError(missing)
        self.require(actor, action, team=team)


def chosen_team(actor: Actor, asked: str | None) -> str:
    """The team that is meant: the one that was named, or the actor's only one. Raises InvalidInputError."""
    if asked is not None:
        return asked
    if len(actor.teams) == 1:
        return actor.teams[0]
    known = f": one of {', '.join(actor.teams)}" if actor.teams else ""
    raise InvalidInputError(f"name the team{known}")
