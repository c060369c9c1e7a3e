"""Working directories as tar.gz: fetched, checked, unpacked and packed.

An archive comes from outside and is not trusted: nothing is written outside of the destination, no link leads out of it, and
size and number of entries are bounded. An archive that Crosswind packs has equal bytes for equal content.
"""

import errno
import gzip
import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from crosswind.adapters.unlinked import open_unlinked
from crosswind.contracts.work import ArchiveRef
from crosswind.kernel.errors import NotFoundError
from crosswind.runner.faults import InfrastructureFaultError
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.ports import ObjectStore

CHUNK_BYTES = 1024 * 1024
_LARGEST_READ = 16 * CHUNK_BYTES  # tarfile asks for more only to read a header of that size
_EXECUTABLE = 0o111
_UNFIT_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP})


class ArchiveRefusedError(Exception):
    """The archive is not readable, or would do what no archive may do. No retry mends it."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds of one archive."""

    packed_bytes: int = 2 * 1024**3
    unpacked_bytes: int = 8 * 1024**3
    entries: int = 250_000
    depth: int = 200  # of folders: each of an entry's is looked at


class ArchiveCache:
    """Archives by digest in a local folder, the least recently used dropped when they take more than `most_bytes`."""

    def __init__(self, folder: Path, *, limits: ArchiveLimits, most_bytes: int = 4 * 1024**3) -> None:
        self._folder = folder
        self._limits = limits
        self._most_bytes = most_bytes

    def fetch(self, store: ObjectStore, archive: ArchiveRef) -> Path:
        """The archive's file, its digest verified now: tests of the same user could have changed it.

        Raises ArchiveRefusedError for one that is too large, InfrastructureFaultError for one that is gone or damaged.
        """
        if archive.size > self._limits.packed_bytes:
            raise ArchiveRefusedError(
                f"the archive has {archive.size} bytes; at most {self._limits.packed_bytes} are taken"
            )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = self._folder / f"{archive.digest.removeprefix('sha256:')}.tar.gz"
        if kept.is_file() and file_digest(kept) == archive.digest:
            os.utime(kept)
            return kept
        part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        try:
            self._download(store, archive, part)
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)
        self._drop_oldest(keep=kept)
        return kept

    def _download(self, store: ObjectStore, archive: ArchiveRef, part: Path) -> None:
        stored = store.stat(archive.key)
        if stored is None:
            raise InfrastructureFaultError(
                InfrastructureReason.ARCHIVE_MISSING, f"there is no archive {archive.key}"
            )
        if stored.size > self._limits.packed_bytes:
            raise ArchiveRefusedError(
                f"the archive has {stored.size} bytes; at most {self._limits.packed_bytes} are taken"
            )
        try:
            store.download(archive.key, part)
        except NotFoundError as error:
            raise InfrastructureFaultError(InfrastructureReason.ARCHIVE_MISSING, str(error)) from error
        found = file_digest(part)
        if found != archive.digest:
            raise InfrastructureFaultError(
                InfrastructureReason.ARCHIVE_CORRUPT,
                f"the archive should have the digest {archive.digest} and has {found}",
            )

    def _drop_oldest(self, *, keep: Path) -> None:
        files = sorted(
            ((path.stat(), path) for path in self._folder.glob("*.tar.gz")),
            key=lambda known: known[0].st_mtime,
        )
        total = sum(status.st_size for status, _ in files)
        for status, path in files:
            if total <= self._most_bytes:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                total -= status.st_size


def file_digest(path: Path) -> str:
    """`sha256:<hex>` of a file."""
    with path.open("rb") as stream:
        return digest_of(stream)


def digest_of(file: BinaryIO) -> str:
    """`sha256:<hex>` of a whole open file."""
    file.seek(0)
    return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"  # type: ignore[arg-type]  # it is binary


def _go_on() -> None:
    """The check of whoever is never interrupted."""


def unpack(
    archive: Path, destination: Path, *, limits: ArchiveLimits, check: Callable[[], None] = _go_on
) -> None:
    """Unpack into an empty folder. Raises ArchiveRefusedError; what was written until then stays inside.

    `check` is called again and again, and may raise to end it.
    """
    try:
        with gzip.open(archive, "rb") as packed:
            bounded = _Bounded(packed, limits.unpacked_bytes + limits.entries * 1024)
            # tarfile asks no more of its file than read, seek and tell
            with tarfile.open(fileobj=bounded, mode="r:") as opened:  # type: ignore[call-overload]
                _Unpacking(opened, destination, limits, check).everything()
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError) as error:
        raise ArchiveRefusedError(f"the archive is not a readable tar.gz: {error}") from error


class _Bounded:
    """A stream that refuses to give more than a stated total, or much at once."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_READ:
            raise ArchiveRefusedError("the archive has a header of absurd size")
        data = self._stream.read(size)
        self._check(self._stream.tell())
        return data

    def seek(self, position: int) -> int:
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if position > self._most_bytes:
            raise ArchiveRefusedError(f"the archive unpacks to more than {self._most_bytes} bytes")


class _Unpacking:
    """One archive on its way into one folder."""

    def __init__(
        self, archive: tarfile.TarFile, destination: Path, limits: ArchiveLimits, check: Callable[[], None]
    ) -> None:
        self._check = check
        self._archive = archive
        self._destination = destination
        self._limits = limits
        self._bytes = 0

    def everything(self) -> None:
        """Write all members, in their order."""
        entries = 0
        while (member := self._archive.next()) is not None:
            self._archive.members = []  # type: ignore[attr-defined]  # it would keep every member in memory
            self._check()
            entries += 1
            if entries > self._limits.entries:
                raise ArchiveRefusedError(f"the archive has more than {self._limits.entries} entries")
            self._write(member)

    def _write(self, member: tarfile.TarInfo) -> None:
        path = _inner_path(member.name)
        target = self._destination / path
        if not path.parts:
            return
        try:
            self._make_parents(path)
            if member.isdir():
                self._directory(target)
            elif member.issym():
                check_link(path, member.linkname)
                target.symlink_to(member.linkname)
            elif member.islnk():
                self._hard_link(target, _inner_path(member.linkname))
            elif member.isreg() and not member.issparse():
                self._file(target, member)
            else:
                raise ArchiveRefusedError(f"{member.name!r} is neither a file, nor a folder, nor a link")
        except FileExistsError as error:
            raise ArchiveRefusedError(f"{member.name!r} comes twice") from error
        except OSError as error:
            if error.errno not in _UNFIT_NAME:
                raise
            raise ArchiveRefusedError(f"{member.name[:200]!r}: {error.strerror}") from error

    def _make_parents(self, path: PurePosixPath) -> None:
        """Every parent must be a real folder: nothing is ever written through a link."""
        _check_depth(path, self._limits)
        folder = self._destination
        for part in path.parts[:-1]:
            folder = folder / part
            self._directory(folder)

    def _directory(self, folder: Path) -> None:
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            folder.mkdir(mode=0o755)
            return
        if not stat.S_ISDIR(mode):
            raise ArchiveRefusedError(f"{folder.name!r} is used as a folder and is none")

    def _file(self, target: Path, member: tarfile.TarInfo) -> None:
        self._bytes += member.size
        if self._bytes > self._limits.unpacked_bytes:
            raise ArchiveRefusedError(f"the archive unpacks to more than {self._limits.unpacked_bytes} bytes")
        content = self._archive.extractfile(member)
        if content is None:
            raise ArchiveRefusedError(f"{member.name!r} has no content")
        mode = 0o755 if member.mode & _EXECUTABLE else 0o644
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with content, os.fdopen(opened, "wb") as stream:
            while data := content.read(CHUNK_BYTES):
                self._check()
                stream.write(data)
        os.utime(target, (0, 0))

    def _hard_link(self, target: Path, source: PurePosixPath) -> None:
        self._make_parents(source)
        origin = self._destination / source
        if not origin.is_file() or origin.is_symlink():
            raise ArchiveRefusedError(f"{target.name!r} is a link to something that is not there")
        os.link(origin, target, follow_symlinks=False)


def pack(
    folder: Path,
    target: BinaryIO,
    *,
    limits: ArchiveLimits = ArchiveLimits(),  # frozen
    check: Callable[[], None] = _go_on,
) -> tuple[str, ...]:
    """Write a folder to a file as tar.gz whose bytes depend on names, contents and executable bits alone.

    The folder is resolved; where a link was put in its place since, nothing of it can be read. `.git` is left out. Returns what else was left out, as sentences: sockets and the like, links that lead out.
    Raises ArchiveRefusedError for a folder that could not be unpacked again, or not be read.
    """
    try:
        return _pack(folder, target, limits, check)
    except OSError as error:
        if error.errno not in _UNFIT_NAME | {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR}:
            raise
        raise ArchiveRefusedError(
            f"{str(error.filename)[:200]} cannot be read, so it cannot be packed: {error.strerror}"
        ) from error


def _pack(
    folder: Path, target: BinaryIO, limits: ArchiveLimits, check: Callable[[], None]
) -> tuple[str, ...]:
    left_out: list[str] = []
    entries = unpacked = 0
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _walk(folder):
            check()
            inner = PurePosixPath(path.relative_to(folder))
            _check_depth(inner, limits)
            name = str(inner)
            status = path.lstat()
            entries += 1
            unpacked += status.st_size if stat.S_ISREG(status.st_mode) else 0
            if entries > limits.entries or unpacked > limits.unpacked_bytes:
                raise ArchiveRefusedError(
                    f"the working directory has more than {limits.entries} entries or {limits.unpacked_bytes} bytes"
                )
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755 if status.st_mode & _EXECUTABLE else 0o644
            if stat.S_ISDIR(status.st_mode):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif stat.S_ISLNK(status.st_mode):
                entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
                try:
                    check_link(inner, entry.linkname)
                except ArchiveRefusedError as error:
                    left_out.append(str(error))
                    continue
                archive.addfile(entry)
            elif stat.S_ISREG(status.st_mode):
                with open_unlinked(path) as content:
                    entry.size = os.fstat(content.fileno()).st_size
                    archive.addfile(entry, content)
            else:
                left_out.append(f"{name!r} is neither a file, nor a folder, nor a link")
    return tuple(left_out)


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder, each folder before what is in it. Keeps its own stack: folders may nest deeply."""
    waiting = _inside(folder)
    while waiting:
        path = waiting.pop()
        yield path
        if path.is_dir() and not path.is_symlink():
            waiting += _inside(path)


def _inside(folder: Path) -> list[Path]:
    """The entries of a folder without `.git`, the first one last."""
    found = (path for path in folder.iterdir() if path.name != ".git")
    return sorted(found, key=lambda entry: os.fsencode(entry.name), reverse=True)


def _inner_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ArchiveRefusedError(f"{name!r} leads out of the archive")
    return path


def _check_depth(path: PurePosixPath, limits: ArchiveLimits) -> None:
    if len(path.parts) > limits.depth:
        raise ArchiveRefusedError(f"{str(path)[:200]!r} lies in more than {limits.depth} folders")


def check_link(path: PurePosixPath, target: str) -> None:
    """A link may climb no higher than the archive's top, and only at its start: later it could pass other links.

    `path` is the link's own in the archive. Raises ArchiveRefusedError. Who packs asks this, too.
    """
    parts = PurePosixPath(target).parts
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    if not target or "\0" in target or target.startswith("/") or climbs > len(path.parts) - 1:
        raise ArchiveRefusedError(f"the link {str(path)!r} leads to {target!r}, out of the working directory")
    if ".." in parts[climbs:]:
        raise ArchiveRefusedError(
            f"the link {str(path)!r} leads to {target!r}, which turns back on its way: '..' may stand only at its start"
        )
