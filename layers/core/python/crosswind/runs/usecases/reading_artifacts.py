"""Reading which files a run has left, whose they are, and links to them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from crosswind.contracts.actors import Actor
from crosswind.contracts.requests import ArtifactCase, ArtifactKind, ArtifactPage, ArtifactView
from crosswind.contracts.work import FileClass, FileRef, ShardResult, WorkOutcome
from crosswind.kernel.errors import InvalidInputError, NotFoundError, TooLargeError
from crosswind.runs import layout
from crosswind.runs.evidence import RED
from crosswind.runs.files import shown
from crosswind.runs.model import Work
from crosswind.runs.ports import ObjectStore, WorkStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.reading_results import check_work_id

LINKS_LAST = timedelta(minutes=15)
_SHARDS_PER_PAGE = 100  # each is two documents to read
_FILE = re.compile(r"(shard-\d{5}):(\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Which files of a run are wanted; all of them unless told."""

    work_id: str | None = None
    file_class: FileClass | None = None
    failed: bool = False
    """Only files of tests that failed, in the shard that the file comes from."""

    case: str | None = None
    """Only files of the test with this id, or with this text in its name."""

    def takes(self, file: "RunFile") -> bool:
        """Whether a file is wanted."""
        if self.file_class is not None and file.ref.file_class is not self.file_class:
            return False
        if self.failed and not any(case.status in RED for case in file.cases):
            return False
        if self.case is None:
            return True
        text = self.case.casefold()
        return any(self.case == case.id or text in case.name.casefold() for case in file.cases)


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file of a committed shard. Its path is safe, and its key is the attempt's own."""

    work_id: str
    kind: ArtifactKind
    ref: FileRef
    cases: tuple[ArtifactCase, ...]


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """What one committed shard has left, artifacts and then reports, and why other files are not there."""

    files: tuple[RunFile, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class RunFiles:
    """Reads the files of a run's shards."""

    works: WorkStore
    artifacts: ObjectStore

    def committed(self, run_id: str, work_id: str | None) -> Iterator[Work]:
        """The shards that have left files, in the order of their ids."""
        for work in self.works.of_run(run_id):
            commit = work.commit
            wanted = work_id in {None, work.key.work_id} and work.key.work_id.startswith("shard-")
            if wanted and commit and commit.outcome is WorkOutcome.COMPLETED and commit.prefix:
                yield work

    def of_shard(self, work: Work) -> ShardFiles:
        """Its files; a name that leads elsewhere, or a key outside of the attempt, is left out.

        A result that cannot be read is a fault of its shard already (IngestShard); it hides no other shard's files.
        """
        prefix = (work.commit.prefix if work.commit else None) or ""
        try:
            result = documents.read_result(self.artifacts, prefix)
            cases = documents.read_links(self.artifacts, prefix).files if result.artifacts else {}
        except (NotFoundError, InvalidInputError, TooLargeError):
            return ShardFiles((), ())
        found = [
            RunFile(
                work.key.work_id, kind, ref, cases.get(ref.path, ()) if kind is ArtifactKind.ARTIFACT else ()
            )
            for kind, ref in _files(result)
            if safe_path(ref.path) and ref.key.startswith(prefix)
        ]
        return ShardFiles(tuple(found), tuple(f"{work.key.work_id}: {each}" for each in result.dropped))


def _files(result: ShardResult) -> Iterator[tuple[ArtifactKind, FileRef]]:
    for file in result.artifacts:
        yield ArtifactKind.ARTIFACT, file
    for run, files in enumerate(result.reports, start=1):
        for file in files:
            path = layout.report_key("", run, file.path)
            yield (
                ArtifactKind.REPORT,
                file.model_copy(update={"path": path, "file_class": FileClass.REPORT}),
            )


def safe_path(path: str) -> bool:
    """Whether a file's name stays inside the folder that it is put into."""
    parts = path.split("/")
    return bool(path) and path.isprintable() and "\\" not in path and not {"", ".", ".."} & set(parts)


@dataclass(frozen=True)
class ListArtifacts:
    """Uploaded files of committed shards, artifacts and then reports, with links that last a quarter of an hour."""

    find: FindRun
    works: WorkStore
    artifacts: ObjectStore

    def __call__(
        self,
        run_id: str,
        *,
        wanted: FileFilter = FileFilter(),  # frozen
        pages: bool = False,
        limit: int,
        cursor: str | None,
        actor: Actor,
    ) -> ArtifactPage:
        """A page, by shard. With `pages`, links to HTML open it. Raises NotFoundError, ForbiddenError, InvalidInputError."""
        run = self.find(run_id, actor=actor)
        if wanted.work_id is not None:
            check_work_id(wanted.work_id)
        first, skip = _file_position(cursor)
        source = RunFiles(self.works, self.artifacts)
        items: list[ArtifactView] = []
        dropped: list[str] = []
        for reads, work in enumerate(
            each for each in source.committed(run.run_id, wanted.work_id) if each.key.work_id >= first
        ):
            work_id = work.key.work_id
            if reads >= _SHARDS_PER_PAGE:
                return ArtifactPage(items=tuple(items), dropped=tuple(dropped), next_cursor=f"{work_id}:0")
            start = skip if work_id == first else 0
            found = source.of_shard(work)
            if start == 0:
                dropped += found.dropped
            for index, file in enumerate(found.files[start:], start=start):
                if not wanted.takes(file):
                    continue
                if len(items) >= limit:
                    return ArtifactPage(
                        items=tuple(items), dropped=tuple(dropped), next_cursor=f"{work_id}:{index}"
                    )
                items.append(self._view(file, pages=pages))
        return ArtifactPage(items=tuple(items), dropped=tuple(dropped))

    def _view(self, file: RunFile, *, pages: bool) -> ArtifactView:
        ref = file.ref
        show = shown(ref.content_type, pages=pages)
        url = self.artifacts.presign_get(
            ref.key,
            content_type=show.content_type,
            file_name=PurePosixPath(ref.path).name,
            expires=LINKS_LAST,
            inline=show.inline,
        )
        return ArtifactView(
            path=ref.path,
            kind=file.kind,
            file_class=ref.file_class,
            work_id=file.work_id,
            size=ref.size,
            stored_size=ref.stored_size,
            content_type=ref.content_type,
            inline=show.inline,
            cases=file.cases,
            url=url,
            expires_in_seconds=int(LINKS_LAST.total_seconds()),
        )


def _file_position(cursor: str | None) -> tuple[str, int]:
    if cursor is None:
        return "", 0
    match = _FILE.fullmatch(cursor)
    if match is None:
        raise InvalidInputError("the cursor is not one that a page of this list gave")
    return match[1], int(match[2])
