"""Frameworks: the built-in ones, which everybody has, and those that teams add."""

from dataclasses import dataclass

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.framework_answers import FrameworkView
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.paging import Page
from crosswind.runs.frameworks.catalogue import builtin_manifest, builtin_names
from crosswind.runs.frameworks.manifests import parse_manifest, to_document
from crosswind.runs.frameworks.stored import manifest_of
from crosswind.runs.ports import DocumentRecord, DocumentStore
from crosswind.runs.usecases.storing import name_differs, record_of


@dataclass(frozen=True)
class PutFramework:
    """Store or replace a team's framework."""

    frameworks: DocumentStore
    guard: Guard
    clock: Clock

    def __call__(self, name: str, text: str | bytes, *, actor: Actor) -> tuple[DocumentRecord, bool]:
        """The stored framework, and whether it is new. Raises InvalidInputError, TooLargeError, ForbiddenError."""
        manifest = parse_manifest(text)
        team = manifest.metadata.team or ""
        self.guard.require(actor, Action.WRITE_SUITES, team=team)
        if manifest.metadata.name != name:
            raise name_differs("framework", manifest.metadata.name, name)
        record = record_of(to_document(manifest), team=team, name=name, actor=actor, clock=self.clock)
        return record, self.frameworks.put(record)


@dataclass(frozen=True)
class GetFramework:
    """Read one framework."""

    frameworks: DocumentStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> FrameworkView:
        """A built-in one, or the team's. Raises NotFoundError, also for one of another team."""
        manifest = builtin_manifest(name)
        if manifest is not None:
            return FrameworkView(manifest=manifest, builtin=True)
        owner = chosen_team(actor, team)
        self.guard.require_for(actor, Action.READ_SUITES, team=owner, missing=_missing(owner, name))
        return _view(self.frameworks.get(owner, name))


@dataclass(frozen=True)
class ListFrameworks:
    """Read what a team's suites may use."""

    frameworks: DocumentStore
    guard: Guard

    def __call__(
        self, *, team: str | None, limit: int, cursor: str | None, actor: Actor
    ) -> Page[FrameworkView]:
        """A page of the team's own, by name; the first page begins with all built-in ones. Raises ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_SUITES, team=owner)
        page = self.frameworks.list_documents(owner, limit=limit, cursor=cursor)
        manifests = (builtin_manifest(name) for name in (builtin_names() if cursor is None else ()))
        known = (FrameworkView(manifest=each, builtin=True) for each in manifests if each is not None)
        return Page((*known, *map(_view, page.items)), page.cursor)


@dataclass(frozen=True)
class DeleteFramework:
    """Delete a team's framework. Runs that use it keep the manifest that they began with."""

    frameworks: DocumentStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require_for(actor, Action.WRITE_SUITES, team=owner, missing=_missing(owner, name))
        self.frameworks.delete(owner, name)


def _view(record: DocumentRecord) -> FrameworkView:
    return FrameworkView(
        manifest=manifest_of(record),
        builtin=False,
        updated_at=to_iso(record.updated_at),
        updated_by=record.updated_by,
    )


def _missing(team: str, name: str) -> str:
    return f"team {team} has no framework {name}"
