"""Stored suites: put, get, list, delete, and checking one without storing it."""

from dataclasses import dataclass

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.clock import Clock
from crosswind.kernel.paging import Page
from crosswind.runs import resolving
from crosswind.runs.ports import DocumentRecord, DocumentStore
from crosswind.runs.spec_rules import Rules
from crosswind.runs.specs import parse_suite, to_document
from crosswind.runs.usecases.storing import name_differs, record_of


@dataclass(frozen=True)
class ValidateSuite:
    """Find every fault of a suite."""

    guard: Guard
    rules: Rules

    def __call__(self, text: str | bytes, *, actor: Actor) -> int:
        """How many test jobs it has. Raises InvalidInputError, TooLargeError, ForbiddenError."""
        suite = parse_suite(text, rules=self.rules)
        self.guard.require(actor, Action.READ_SUITES, team=suite.metadata.team)
        guessed = resolving.stand_ins(suite)
        return len(resolving.expand(suite, resolving.bind_parameters(suite, guessed), guessed=guessed))


@dataclass(frozen=True)
class PutSuite:
    """Store or replace a suite."""

    suites: DocumentStore
    guard: Guard
    clock: Clock
    rules: Rules

    def __call__(self, name: str, text: str | bytes, *, actor: Actor) -> tuple[DocumentRecord, bool]:
        """The stored suite, and whether it is new. Raises InvalidInputError, TooLargeError, ForbiddenError."""
        suite = parse_suite(text, rules=self.rules)
        self.guard.require(actor, Action.WRITE_SUITES, team=suite.metadata.team)
        if suite.metadata.name != name:
            raise name_differs("suite", suite.metadata.name, name)
        guessed = resolving.stand_ins(suite)
        resolving.expand(suite, resolving.bind_parameters(suite, guessed), guessed=guessed)
        team = suite.metadata.team
        record = record_of(to_document(suite), team=team, name=name, actor=actor, clock=self.clock)
        return record, self.suites.put(record)


@dataclass(frozen=True)
class GetSuite:
    """Read one suite."""

    suites: DocumentStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> DocumentRecord:
        """The suite. Raises NotFoundError, also for one of another team."""
        owner = chosen_team(actor, team)
        self.guard.require_for(actor, Action.READ_SUITES, team=owner, missing=_missing(owner, name))
        return self.suites.get(owner, name)


@dataclass(frozen=True)
class ListSuites:
    """Read a team's suites."""

    suites: DocumentStore
    guard: Guard

    def __call__(
        self, *, team: str | None, limit: int, cursor: str | None, actor: Actor
    ) -> Page[DocumentRecord]:
        """A page, by name. Raises ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_SUITES, team=owner)
        return self.suites.list_documents(owner, limit=limit, cursor=cursor)


@dataclass(frozen=True)
class DeleteSuite:
    """Delete a suite; its runs stay."""

    suites: DocumentStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require_for(actor, Action.WRITE_SUITES, team=owner, missing=_missing(owner, name))
        self.suites.delete(owner, name)


def _missing(team: str, name: str) -> str:
    return f"team {team} has no suite {name}"
