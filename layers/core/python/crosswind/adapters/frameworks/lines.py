"""Progress from what a framework prints: a manifest says how its lines look, and each that fits is news of a test.

A template is literal text with `{name}` (the test), `{n}` (digits) and `{}` (anything). What stands before `{name}` is
looked for from the line's start, what stands behind it from its end; nothing is tried twice, so a line costs time in
proportion to its length, whatever a template says. The news is for people, and decides nothing.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from crosswind.contracts.frameworks import ProgressSpec

LONGEST_LINE = 2000
MOST_WAITING = 10_000
_FIELD = re.compile(r"\{(name|n|)\}")
_ANSI = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|\r")
_NAME, _DIGITS = "name", "n"
_BAD = frozenset({"failed", "error"})

Piece = tuple[str, str]
"""A field with the literal text behind it; `=` stands for no field, at the very start."""


@dataclass(frozen=True, slots=True)
class LineTemplate:
    """One template, taken apart once."""

    before: tuple[Piece, ...]
    behind: tuple[Piece, ...]

    @classmethod
    def of(cls, text: str) -> "LineTemplate":
        """Raises ValueError: it has no `{name}`, or two."""
        head, *others = re.split(r"\{name\}", _squeezed(text))
        if len(others) != 1:
            raise ValueError("it needs {name} once")
        return cls(tuple(_pieces(head)), tuple(_pieces(others[0])))

    def match(self, line: str) -> str | None:
        """The test's name in a line whose runs of white space were made one space each."""
        start = _forwards(line, self.before)
        if start is None:
            return None
        stop = _backwards(line, self.behind, start)
        name = line[start:stop].strip() if stop is not None else ""
        return name or None


def _pieces(text: str) -> Iterator[Piece]:
    """Literal parts, each with the field that stands before it; the first has none ("=")."""
    parts = _FIELD.split(text)
    yield "=", parts[0]
    for position in range(1, len(parts), 2):
        yield parts[position], parts[position + 1]


def _forwards(line: str, pieces: Sequence[Piece]) -> int | None:
    """Where the text behind all pieces begins."""
    at = 0
    for kind, literal in pieces:
        if kind == "=":
            if not line.startswith(literal):
                return None
            at = len(literal)
            continue
        found = line.find(literal, at) if literal else at
        if found < 0 or (kind == _DIGITS and not line[at:found].isdecimal()):
            return None
        at = found + len(literal)
    return at


def _backwards(line: str, pieces: Sequence[Piece], start: int) -> int | None:
    """Where the text before all pieces ends."""
    stop = len(line)
    last = len(pieces) - 1
    for position in range(last, -1, -1):
        literal = pieces[position][1]
        if position == last:
            found = stop - len(literal) if line.endswith(literal) else -1
        else:
            found = line.rfind(literal, start, stop)
        if found < start:
            return None
        digits = position < last and pieces[position + 1][0] == _DIGITS
        if digits and not line[found + len(literal) : stop].isdecimal():
            return None
        stop = found
    return stop


@dataclass(slots=True)
class LineProgress:
    """Reads the output of one process, from one thread, and keeps its news until somebody asks."""

    spec: ProgressSpec
    planned: Sequence[str] | None = None
    separator: str = ""
    done: int = 0
    failed: int = 0
    _held: bytes = b""
    _over: bool = False
    _news: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    _lock: Lock = field(default_factory=Lock)
    _templates: tuple[tuple[str, LineTemplate], ...] = ()
    _ends: tuple[str, ...] = ()
    _known: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._templates = tuple(
            (outcome, LineTemplate.of(text))
            for outcome, texts in (
                ("failed", self.spec.failed),
                ("skipped", self.spec.skipped),
                ("passed", self.spec.passed),
                ("", self.spec.started),
            )
            for text in texts
        )
        self._ends = tuple(map(_squeezed, self.spec.ends))
        self._known = _by_endings(self.planned or (), self.separator)

    def feed(self, data: bytes) -> None:
        """Output as it comes. Of a line that is too long its start counts."""
        *lines, rest = (self._held + data).split(b"\n")
        self._held = rest[:LONGEST_LINE]
        for line in lines:
            self._line(line[:LONGEST_LINE])

    def poll(self) -> list[dict[str, object]]:
        """The news since the last call, as progress lines of a plug-in would be."""
        with self._lock:
            news = list(self._news)
            self._news.clear()
        return news

    def _line(self, raw: bytes) -> None:
        line = _squeezed(_ANSI.sub(b"", raw).decode(errors="replace"))
        if not line or self._over:
            return
        if any(line.startswith(end) for end in self._ends):
            self._over = True
            return
        for outcome, template in self._templates:
            name = template.match(line)
            test = self._test(name) if name else None
            if test is not None:
                self._tell(test, outcome)
                return

    def _test(self, name: str) -> str | None:
        """The planned test that is meant. Where tests are planned one by one, a line that means none is no test's."""
        if not self._known:
            return name
        if name in self._known:
            return self._known[name] or name
        return None if self.spec.planned_only else name

    def _tell(self, test: str, outcome: str) -> None:
        with self._lock:
            if not outcome:
                self._news.append({"event": "start", "id": test})
                return
            self.done += 1
            self.failed += outcome in _BAD
            self._news.append({"event": "finish", "id": test, "outcome": outcome})


def _by_endings(planned: Sequence[str], separator: str) -> dict[str, str | None]:
    """Planned tests by their ids and by what follows each separator in them; None where that means several."""
    found: dict[str, str | None] = {}
    for test in planned:
        ending = test
        while True:
            found[ending] = None if ending in found and ending != test else test
            _, between, ending = ending.partition(separator) if separator else (ending, "", "")
            if not between:
                break
    return found


def _squeezed(text: str) -> str:
    return " ".join(text.split())
