"""Quarantine: put a test in, list, take out."""

from dataclasses import dataclass
from datetime import datetime

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.history import (
    PutQuarantineAnswer,
    PutQuarantineRequest,
    QuarantineList,
    QuarantineView,
)
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.clock import Clock, from_iso, to_iso
from crosswind.kernel.errors import ConflictError, FieldError, InvalidInputError
from crosswind.runs.history import quarantine as rules
from crosswind.runs.history.model import Quarantine
from crosswind.runs.history.ports import HistoryStore, QuarantineStore
from crosswind.runs.identity import case_id


@dataclass(frozen=True)
class PutQuarantine:
    """Put a test into quarantine, or change its quarantine."""

    quarantines: QuarantineStore
    history: HistoryStore
    guard: Guard
    clock: Clock

    def __call__(self, request: PutQuarantineRequest, *, actor: Actor) -> PutQuarantineAnswer:
        """The stored quarantine, whether it is new, and whether any run knows the test.

        Raises:
            InvalidInputError: It would end in the past, or later than in 30 days.
            ForbiddenError: The actor may not quarantine tests of the team.
            ConflictError: The suite has as many quarantined tests as it may have.
        """
        team = chosen_team(actor, request.team)
        self.guard.require(actor, Action.WRITE_QUARANTINES, team=team)
        now = self.clock.now()
        quarantine = Quarantine(
            team=team,
            suite=request.suite,
            test=request.test,
            name=request.name,
            mode=request.mode,
            owner=request.owner,
            reason=request.reason,
            ticket=request.ticket,
            created_at=now,
            created_by=actor.subject,
            expires_at=_expiry(request.expires_at, now=now),
        )
        self._check_room(quarantine, now=now)
        created = self.quarantines.put(quarantine)
        return PutQuarantineAnswer(
            quarantine=quarantine_view(quarantine, now=now), created=created, known=self._is_known(quarantine)
        )

    def _check_room(self, wanted: Quarantine, *, now: datetime) -> None:
        stored = [
            each
            for each in self.quarantines.of_suite(wanted.team, wanted.suite)
            if (each.test, each.name) != (wanted.test, wanted.name)
        ]
        if len(stored) >= rules.MOST_KEPT_PER_SUITE:
            raise ConflictError(
                f"suite {wanted.suite} keeps {len(stored)} quarantines, expired ones included: remove some of those"
            )
        others = rules.active(stored, now=now)
        if len(others) >= rules.MOST_PER_SUITE:
            raise ConflictError(
                f"suite {wanted.suite} has {len(others)} tests in quarantine, and {rules.MOST_PER_SUITE} is the most: "
                "mend some, or delete tests that tell nothing"
            )

    def _is_known(self, quarantine: Quarantine) -> bool:
        for job in self.history.jobs(quarantine.team, quarantine.suite):
            if job.test == quarantine.test:
                identity = case_id(
                    team=job.team,
                    suite=job.suite,
                    test=job.test,
                    variant=job.variant,
                    name=quarantine.name,
                )
                if self.history.get(job, [identity]):
                    return True
        return False


@dataclass(frozen=True)
class ListQuarantines:
    """Read a team's quarantined tests, also those that expired in the last weeks."""

    quarantines: QuarantineStore
    guard: Guard
    clock: Clock

    def __call__(self, *, team: str | None, suite: str | None, actor: Actor) -> QuarantineList:
        """By suite, job and name. Raises ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_HISTORY, team=owner)
        found = self.quarantines.of_suite(owner, suite) if suite else self.quarantines.of_team(owner)
        now = self.clock.now()
        return QuarantineList(items=tuple(quarantine_view(each, now=now) for each in found))


@dataclass(frozen=True)
class DeleteQuarantine:
    """Take a test out of quarantine: it gates again at once."""

    quarantines: QuarantineStore
    guard: Guard

    def __call__(self, *, team: str | None, suite: str, test: str, name: str, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError."""
        owner = chosen_team(actor, team)
        missing = f"test {name!r} of job {test} in suite {suite} is not in quarantine"
        self.guard.require_for(actor, Action.WRITE_QUARANTINES, team=owner, missing=missing)
        self.quarantines.delete(owner, suite, test, name)


def quarantine_view(quarantine: Quarantine, *, now: datetime) -> QuarantineView:
    """A quarantine as the API shows it."""
    return QuarantineView(
        team=quarantine.team,
        suite=quarantine.suite,
        test=quarantine.test,
        name=quarantine.name,
        mode=quarantine.mode,
        owner=quarantine.owner,
        reason=quarantine.reason,
        ticket=quarantine.ticket,
        created_at=to_iso(quarantine.created_at),
        created_by=quarantine.created_by,
        expires_at=to_iso(quarantine.expires_at),
        active=bool(rules.active([quarantine], now=now)),
    )


def _expiry(text: str, *, now: datetime) -> datetime:
    latest = now + rules.LONGEST
    expected = f"a moment with a time zone from now to {to_iso(latest)}"
    try:
        expires_at = from_iso(text)
    except ValueError:
        fault = FieldError("expiresAt", f"{text!r} is no moment with a time zone", expected)
    else:
        if now < expires_at <= latest:
            return expires_at
        where = "past" if expires_at <= now else f"more than {rules.LONGEST.days} days ahead"
        fault = FieldError("expiresAt", f"is {'in the ' if where == 'past' else ''}{where}", expected)
    raise InvalidInputError("the quarantine has no valid end", [fault])
