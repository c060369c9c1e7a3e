"""Fingerprints of what things are made from, so that `up` makes anew what has changed and leaves the rest alone."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from crosswind.local.tools import BOTO3, CRYPTOGRAPHY, MINISTACK

_PACKAGE = Path(__file__).parents[1]
_RUNS_FROM = (
    "adapters",
    "bootstrap",
    "chaos",
    "contracts",
    "kernel",
    "local",
    "runner",
    "runs",
    "settings.py",
)
_EMULATOR = ("local/emulator_environments.py", "local/emulator_host.py")


def of_files(
    root: Path, names: Iterable[str], *, made_with: str = "", leave_out: tuple[str, ...] = ()
) -> str:
    """A hash of files and folders below `root`, by name and content, and of what else they are made with.

    `leave_out` holds the starts of paths, from `root`, that do not matter.
    """
    digest = hashlib.sha256(made_with.encode())
    for name in names:
        for path in _files(root / name):
            relative = path.relative_to(root).as_posix()
            if leave_out and relative.startswith(leave_out):
                continue
            content = path.read_bytes()
            digest.update(f"\n{relative} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def of_package() -> str:
    """What the gateway, the pool and its runners run."""
    return of_files(_PACKAGE, _RUNS_FROM)


def of_emulator() -> str:
    """What the emulator runs."""
    return of_files(_PACKAGE, _EMULATOR, made_with=f"{MINISTACK} {BOTO3} {CRYPTOGRAPHY}")


def of_options(code: str, options: Iterable[str]) -> str:
    """Code by its fingerprint, with the options that a process is started with."""
    return hashlib.sha256("\n".join((code, *sorted(options))).encode()).hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for entry in sorted(path.rglob("*")):
        if entry.is_file() and "__pycache__" not in entry.parts:
            yield entry
