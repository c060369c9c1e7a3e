"""Which failures have one cause: the same exception, the same message but for values, the same top frames.

The frames of the tests themselves do not count: a service that is down fails each test in a function of its own. Only
where nothing else tells failures apart the test's file does.
"""

import hashlib
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from crosswind.kernel.pages import whole_text
from crosswind.runs.reporting.model import CaseRow, ClusterRow, ClusterSummary
from crosswind.runs.reporting.stacks import MAX_LINE, TOP_FRAMES, plain, read_stack, telling_line

_MESSAGE_CHARS = 1_000
_MESSAGE_LINES = 4
_KEY_DIGITS = 16
_SHOWN_TESTS = 5
_FEW_WORDS = 3
_REST = "assertionerror assert error failed expected received actual to be was but got equal equals"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?\b"
            r"|\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b"
        ),
        "<time>",
    ),
    (
        re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"),
        "<uuid>",
    ),
    (re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s'\"<>)\]]{1,500}"), "<url>"),
    (re.compile(r"(?<![\w\\])\"[^\"\n]{0,400}\"|(?<![\w\\])'[^'\n]{0,400}'(?!\w)|`[^`\n]{0,400}`"), "<text>"),
    (
        re.compile(
            r"(?<![\w<])[A-Za-z]:\\[^\s:*?\"<>|]{1,300}|(?<![\w<])(?:\.{0,2}|~)/[\w.@%+~-][^\s:,;)\]'\"<>]{0,300}"
        ),
        "<path>",
    ),
    (re.compile(r"\b[\w.-]{1,80}(?:/[\w.@-]{1,80}){1,20}\.\w{1,8}\b"), "<path>"),
    (re.compile(r"\b0[xX][0-9a-fA-F]{1,32}\b"), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]{0,39}\d)(?=[0-9a-f]{0,39}[a-f])[0-9a-f]{8,128}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"(?<![A-Za-z_<])[-+]?\d[\d_,]{0,40}(?:\.\d{1,40})?(?:[eE][-+]?\d{1,4})?"), "<n>"),
)
_STATUS = re.compile(
    r"((?:status(?:[ _]?code)?|HTTP(?:/[\d.]{1,3})?|Response)\W{1,4}(?:is |was |of )?)([1-5]\d\d)\b",
    re.IGNORECASE,
)
_KEPT = "abcdefghij"
_MARK = "\x02"


def normalise(message: str) -> str:
    """A message without its values: what of it is the same from run to run.

    An HTTP status that is called one stays: 404 and 500 are two causes.
    """
    lines = [line.strip() for line in plain(message[:_MESSAGE_CHARS]).splitlines() if line.strip()]
    text = " ".join(line[:MAX_LINE] for line in lines[:_MESSAGE_LINES]).replace(_MARK, "")
    text = _STATUS.sub(lambda found: found[1] + _MARK + _spelled(found[2]), text)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    text = re.sub(rf"{_MARK}([{_KEPT}]{{3}})", lambda found: _digits(found[1]), text)
    return " ".join(text.split())


def _spelled(number: str) -> str:
    return "".join(_KEPT[int(digit)] for digit in number)


def _digits(letters: str) -> str:
    return "".join(str(_KEPT.index(letter)) for letter in letters)


@dataclass(frozen=True, slots=True)
class Signature:
    """What failures with one cause have in common."""

    exception: str | None
    message: str
    frames: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its hash."""
        text = "\x00".join((self.exception or "", self.message, *self.frames))
        return hashlib.sha256(whole_text(text).encode()).hexdigest()[:_KEY_DIGITS]


def signature(message: str | None, details: str | None) -> Signature:
    """The signature of one failure."""
    stack = read_stack(message, details)
    said = normalise(message or telling_line(details))
    frames = [str(frame) for frame in stack.frames if not frame.of_test][:TOP_FRAMES]
    if not frames and _says_little(said):
        frames = [f"{frame.file}" for frame in stack.frames][:1]
    return Signature(stack.exception, said, tuple(frames))


def _says_little(message: str) -> bool:
    words = set(re.findall(r"[a-z]{2,40}", re.sub(r"<\w{1,5}>", "", message.lower())))
    return len(words - set(_REST.split())) < _FEW_WORDS


def cluster(
    cases: Iterable[CaseRow], *, known: AbstractSet[str] = frozenset(), compared_with: tuple[str, ...] = ()
) -> tuple[tuple[CaseRow, ...], ClusterSummary]:
    """The cases, each failure with its cluster's key, and the clusters: new ones first, then by size.

    `known` are the keys of the failures of earlier runs, `compared_with`; without any nothing is called new.
    """
    marked = []
    found: dict[str, tuple[Signature, list[str]]] = {}
    failures = 0
    for case in cases:
        if not case.red:
            marked.append(case)
            continue
        failures += 1
        sign = signature(case.message or case.status.value, case.details)
        found.setdefault(sign.key, (sign, []))[1].append(case.name)
        marked.append(case.model_copy(update={"cluster": sign.key}))
    rows = [
        ClusterRow(
            key=key,
            exception=sign.exception,
            message=sign.message[:MAX_LINE],
            frames=sign.frames,
            count=len(names),
            tests=tuple(names[:_SHOWN_TESTS]),
            new=key not in known if compared_with else None,
        )
        for key, (sign, names) in found.items()
    ]
    rows.sort(key=lambda row: (row.new is not True, -row.count, row.key))
    return tuple(marked), ClusterSummary(failures=failures, clusters=tuple(rows), compared_with=compared_with)
