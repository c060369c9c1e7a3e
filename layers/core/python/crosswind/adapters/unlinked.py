"""Opens what somebody who is not trusted has left, without being led elsewhere.

In a pod the tests share a folder with the agent, and its user: at any moment they can put a link in place of a file, or
of a folder on the way to it, that leads to what only the agent can read. A path that was looked at is no promise.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def open_unlinked(path: Path) -> Iterator[BinaryIO]:
    """A regular file to which no link leads, from the root on: so its path is one that was resolved before.

    Raises OSError for anything else; a pipe does not hold it up.
    """
    descriptor = _open(path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        yield file


def path_of(file: BinaryIO) -> Path:
    """A path that leads to this open file, whatever has become of its name; good while it is open."""
    return Path("/dev/fd", str(file.fileno()))


def _open(path: Path) -> int:
    top, *folders = path.absolute().parts
    name = folders.pop()
    folder = os.open(top, _FOLDER)
    try:
        for each in folders:
            inner = os.open(each, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(folder)
