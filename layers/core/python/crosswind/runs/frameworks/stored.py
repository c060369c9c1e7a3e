"""Frameworks that teams have stored."""

from crosswind.contracts.frameworks import FrameworkManifest, FrameworkSpec
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.ports import DocumentRecord, DocumentStore


def manifest_of(record: DocumentRecord) -> FrameworkManifest:
    """The manifest that a record holds: it was checked when it was stored."""
    return FrameworkManifest.model_validate(record.spec, by_alias=True, by_name=False)


def stored_framework(frameworks: DocumentStore, team: str, name: str) -> FrameworkSpec | None:
    """A team's own framework; None where it has none of that name."""
    try:
        return manifest_of(frameworks.get(team, name)).spec
    except NotFoundError:
        return None
