"""Archives of sources, named by their content and apart for each team."""

from dataclasses import dataclass
from datetime import timedelta

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import CreateSourceAnswer, CreateSourceRequest
from crosswind.kernel.clock import Clock
from crosswind.runs import layout
from crosswind.runs.ports import ObjectInfo, ObjectStore

UPLOAD_LASTS = timedelta(minutes=15)


@dataclass(frozen=True)
class CreateSource:
    """Announce an archive: a link to upload exactly this content, unless it is there already and will be for long.

    Stored archives expire at the age of `lifetime`. One past half of it is asked for again, which starts its life anew:
    so an archive that was called existing lies there for every run, and every remembered preparation, made of it soon.
    """

    sources: ObjectStore
    guard: Guard
    clock: Clock
    lifetime: timedelta

    def __call__(self, request: CreateSourceRequest, *, actor: Actor) -> CreateSourceAnswer:
        """Where to put it. Raises ForbiddenError."""
        self.guard.require(actor, Action.UPLOAD_SOURCES, team=request.team)
        key = layout.archive_key(request.team, request.digest)
        stored = self.sources.stat(key)
        if stored and stored.size == request.size and self._is_young(stored):
            return CreateSourceAnswer(digest=request.digest, exists=True)
        url, headers = self.sources.presign_put(
            key, size=request.size, sha256_hex=request.digest.removeprefix("sha256:"), expires=UPLOAD_LASTS
        )
        return CreateSourceAnswer(digest=request.digest, exists=False, upload_url=url, upload_headers=headers)

    def _is_young(self, stored: ObjectInfo) -> bool:
        return self.clock.now() - stored.modified_at < self.lifetime / 2
