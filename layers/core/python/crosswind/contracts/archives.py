"""A run's files as one zip: what is ordered, what came of it, and what the API says of it."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.requests import ArtifactCase
from crosswind.contracts.work import FileClass, RunId


class ArchiveState(StrEnum):
    """How far an archive is."""

    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


class ArchiveEntry(WireModel):
    """A file that goes into an archive."""

    name: str = Field(description="In the archive: the shard's id, a slash, and the file's path.")
    key: str
    size: int = Field(ge=0)
    content_type: str
    encoding: Literal["gzip"] | None = None
    file_class: FileClass
    cases: tuple[ArtifactCase, ...] = ()


class ArchiveOrder(WireModel):
    """All that a builder needs to know."""

    run_id: RunId
    archive_id: str = Field(
        pattern=r"^[0-9a-f]{32}$", description="By its entries: the same files, the same id."
    )
    entries: tuple[ArchiveEntry, ...]


class ArchiveMessage(WireModel):
    """Message of build_archive. The order lies in the artifacts bucket."""

    run_id: RunId
    archive_id: str = Field(pattern=r"^[0-9a-f]{32}$")


class ArchiveRecord(WireModel):
    """What came of an order. It lies beside the archive."""

    state: ArchiveState
    at: str
    size: int | None = Field(default=None, description="Bytes of the archive.")
    missing: tuple[str, ...] = Field(default=(), description="Entries whose files are gone, by name.")
    reason: str | None = None


class ArchiveView(WireModel):
    """GET /api/v1/tests/{id}/artifacts/archive: 202 while it is built, then 200 with the link."""

    archive_id: str
    state: ArchiveState
    files: int
    size: int | None = Field(default=None, description="Bytes of the archive, once it is there.")
    missing: tuple[str, ...] = Field(
        default=(), description="Files that have expired and are not in the archive, the first 100."
    )
    reason: str | None = None
    url: str | None = None
    expires_in_seconds: int | None = None
