"""What the runner does to itself before it starts anything: limits that its children inherit, and a closed door.

Limits are set here and not between fork and exec, where no code may run safely beside threads.
"""

import ctypes
import ctypes.util
import resource
import sys

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_MOST_FILES = 65_536
_MOST_PROCESSES = 16_384


def harden() -> None:
    """No core files, bounded files and processes, no look into this process, and orphans come to it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _bound(resource.RLIMIT_NOFILE, _MOST_FILES)
    _bound(resource.RLIMIT_NPROC, _MOST_PROCESSES)
    deny_inspection()
    adopt_orphans()


def deny_inspection() -> None:
    """Let no process of the same user read this one's memory or /proc/<pid>/environ. Root can all the same."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ended, so that a double fork does not hide them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _bound(what: int, most: int) -> None:
    soft, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or hard > most:
        hard = most
    resource.setrlimit(what, (min(max(soft, 4096) if soft != resource.RLIM_INFINITY else hard, hard), hard))


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(ctypes.util.find_library("c") or None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) was refused")
