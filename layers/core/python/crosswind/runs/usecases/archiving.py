"""A run's files as one zip, built as a stream: neither memory nor disk holds a whole file, let alone all of them."""

import gzip
import json
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import BinaryIO, cast

from crosswind.contracts.actors import Actor
from crosswind.contracts.archives import (
    ArchiveEntry,
    ArchiveMessage,
    ArchiveOrder,
    ArchiveRecord,
    ArchiveState,
    ArchiveView,
)
from crosswind.kernel.clock import Clock, from_iso, to_iso
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.kernel.json import digest_bytes
from crosswind.runs import layout
from crosswind.runs.files import ARCHIVE_CLASS, CLASS_TAG, is_text
from crosswind.runs.ports import ObjectStore, WorkStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.reading_artifacts import LINKS_LAST, FileFilter, RunFile, RunFiles, ShardFiles
from crosswind.runs.usecases.reading_results import check_work_id

INDEX_NAME = "index.json"
MOST_FILES = 10_000
MOST_BYTES = 5 * 1024**3
AT_ONCE_FILES = 100
AT_ONCE_BYTES = 16 * 1024 * 1024
"""What is built while the caller waits: a second or two."""

BUILDING_TAKES = timedelta(minutes=14)
"""A Lambda has fifteen."""

_RESTART_AFTER = timedelta(minutes=16)  # a builder that says nothing for so long is gone
_AHEAD = 8
_SMALL_BYTES = 1024 * 1024
_BLOCK = 1024 * 1024
_ORDER_BYTES = 64 * 1024 * 1024
_RECORD_BYTES = 16 * 1024 * 1024
_MISSING_SHOWN = 100
_READERS = 16
_FASTEST = 1
_ZIP64_FROM_BYTES = 1024**3


class BuildingTookTooLongError(Exception):
    """The archive was not done in time."""


@dataclass(frozen=True)
class BuildArchive:
    """Build what an order says, once. Repeating it writes the same bytes to the same key, or nothing."""

    artifacts: ObjectStore
    clock: Clock

    def __call__(self, message: ArchiveMessage) -> ArchiveRecord:
        """What came of it, as stored. Raises NotFoundError without an order, and what the store raises."""
        run_id, archive_id = message.run_id, message.archive_id
        order = documents.read(
            self.artifacts,
            layout.archive_order_key(run_id, archive_id),
            ArchiveOrder,
            limit_bytes=_ORDER_BYTES,
        )
        known = read_record(self.artifacts, run_id, archive_id)
        if known is not None and known.state is ArchiveState.READY:
            return known
        record = self._build(order)
        documents.write(self.artifacts, layout.archive_record_key(run_id, archive_id), record)
        return record

    def _build(self, order: ArchiveOrder) -> ArchiveRecord:
        key = layout.archive_zip_key(order.run_id, order.archive_id)
        until = self.clock.now() + BUILDING_TAKES
        missing: list[str] = []
        try:
            with self.artifacts.create(
                key, content_type="application/zip", tags={CLASS_TAG: ARCHIVE_CLASS}
            ) as stream:
                self._write(order, stream, missing, in_time=lambda: self.clock.now() < until)
        except BuildingTookTooLongError:
            minutes = int(BUILDING_TAKES.total_seconds() // 60)
            reason = (
                f"it was not built in {minutes} minutes; ask for fewer files, such as one class or one shard"
            )
            return ArchiveRecord(state=ArchiveState.FAILED, at=to_iso(self.clock.now()), reason=reason)
        stored = self.artifacts.stat(key)
        return ArchiveRecord(
            state=ArchiveState.READY,
            at=to_iso(self.clock.now()),
            size=stored.size if stored else None,
            missing=tuple(missing),
        )

    def _write(
        self, order: ArchiveOrder, stream: BinaryIO, missing: list[str], *, in_time: Callable[[], bool]
    ) -> None:
        with zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
            for entry, content in self._contents(order.entries):
                if not in_time():
                    raise BuildingTookTooLongError
                if content is None:
                    missing.append(entry.name)
                    continue
                with closing(content):
                    _add(archive, entry, content, in_time=in_time)
            archive.writestr(_info(INDEX_NAME, packed=True), _index(order, missing), compresslevel=_FASTEST)

    def _contents(self, entries: Sequence[ArchiveEntry]) -> Iterator[tuple[ArchiveEntry, BinaryIO | None]]:
        """Each entry with its stored bytes; None where they are gone. Small ones are fetched ahead."""
        pool = ThreadPoolExecutor(max_workers=_AHEAD, thread_name_prefix="archive")
        ahead: deque[tuple[ArchiveEntry, Future[BinaryIO | None]]] = deque()
        try:
            for entry in entries:
                ahead.append((entry, pool.submit(self._open, entry)))
                if len(ahead) == _AHEAD:
                    first, content = ahead.popleft()
                    yield first, content.result()
            while ahead:
                first, content = ahead.popleft()
                yield first, content.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _open(self, entry: ArchiveEntry) -> BinaryIO | None:
        try:
            if entry.size > _SMALL_BYTES:
                return self.artifacts.open(entry.key)
            return BytesIO(self.artifacts.get(entry.key, limit_bytes=2 * _SMALL_BYTES))
        except NotFoundError:
            return None


def _add(
    archive: zipfile.ZipFile, entry: ArchiveEntry, content: BinaryIO, *, in_time: Callable[[], bool]
) -> None:
    source = cast("BinaryIO", gzip.GzipFile(fileobj=content)) if entry.encoding == "gzip" else content
    info = _info(entry.name, packed=is_text(entry.content_type))
    left = entry.size
    with archive.open(info, "w", force_zip64=entry.size >= _ZIP64_FROM_BYTES) as target:
        while left > 0 and (block := source.read(min(_BLOCK, left))):
            target.write(block)
            left -= len(block)
            if not in_time():
                raise BuildingTookTooLongError


def _info(name: str, *, packed: bool) -> zipfile.ZipInfo:
    """Always of the same time, so that equal files give equal archives."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


def _index(order: ArchiveOrder, missing: Sequence[str]) -> str:
    gone = frozenset(missing)
    files = [
        {
            "name": entry.name,
            "size": entry.size,
            "class": entry.file_class.value,
            "tests": [{"name": case.name, "status": case.status.value} for case in entry.cases],
        }
        for entry in order.entries
        if entry.name not in gone
    ]
    return json.dumps({"run": order.run_id, "files": files, "missing": list(missing)}, indent=1)


@dataclass(frozen=True)
class GetArchive:
    """The archive of some of a run's files: built at once where it is small, otherwise ordered once and looked at.

    The id follows from the files. While a run goes on it has more of them each time, and so another archive.
    """

    find: FindRun
    works: WorkStore
    artifacts: ObjectStore
    order: Callable[[ArchiveMessage], None]
    clock: Clock

    def __call__(self, run_id: str, *, wanted: FileFilter, actor: Actor) -> ArchiveView:
        """How far it is, with a link once it is there.

        Raises NotFoundError (also where no file is wanted), ForbiddenError, InvalidInputError, TooLargeError.
        """
        run = self.find(run_id, actor=actor)
        if wanted.work_id is not None:
            check_work_id(wanted.work_id)
        order = _order_of(run.run_id, self._files(run.run_id, wanted))
        record = read_record(self.artifacts, run.run_id, order.archive_id)
        if record is None or self._is_over(order, record):
            record = self._start(order)
        return self._view(order, record)

    def _files(self, run_id: str, wanted: FileFilter) -> list[RunFile]:
        source = RunFiles(self.works, self.artifacts)
        works = list(source.committed(run_id, wanted.work_id))
        with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="files") as pool:
            shards: Iterator[ShardFiles] = pool.map(source.of_shard, works)
            found = [file for shard in shards for file in shard.files if wanted.takes(file)]
        if not found:
            raise NotFoundError(f"{run_id} has no such files, or its shards have not ended yet")
        total = sum(file.ref.size for file in found)
        if len(found) > MOST_FILES or total > MOST_BYTES:
            raise TooLargeError(
                f"these are {len(found)} files with {total} bytes; an archive has at most {MOST_FILES} with "
                f"{MOST_BYTES}. Ask for one class, one shard, one test, or those of failed tests"
            )
        return found

    def _is_over(self, order: ArchiveOrder, record: ArchiveRecord) -> bool:
        """Whether what is known of it counts no more: it expired, or its builder is gone. A failure stands a while."""
        if record.state is ArchiveState.READY:
            return self.artifacts.stat(layout.archive_zip_key(order.run_id, order.archive_id)) is None
        return self.clock.now() - from_iso(record.at) > _RESTART_AFTER

    def _start(self, order: ArchiveOrder) -> ArchiveRecord:
        run_id, archive_id = order.run_id, order.archive_id
        record = ArchiveRecord(state=ArchiveState.BUILDING, at=to_iso(self.clock.now()))
        documents.write(self.artifacts, layout.archive_order_key(run_id, archive_id), order)
        documents.write(self.artifacts, layout.archive_record_key(run_id, archive_id), record)
        message = ArchiveMessage(run_id=run_id, archive_id=archive_id)
        if len(order.entries) <= AT_ONCE_FILES and sum(e.size for e in order.entries) <= AT_ONCE_BYTES:
            return BuildArchive(self.artifacts, self.clock)(message)
        self.order(message)
        return record

    def _view(self, order: ArchiveOrder, record: ArchiveRecord) -> ArchiveView:
        view = ArchiveView(
            archive_id=order.archive_id,
            state=record.state,
            files=len(order.entries) - len(record.missing),
            size=record.size,
            missing=record.missing[:_MISSING_SHOWN],
            reason=record.reason,
        )
        if record.state is not ArchiveState.READY:
            return view
        url = self.artifacts.presign_get(
            layout.archive_zip_key(order.run_id, order.archive_id),
            content_type="application/zip",
            file_name=f"{order.run_id}.zip",
            expires=LINKS_LAST,
            inline=False,
        )
        return view.model_copy(update={"url": url, "expires_in_seconds": int(LINKS_LAST.total_seconds())})


def read_record(store: ObjectStore, run_id: str, archive_id: str) -> ArchiveRecord | None:
    """What is known of an archive; None while nobody has asked for it."""
    key = layout.archive_record_key(run_id, archive_id)
    try:
        return documents.read(store, key, ArchiveRecord, limit_bytes=_RECORD_BYTES)
    except NotFoundError:
        return None


def _order_of(run_id: str, files: Sequence[RunFile]) -> ArchiveOrder:
    entries = tuple(
        ArchiveEntry(
            name=f"{file.work_id}/{file.ref.path}",
            key=file.ref.key,
            size=file.ref.size,
            content_type=file.ref.content_type,
            encoding=file.ref.encoding,
            file_class=file.ref.file_class,
            cases=file.cases,
        )
        for file in files
    )
    named = "\n".join(f"{entry.key} {entry.size}" for entry in entries)
    digest = digest_bytes(named.encode()).removeprefix("sha256:")
    return ArchiveOrder(run_id=run_id, archive_id=digest[:32], entries=entries)
