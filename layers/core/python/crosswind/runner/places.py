"""Where attempts run."""

import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TextIO

_PROJECT_MARKS = (
    *(".git", ".hg", "pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", "setup.py", "conftest.py"),
    *("package.json", "Cargo.toml", "go.mod"),
)


LONGEST_FOLDER = 40
"""Of attempts, in bytes: a browser's profile below its TMPDIR has a Unix socket, whose whole path takes at most 107."""


class UnsafeFolderError(Exception):
    """The folder belongs to someone else."""


def hold_folder(work_folder: Path) -> TextIO:
    """Make a work folder and keep other runners out of it until the returned file is closed, or this process ends.

    Raises UnsafeFolderError when another runner holds it.
    """
    work_folder.mkdir(parents=True, exist_ok=True)
    lock = (work_folder / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise UnsafeFolderError(f"{work_folder} is the folder of a runner that is still alive") from error
    return lock


def attempts_folder(work_folder: Path) -> Path:
    """The folder for a runner's attempts: below its work folder, unless that lies inside someone's project or too deep.

    Test tools search upwards for their configuration. In a folder inside a project they would find that project's, so
    there attempts run below the machine's temporary folder; and also where browsers could make no sockets any more.
    Raises UnsafeFolderError.
    """
    folders = (work_folder, *work_folder.parents)
    folder = work_folder / "attempts"
    fits = len(os.fsencode(folder)) <= LONGEST_FOLDER
    if fits and not any((each / mark).exists() for each in folders for mark in _PROJECT_MARKS):
        return folder
    base = Path(tempfile.gettempdir()) / f"crosswind-{os.geteuid()}"
    base.mkdir(mode=0o711, exist_ok=True)
    status = base.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise UnsafeFolderError(f"{base} is not this user's folder; remove it or set TMPDIR")
    return base.resolve() / short_name(str(work_folder))


def short_name(name: str) -> str:
    """A short name for a folder: a Unix socket below TMPDIR has some 100 characters for its whole path."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]
