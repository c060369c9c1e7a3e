"""Brings an attempt's files into the artifacts bucket: what the order's globs name, within limits, and nothing else.

Every file that matches and is not uploaded is told of, with the reason.
"""

import gzip
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import BinaryIO, TypeVar, cast

from crosswind.adapters.unlinked import open_unlinked, path_of
from crosswind.contracts.work import FileClass, FileRef
from crosswind.runner.faults import Interruption
from crosswind.runner.patience import PATIENCE_SECONDS, patiently
from crosswind.runs.files import CLASS_TAG, class_of, content_type, is_text
from crosswind.runs.ports import ObjectInfo, ObjectStore

THREADS = 8
PACKED_FROM_BYTES = 16 * 1024
_WORTH_PACKING = 0.9  # of the file's size; what packs worse is left as it is
_BLOCK = 256 * 1024
_LONGEST_KEY = 900  # S3 takes 1,024 bytes; the rest is for the prefix
_NAMED_DROPS = 200
MOST_NAMES = 50_000
"""That globs are followed to: the tests decide how many files there are, and the agent has little memory."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Bounds for one attempt."""

    files: int = 2000
    file_bytes: int = 512 * 1024 * 1024
    total_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Stamp:
    """Enough of a file's status to see that it was written anew."""

    inode: int
    size: int
    changed_ns: int


TOO_MANY_BEFORE = f"there were {MOST_NAMES} files before, too many to tell whether the attempt has written it"
STALE = "it was there before and this attempt has not written it"


@dataclass(slots=True)
class Chosen:
    """Files to upload, by their path relative to the working directory, and why others are not."""

    files: dict[str, Path] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Those of the dropped that the attempt has made."""

    def drop(self, name: str, reason: str) -> None:
        """Tell of a file that is not uploaded; of the first ones by name."""
        for told in (self.dropped, self.lost) if reason != STALE else (self.dropped,):
            if len(told) < _NAMED_DROPS:
                told.append(f"{name}: {reason}")
            elif len(told) == _NAMED_DROPS:
                told.append("and more")


class GuardedStore:
    """An ObjectStore that writes nothing any more once the attempt is interrupted, and bears a lost connection.

    Files are tried again for `patience_seconds`: meanwhile the heartbeat tells whether the work is still ours.
    """

    def __init__(
        self, store: ObjectStore, interruption: Interruption, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._store = store
        self._interruption = interruption
        self._patience = patience_seconds
        self.bucket = store.bucket

    def _patiently(self, action: Callable[[], T]) -> T:
        return patiently(action, self._interruption, seconds=self._patience)

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        self._patiently(lambda: self._store.put(key, data, content_type=content_type))

    def upload(
        self,
        path: Path,
        key: str,
        *,
        content_type: str,
        encoding: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._patiently(
            lambda: self._store.upload(path, key, content_type=content_type, encoding=encoding, tags=tags)
        )

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        return self._store.get(key, limit_bytes=limit_bytes)

    def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        return self._store.get_range(key, offset=offset, length=length)

    def open(self, key: str) -> BinaryIO:
        return self._store.open(key)

    def stat(self, key: str) -> ObjectInfo | None:
        return self._patiently(lambda: self._store.stat(key))

    def create(
        self, key: str, *, content_type: str, tags: Mapping[str, str] | None = None
    ) -> AbstractContextManager[BinaryIO]:
        self._interruption.check()
        return self._store.create(key, content_type=content_type, tags=tags)

    def download(self, key: str, path: Path) -> None:
        self._patiently(lambda: self._store.download(key, path))

    def list_objects(self, prefix: str, *, limit: int, after: str | None = None) -> tuple[ObjectInfo, ...]:
        return self._store.list_objects(prefix, limit=limit, after=after)

    def presign_get(
        self, key: str, *, content_type: str, file_name: str, expires: timedelta, inline: bool = True
    ) -> str:
        return self._store.presign_get(
            key, content_type=content_type, file_name=file_name, expires=expires, inline=inline
        )

    def presign_put(
        self, key: str, *, size: int, sha256_hex: str, expires: timedelta
    ) -> tuple[str, dict[str, str]]:
        return self._store.presign_put(key, size=size, sha256_hex=sha256_hex, expires=expires)


def stamps(root: Path, globs: Iterable[str]) -> dict[str, Stamp]:
    """The files that the globs name now, to tell later which of them are old; MOST_NAMES of them at most."""
    names = _matches(root, globs, Chosen())
    return {name: stamp for name in names if (stamp := _stamp(root / name))}


def choose(
    root: Path,
    globs: Iterable[str],
    *,
    limits: UploadLimits = UploadLimits(),  # frozen
    before: dict[str, Stamp] | None = None,
) -> Chosen:
    """The files below `root` that the globs name; a folder stands for all that is in it.

    With `before`, a file that has not been written since is dropped: an old report is no evidence. Paths in the answer
    are resolved, as `root` has to be: where that is a link by now, nothing is chosen.
    """
    chosen = Chosen()
    if root.resolve() != root:
        chosen.drop(root.name, "a link was put in place of the folder")
        return chosen
    total = 0
    for name in sorted(_matches(root, globs, chosen)):
        resolved = _resolved(root, name, root / name, chosen)
        stamp = _stamp(resolved) if resolved else None
        if resolved is None or stamp is None:
            continue
        if before is not None and before.get(name) == stamp:
            chosen.drop(name, STALE)
        elif before is not None and name not in before and len(before) >= MOST_NAMES:
            chosen.drop(name, TOO_MANY_BEFORE)
        elif fault := _unfit_name(name):
            chosen.drop(name.encode("utf-8", "backslashreplace").decode(), fault)
        elif stamp.size > limits.file_bytes:
            chosen.drop(name, f"it has {stamp.size} bytes; at most {limits.file_bytes} are kept")
        elif total + stamp.size > limits.total_bytes:
            chosen.drop(name, f"the files of one attempt may have {limits.total_bytes} bytes together")
        elif len(chosen.files) >= limits.files:
            chosen.drop(name, f"one attempt may keep {limits.files} files")
        else:
            total += stamp.size
            chosen.files[name] = resolved
    return chosen


def _resolved(root: Path, name: str, path: Path, chosen: Chosen) -> Path | None:
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # which of them depends on the version of Python
        chosen.drop(name, "it is a link that leads to itself")
        return None
    if resolved.is_relative_to(root):
        return resolved
    chosen.drop(name, "it is a link that leads out of the working directory")
    return None


def upload_all(
    store: ObjectStore, files: dict[str, Path], *, key: Callable[[str], str]
) -> tuple[FileRef, ...]:
    """Upload reports side by side, in the order of their names, as they are. Raises what the store raises."""
    return _side_by_side(lambda name, path: _upload(store, name, path, key(name)), files)


def upload_artifacts(
    store: ObjectStore, files: dict[str, Path], *, key: Callable[[str], str], scratch: Path
) -> tuple[FileRef, ...]:
    """Upload artifacts side by side, by their class, large texts packed. Raises what the store raises.

    Args:
        store: Where to.
        files: As `choose` gives them.
        key: The object's key by the file's name.
        scratch: A folder for packed copies; they have no names there.
    """
    return _side_by_side(lambda name, path: _upload_artifact(store, name, path, key(name), scratch), files)


def _side_by_side(upload: Callable[[str, Path], FileRef], files: dict[str, Path]) -> tuple[FileRef, ...]:
    with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="upload") as threads:
        uploads = [threads.submit(upload, name, path) for name, path in files.items()]
        return tuple(each.result() for each in uploads)


def _upload(store: ObjectStore, name: str, path: Path, key: str) -> FileRef:
    kind = content_type(name)
    with open_unlinked(path) as file:
        size = os.fstat(file.fileno()).st_size
        store.upload(path_of(file), key, content_type=kind)
    return FileRef(path=name, key=key, size=size, content_type=kind, file_class=FileClass.REPORT)


def _upload_artifact(store: ObjectStore, name: str, path: Path, key: str, scratch: Path) -> FileRef:
    kind = content_type(name)
    with open_unlinked(path) as file:
        size = os.fstat(file.fileno()).st_size
        told = FileRef(path=name, key=key, size=size, content_type=kind, file_class=class_of(name, kind))
        tags = {CLASS_TAG: told.file_class.value}
        if size >= PACKED_FROM_BYTES and is_text(kind):
            with TemporaryFile(dir=scratch) as copy:
                packed = _pack(file, cast("BinaryIO", copy))
                if packed <= size * _WORTH_PACKING:
                    store.upload(
                        path_of(cast("BinaryIO", copy)), key, content_type=kind, encoding="gzip", tags=tags
                    )
                    return told.model_copy(update={"encoding": "gzip", "stored_size": packed})
        store.upload(path_of(file), key, content_type=kind, tags=tags)
    return told


def _pack(source: BinaryIO, copy: BinaryIO) -> int:
    with gzip.GzipFile(fileobj=copy, mode="wb", mtime=0) as packed:
        shutil.copyfileobj(source, packed, _BLOCK)
    copy.flush()
    return copy.tell()


def _matches(root: Path, globs: Iterable[str], chosen: Chosen) -> set[str]:
    """Names below `root`, MOST_NAMES at most."""
    names: set[str] = set()
    for pattern in globs:
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            chosen.drop(pattern, "a pattern must stay inside the working directory")
            continue
        try:
            for path in _below(root, pattern):
                names.add(path.relative_to(root).as_posix())
                if len(names) >= MOST_NAMES:
                    chosen.drop(pattern, f"it names more than {MOST_NAMES} files")
                    return names
        except RecursionError:
            chosen.drop(pattern, "folders nest too deeply to look for more")
        except (ValueError, NotImplementedError) as error:
            chosen.drop(pattern, f"not a pattern: {error}")
    return names


def _below(root: Path, pattern: str) -> Iterator[Path]:
    for path in root.glob(pattern):
        if path.is_dir() and not path.is_symlink():
            for folder, _, names in os.walk(path):
                yield from (Path(folder, name) for name in names)
        else:
            yield path


def _stamp(path: Path) -> Stamp | None:
    """None for what is not a regular file, or not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Stamp(inode=status.st_ino, size=status.st_size, changed_ns=status.st_ctime_ns)


def _unfit_name(name: str) -> str | None:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if len(encoded) > _LONGEST_KEY:
        return f"its path has more than {_LONGEST_KEY} bytes"
    if "\\" in name or any(not character.isprintable() for character in name):
        return "its name holds characters that are not safe to show"
    return None
