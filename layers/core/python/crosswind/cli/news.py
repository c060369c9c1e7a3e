"""The events of a run's tests, read from the feed; of shards that are few, also what came before it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import httpx
from pydantic import ValidationError

from crosswind.cli.errors import ApiError, passes
from crosswind.cli.session import Session
from crosswind.cli.streams import Follower
from crosswind.contracts.live import LiveEvent, Piece, Skipped, Stream
from crosswind.contracts.requests import LogChunk

MOST_READ = 8
"""Shards whose events are read by REST too. Of more, what is not pushed is passed over: the counts tell of it all the same."""

Told = tuple[str, LiveEvent]


@dataclass
class News:
    """Events by shard, each once."""

    session: Session
    run_id: str
    _followers: dict[str, Follower] = field(default_factory=dict)

    def offer(self, message: Piece | Skipped) -> Iterator[Told]:
        """The events that a message adds."""
        if message.stream is not Stream.EVENTS:
            return
        known = message.work_id in self._followers
        follower = self._follower(message.work_id)
        if not known and isinstance(message, Piece):
            follower.begin_with(message)
        for chunk in follower.offer(message):
            for event in events_of(follower, chunk):
                yield message.work_id, event

    def catch_up(self, busy: Iterable[str], *, live: bool) -> Iterator[Told]:
        """What pieces do not bring, of the first few shards that are at work."""
        for work_id in list(busy)[:MOST_READ]:
            follower = self._follower(work_id)
            if live and not follower.behind and not follower.stale:
                continue
            try:
                for chunk in follower.read(self.session.client, self.run_id):
                    for event in events_of(follower, chunk):
                        yield work_id, event
            except ApiError as error:
                if passes(error):
                    raise
                follower.complete = (
                    error.problem.status != httpx.codes.NOT_FOUND
                )  # there are no events to be had here

    def doubt(self) -> None:
        """Something may have been missed."""
        for follower in self._followers.values():
            follower.stale = True

    def _follower(self, work_id: str) -> Follower:
        return self._followers.setdefault(work_id, Follower(work_id, Stream.EVENTS))


def events_of(follower: Follower, chunk: LogChunk) -> Iterator[LiveEvent]:
    """The events whose lines a chunk completes."""
    *lines, follower.rest = (follower.rest + chunk.text).split("\n")
    for line in lines:
        try:
            yield LiveEvent.model_validate_json(line, extra="ignore")
        except ValidationError:
            continue  # of a newer runner, or the end of a line whose start was passed over
