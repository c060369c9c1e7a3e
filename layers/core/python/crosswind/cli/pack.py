"""Pack a folder so that equal content gives equal bytes: sorted, without times, owners and what the excludes name."""

import gzip
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, cast

from crosswind.cli.errors import CliError
from crosswind.runner.archives import ArchiveRefusedError, check_link

IGNORE_FILE = ".crosswindignore"
MAX_ARCHIVE_BYTES = 2 * 1024**3
ALWAYS_EXCLUDED = (
    ".git",
    ".crosswind",
    ".venv",
    "__pycache__",
    "node_modules",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    "*.pyc",
    ".DS_Store",
)
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive on disk, named by its content."""

    file: Path
    digest: str
    size: int
    members: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """One exclude. An anchored one is matched against the whole path, another against each name of it."""

    text: str
    anchored: bool
    folders_only: bool

    def matches(self, path: PurePosixPath, *, is_folder: bool) -> bool:
        """Whether the pattern excludes this path itself (what lies in an excluded folder is never visited)."""
        if self.folders_only and not is_folder:
            return False
        return fnmatchcase(str(path) if self.anchored else path.name, self.text)


def read_excludes(folder: Path) -> tuple[Pattern, ...]:
    """The fixed excludes and those of the folder's `.crosswindignore`. Raises CliError for a pattern we do not know."""
    lines = list(ALWAYS_EXCLUDED)
    file = folder / IGNORE_FILE
    if file.is_file():
        lines += file.read_text(encoding="utf-8").splitlines()
    return tuple(_pattern(line.strip()) for line in lines if line.strip() and not line.startswith("#"))


def _pattern(line: str) -> Pattern:
    if line.startswith("!") or "**" in line:
        raise CliError(
            f"{IGNORE_FILE}: {line!r} is not supported",
            hint="Patterns are names or paths with *, ? and [], a / at the end for folders, # for comments.",
        )
    text = line.rstrip("/")
    return Pattern(text=text.lstrip("/"), anchored="/" in text, folders_only=line.endswith("/"))


@contextmanager
def packed(folder: Path) -> Iterator[Packed]:
    """Pack a folder into a temporary file that lasts as long as the context. Raises CliError."""
    with TemporaryDirectory(prefix="crosswind-pack-") as temporary:
        file = Path(temporary) / "source.tar.gz"
        try:
            members = _write(folder, file)
        except OSError as error:
            raise CliError(f"{folder} cannot be packed: {error}") from error
        if members == 0:
            raise CliError(f"{folder} holds nothing to pack")
        yield Packed(file=file, digest=_digest(file), size=file.stat().st_size, members=members)


def _write(folder: Path, file: Path) -> int:
    members = 0
    with file.open("wb") as raw:
        limited = cast("IO[bytes]", _Limited(raw, folder))
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=limited, compresslevel=6, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in _walk(folder, folder, read_excludes(folder)):
                _add(archive, path, folder)
                members += 1
    return members


def _walk(folder: Path, root: Path, excludes: tuple[Pattern, ...]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        is_folder = entry.is_dir(follow_symlinks=False)
        relative = PurePosixPath(Path(entry.path).relative_to(root).as_posix())
        if any(pattern.matches(relative, is_folder=is_folder) for pattern in excludes):
            continue
        yield Path(entry.path)
        if is_folder:
            yield from _walk(Path(entry.path), root, excludes)


def _add(archive: tarfile.TarFile, path: Path, root: Path) -> None:
    member = tarfile.TarInfo(path.relative_to(root).as_posix())
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, _inner_link(path, root), 0o777
        archive.addfile(member)
    elif stat.S_ISDIR(status.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
    elif stat.S_ISREG(status.st_mode):
        member.size, member.mode = status.st_size, 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        with path.open("rb") as stream:
            archive.addfile(member, stream)
    else:
        raise CliError(f"{path} is neither a file nor a folder", hint=f"Name it in {IGNORE_FILE}.")


def _inner_link(path: Path, root: Path) -> str:
    """Where a link leads, if a runner will take it: otherwise the run would fail minutes later. Raises CliError."""
    target = path.readlink().as_posix()
    try:
        check_link(PurePosixPath(path.relative_to(root).as_posix()), target)
    except ArchiveRefusedError as error:
        raise CliError(
            f"{root} cannot be packed: {error}",
            hint=f"Let it lead straight to its goal, replace it by what it leads to, or name it in {IGNORE_FILE}.",
        ) from error
    return target


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


class _Limited:
    """Stops writing when the archive has grown over the limit, not after the disk is full."""

    def __init__(self, stream: IO[bytes], folder: Path) -> None:
        self._stream = stream
        self._folder = folder
        self._written = 0

    def write(self, data: bytes) -> int:
        self._written += len(data)
        if self._written > MAX_ARCHIVE_BYTES:
            raise CliError(
                f"{self._folder} is over the limit of {MAX_ARCHIVE_BYTES // 1024**3} GiB when packed",
                hint=f"Name what the tests do not need in {IGNORE_FILE}.",
            )
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()
