"""Exception and frames out of a failure's text, as Python, JavaScript, the JVM and Go write them.

The text comes from tests: every pattern is linear, and only the first part of a text is looked at.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_TEXT = 16 * 1024
MAX_LINE = 500
TOP_FRAMES = 3

_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_NAME = r"[A-Za-z_$][\w$]{0,80}(?:[.:/][\w$]{1,80}){0,12}"
_EXCEPTION = re.compile(r"^(?:E {1,8})?(?:Uncaught )?(?P<type>[A-Za-z_$][\w$.]{0,200})(?=:|$| [\[(])")
_EXCEPTION_NAME = re.compile(r"(?:Error|Exception|Failure|Failed|Timeout|Interrupt|Exit|Warning|Throwable)$")
_PYTEST_LAST = re.compile(r"^[^\s:][^:\s]{0,300}\.py:\d{1,9}: (?P<type>[A-Za-z_][\w.]{0,200})$")
_CAUSED_BY = re.compile(rf"^Caused by: (?P<type>{_NAME})")
_PANIC = re.compile(r"^(?P<type>panic|fatal error): ")
_PYTHON_FILE = re.compile(r'^\s{0,12}File "(?P<file>[^"]{1,300})", line \d{1,9}, in (?P<name>\S{1,120})')
_PYTEST = re.compile(r"^(?P<file>[^\s:][^:\s]{0,300}\.py):\d{1,9}:(?: in (?P<name>\S{1,120})| )?")
_JVM = re.compile(
    r"^\s{0,12}at (?:[\w.@-]{1,80}/){0,2}(?P<name>[\w.$<>]{1,300})\((?P<file>[\w$.-]{1,120}\.(?:java|kt|scala|groovy))(?::\d{1,9})?\)"
)
_JS = re.compile(
    r"^\s{0,12}at (?:(?:async )?(?P<name>[^\s(]{1,200})(?: \[as [^\]]{1,80}\])? )?\(?(?P<file>[^\s()]{1,300}?):\d{1,9}:\d{1,9}\)?$"
)
_GO_FILE = re.compile(r"^\s{1,12}(?P<file>[^\s:]{1,300}\.go):\d{1,9}(?: \+0x[0-9a-f]+)?(?:$|:)")
_GO_NAME = re.compile(
    r"^(?P<name>[\w.\-~]{1,120}(?:/[\w.\-~]{1,120}){0,12}\.(?:\(\*?\w{1,80}\)\.)?[\w.]{1,120})\("
)
_LIBRARY = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|lib/python[\d.]{1,5}|_pytest|pluggy|src/runtime|src/testing|libexec)(?:/|$)"
    r"|^node:|^internal/|^<|go/src/"
)
_LIBRARY_NAME = re.compile(
    r"^(?:java\.|javax\.|jdk\.|sun\.|org\.junit\.|org\.testng\.|org\.assertj\.|org\.hamcrest\.|org\.opentest4j\."
    r"|org\.gradle\.|org\.apache\.maven\.|kotlin\.|runtime\.|testing\.|reflect\.|panic$|github\.com/stretchr/testify)"
)
_TEST_FILE = re.compile(
    r"^(?:test_.*\.py|.*_test\.py|tests\.py|.*\.(?:spec|test|cy|e2e)\.[cm]?[jt]sx?|.*(?:Test|Tests|IT|Spec|TestCase)\.(?:java|kt|scala|groovy)"
    r"|.*_test\.go)$"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: the file without its folders and line, for both change without a cause, and the function."""

    file: str
    name: str
    of_test: bool

    def __str__(self) -> str:
        return f"{self.file} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Stack:
    """What a text tells: the exception's type, the first lines of the message, the frames, the innermost first."""

    exception: str | None
    frames: tuple[Frame, ...]


def read_stack(message: str | None, details: str | None) -> Stack:
    """The exception and the frames of the project's own code. None and none where the text has no form that is known."""
    text = plain(f"{message or ''}\n{details or ''}")
    lines = [line[:MAX_LINE] for line in text.splitlines()]
    return Stack(_exception(lines), tuple(_frames(lines)))


def plain(text: str) -> str:
    """The first part of a text without the colours of a terminal."""
    first = text[:MAX_TEXT]
    return _ANSI.sub("", first) if "\x1b" in first else first


def _exception(lines: list[str]) -> str | None:
    """The root cause where one is told (JVM), else the first exception that a line begins with."""
    causes = [found["type"] for line in lines if (found := _CAUSED_BY.match(line))]
    if causes:
        return _short(causes[-1])
    for line in lines:
        stripped = line.strip()
        found = _PANIC.match(stripped) or _PYTEST_LAST.match(stripped) or _EXCEPTION.match(stripped)
        if found and (found.re is not _EXCEPTION or _EXCEPTION_NAME.search(found["type"])):
            return _short(found["type"])
    return None


def telling_line(details: str | None) -> str:
    """The line of a text that says what went wrong: the one with the exception, else the first."""
    lines = [line[:MAX_LINE].strip() for line in plain(details or "").splitlines()]
    told = [line for line in lines if line]
    for line in told:
        found = _CAUSED_BY.match(line) or _EXCEPTION.match(line)
        if _PANIC.match(line) or (found and _EXCEPTION_NAME.search(found["type"])):
            return line.removeprefix("E").strip() if line.startswith("E  ") else line
    asserted = [line for line in told if line.startswith("E  ")]
    return asserted[0].removeprefix("E").strip() if asserted else next(iter(told), "")


def _short(name: str) -> str:
    """Without its package: libraries move their exceptions."""
    return re.split(r"[.:/$]", name)[-1]


def _frames(lines: list[str]) -> list[Frame]:
    python = [_python(line) for line in lines]
    found = [each for each in python if each]
    if found:  # the innermost is the last one
        return _own(reversed(found))
    causes = [index for index, line in enumerate(lines) if _CAUSED_BY.match(line)]
    start = causes[-1] if causes else 0
    outward = _jvm_and_js(lines[start:]) or _go(lines)
    return _own(outward)


def _python(line: str) -> tuple[str, str] | None:
    found = _PYTHON_FILE.match(line) or _PYTEST.match(line)
    return (found["file"], found["name"] or "") if found else None


def _jvm_and_js(lines: list[str]) -> list[tuple[str, str]]:
    frames = []
    for line in lines:
        found = _JVM.match(line)
        if found:
            frames.append((found["file"], found["name"]))
        elif found := _JS.match(line):
            frames.append((found["file"].removeprefix("file://"), found["name"] or ""))
    return frames


def _go(lines: list[str]) -> list[tuple[str, str]]:
    frames = []
    name = ""
    for line in lines:
        if found := _GO_FILE.match(line):
            frames.append((found["file"], name))
            name = ""
        elif found := _GO_NAME.match(line):
            name = found["name"]
    return frames


def _own(frames: Iterable[tuple[str, str]]) -> list[Frame]:
    """Those of the project's own code, each once. The path is what tells a library's, or the JVM's package."""
    kept: dict[Frame, None] = {}
    for path, name in frames:
        unix = path.replace("\\", "/")
        if _LIBRARY.search(unix) or _LIBRARY_NAME.match(name):
            continue
        file = unix.rsplit("/", 1)[-1]
        kept[Frame(file, name.rsplit("/", 1)[-1], bool(_TEST_FILE.match(file)))] = None
    return list(kept)
