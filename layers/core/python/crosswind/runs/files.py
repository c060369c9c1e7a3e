"""What an uploaded file is, how long it is kept, and how it may be shown. By its name alone, and pure.

Tests choose names and contents, so a file is untrusted: a browser may run nothing that it holds.
"""

import mimetypes
from dataclasses import dataclass
from pathlib import PurePosixPath

from crosswind.contracts.work import FileClass

CLASS_TAG = "class"
"""The object tag that life cycle rules go by."""

ARCHIVE_CLASS = "archive"
"""The class of a zip of a run's files: it can be built again, so it is kept for some days only."""

UNKNOWN = "application/octet-stream"

_TYPES = {
    ".avif": "image/avif",
    ".har": "application/json",
    ".jsonl": "application/x-ndjson",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".ndjson": "application/x-ndjson",
    ".out": "text/plain",
    ".ts": "text/plain",  # to Python's table a video
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".yaml": "text/plain",
    ".yml": "text/plain",
}
_TEXTS = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/x-ndjson",
        "application/x-sh",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
    }
)
_SHOWN = frozenset(
    {"application/pdf", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"}
)
_SHOWN_FAMILIES = ("audio/", "video/")
_ACTIVE = frozenset({"application/xhtml+xml", "application/xml", "image/svg+xml", "text/html", "text/xml"})
_PAGES = frozenset({"text/html"})
_TRACES = frozenset({".cpuprofile", ".har", ".heapsnapshot", ".trace"})
_REPORTS = frozenset({".htm", ".html", ".jtl", ".pdf"})
_REPORT_WORDS = ("report", "result", "junit", "coverage", "summary")
_REPORT_FORMATS = frozenset({".json", ".xml", ".csv", ".md"})


@dataclass(frozen=True, slots=True)
class Shown:
    """How a link has a browser treat a file."""

    content_type: str
    inline: bool


def content_type(name: str) -> str:
    """By the file's extension; never anything that a browser would run from an unknown one."""
    suffix = PurePosixPath(name).suffix.lower()
    guessed, encoding = mimetypes.guess_type(name)
    return _TYPES.get(suffix) or (guessed if guessed and not encoding else UNKNOWN)


def is_text(kind: str) -> bool:
    """Whether a file of this content type is text, which packs well."""
    return kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml"))


def class_of(name: str, kind: str) -> FileClass:
    """The class of a file by its path and content type."""
    path = PurePosixPath(name.lower())
    if kind.startswith("video/"):
        return FileClass.VIDEO
    if path.suffix in _TRACES or (path.suffix == ".zip" and "trace" in path.stem):
        return FileClass.TRACE
    if kind.startswith("image/"):
        return FileClass.SCREENSHOT
    if path.suffix in _REPORTS or (
        path.suffix in _REPORT_FORMATS and any(word in path.stem for word in _REPORT_WORDS)
    ):
        return FileClass.REPORT
    if path.suffix in {".log", ".out"} or (
        kind == "text/plain" and {"log", "logs"} & {*path.parts, path.stem}
    ):
        return FileClass.LOG
    return FileClass.OTHER


def shown(kind: str, *, pages: bool = False) -> Shown:
    """How a file of this content type may be shown.

    Images, video, audio and PDF are shown; text as plain text. What may hold scripts is saved, unless `pages` asks to
    open HTML as it is: from the bucket's own address, where no cookie and no token of Crosswind's goes.
    """
    if kind in _SHOWN or kind.startswith(_SHOWN_FAMILIES):
        return Shown(kind, inline=True)
    if pages and kind in _PAGES:
        return Shown("text/html; charset=utf-8", inline=True)
    if kind in _ACTIVE or kind.endswith("+xml"):
        return Shown(kind, inline=False)
    if kind == "application/json" or kind.endswith("+json"):
        return Shown("application/json", inline=True)
    if is_text(kind):
        return Shown("text/plain; charset=utf-8", inline=True)
    return Shown(UNKNOWN if kind.startswith("text/") else kind, inline=False)
