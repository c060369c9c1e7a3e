"""What the API answers about frameworks."""

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.frameworks import FrameworkManifest


class PutFrameworkAnswer(WireModel):
    """PUT /api/v1/frameworks/{name}."""

    name: str
    team: str
    digest: str
    created: bool = Field(description="False: one of that name was replaced.")


class FrameworkView(WireModel):
    """One framework."""

    manifest: FrameworkManifest
    builtin: bool
    updated_at: str | None = Field(default=None, description="Of a team's own.")
    updated_by: str | None = None


class FrameworkPage(WireModel):
    """A page of frameworks: on the first one all built-in ones, then the team's own by name."""

    items: tuple[FrameworkView, ...]
    next_cursor: str | None = None
