"""Reading what a run left: test cases and logs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from crosswind.contracts.actors import Actor
from crosswind.contracts.live import Stream
from crosswind.contracts.requests import (
    CasePage,
    CaseView,
    LogChunk,
    RunState,
)
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.runs import layout
from crosswind.runs.live.text import whole_characters
from crosswind.runs.model import Case, WorkKey, WorkState
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun

MAX_ANSWER_BYTES = 4 * 1024 * 1024  # of 6 MB that a Lambda may answer
MAX_LOG_BYTES = 768 * 1024  # a byte of a log may become six in JSON
_LARGEST_CHUNK = 1024 * 1024  # of a runner's log
_CHUNKS_PER_LIST = 1000
_CHUNKS_PER_ANSWER = 250  # a slow log has many small ones, each a read of its own, and an API call has 29 s
_WORK_ID = re.compile(r"(prepare|shard)-\d{5}")
_ATTEMPT = re.compile(r"\d{2,4}-\d{3,5}")
_ROW = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class ListResults:
    """Test cases: folded and worst first once the shards are done; until then the failures as they come."""

    find: FindRun
    runs: RunStore
    artifacts: ObjectStore

    def __call__(
        self, run_id: str, *, status: CaseStatus | None, limit: int, cursor: str | None, actor: Actor
    ) -> CasePage:
        """A page. Raises NotFoundError, ForbiddenError, InvalidInputError."""
        run = self.find(run_id, actor=actor)
        row = _row(cursor)
        index = documents.read_index(self.artifacts, run.run_id)
        if index is None:
            known = [case for case in self.runs.failures(run.run_id) if status in {None, case.status}]
            return _page(iter(known[row:]), row=row, end=len(known), limit=limit, complete=False)
        start, end = index.ranges.get(status, (0, 0)) if status else (0, index.total)
        first = start + row
        rows = documents.read_rows(self.artifacts, run.run_id, index, first=first)
        going_on = run.round > 1 and run.state is RunState.EXECUTING  # these are the rounds before
        return _page(rows, row=row, end=max(end - start, 0), limit=limit, complete=not going_on)


def _page(rows: Iterator[Case], *, row: int, end: int, limit: int, complete: bool) -> CasePage:
    items: list[CaseView] = []
    size = 0
    for case in islice(rows, max(min(limit, end - row), 0)):
        view = documents.view_of(case)
        size += len(view.to_wire().encode())
        if items and size > MAX_ANSWER_BYTES:
            break
        items.append(view)
    following = row + len(items)
    return CasePage(
        items=tuple(items),
        complete=complete,
        next_cursor=str(following) if items and following < end else None,
    )


def _row(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not _ROW.fullmatch(cursor):
        raise InvalidInputError("the cursor is not one that a page of this list gave")
    return int(cursor)


@dataclass(frozen=True)
class ReadLogs:
    """A shard's or a preparation's log, or its events, from a byte offset.

    It is the present attempt's unless one is named. A new attempt starts new streams.
    """

    find: FindRun
    works: WorkStore
    artifacts: ObjectStore

    def __call__(
        self,
        run_id: str,
        *,
        work_id: str,
        offset: int,
        actor: Actor,
        stream: Stream = Stream.LOG,
        attempt: str | None = None,
    ) -> LogChunk:
        """A piece of the stream. Raises NotFoundError, ForbiddenError, InvalidInputError."""
        run = self.find(run_id, actor=actor)
        check_work_id(work_id)
        work = self.works.get(WorkKey(run.run_id, work_id))
        if work is None:
            raise NotFoundError(f"{run_id} has no {work_id}, or it was not started yet")
        present = (work.commit.prefix if work.commit else None) or layout.attempt_prefix(work)
        prefix = present if attempt is None else _attempt_prefix(run.run_id, work_id, attempt)
        data, ended = self._read(layout.stream_prefix(prefix, stream), offset)
        over = ended and (work.state is WorkState.DONE or prefix != present)
        whole = len(data) if over else whole_characters(data)
        return LogChunk(
            work_id=work_id,
            attempt=layout.attempt_name(prefix),
            stream=stream,
            offset=offset,
            next_offset=offset + whole,
            complete=over,
            text=data[:whole].decode(errors="replace"),
        )

    def _read(self, prefix: str, offset: int) -> tuple[bytes, bool]:
        """Bytes from the offset on, and whether they go to the end of what is there."""
        data = bytearray()
        reads = 0
        for start, size in self._chunks(prefix, offset):
            at = offset + len(data)
            if start > at:
                return bytes(data), True  # a gap: what comes later cannot be shown in order
            if start + size <= at:
                continue
            room = MAX_LOG_BYTES - len(data)
            if room <= 0 or reads >= _CHUNKS_PER_ANSWER:
                return bytes(data), False
            reads += 1
            length = min(start + size - at, room)
            data += self.artifacts.get_range(
                layout.chunk_key(prefix, start), offset=at - start, length=length
            )
            if start + size > offset + len(data):
                return bytes(data), False
        return bytes(data), True

    def _chunks(self, prefix: str, offset: int) -> Iterator[tuple[int, int]]:
        """Start and size of the chunks from the one on that holds the offset; none is larger than a runner makes it."""
        before = offset - _LARGEST_CHUNK
        after = layout.chunk_key(prefix, before) if before >= 0 else None
        while True:
            found = self.artifacts.list_objects(prefix, limit=_CHUNKS_PER_LIST, after=after)
            for each in found:
                name = each.key.rsplit("/", 1)[-1]
                if name.isdecimal():
                    yield int(name), each.size
            if len(found) < _CHUNKS_PER_LIST:
                return
            after = found[-1].key


def _attempt_prefix(run_id: str, work_id: str, attempt: str) -> str:
    if not _ATTEMPT.fullmatch(attempt):
        raise InvalidInputError(f"{attempt[:40]!r} names no attempt; such as 01-001")
    return layout.named_attempt_prefix(run_id, work_id, attempt)


def check_work_id(work_id: str) -> None:
    """Raises InvalidInputError for what cannot be the id of a piece of a run's work."""
    if not _WORK_ID.fullmatch(work_id):
        raise InvalidInputError(f"{work_id[:40]!r} names no work; such as shard-00003 or prepare-00000")
