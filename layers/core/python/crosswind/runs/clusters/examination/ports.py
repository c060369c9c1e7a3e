"""What the examination asks of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


class RefusedError(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ExaminedCluster(Protocol):
    """An API server, with the operator's rights."""

    def get(self, path: str) -> Json | None:
        """What a path answers; None where there is nothing. Raises RefusedError."""

    def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """Make an object. Raises RefusedError."""

    def delete(self, path: str) -> None:
        """Delete an object and what belongs to it. Raises RefusedError."""

    def text(self, path: str) -> str:
        """The text that a path answers. Raises RefusedError."""

    def clock_ahead(self) -> float | None:
        """Seconds that the server's clock is ahead of ours; None where it does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. A finding that is not ok and not required is advice."""

    check: str
    ok: bool
    detail: str
    fix: str | None = None
    required: bool = True
