"""What a failure expected and what it got, where its text tells both."""

import re
from dataclasses import dataclass

from crosswind.runs.reporting.stacks import plain

_CHARS = 8_000
_VALUE_CHARS = 1_000
_PATTERNS = (
    # Jest, Playwright
    re.compile(
        r"^\s{0,8}Expected(?: \w{1,20}){0,2}:\s{1,8}(?P<expected>.{1,1000})\n(?:\s{0,8}\n)?\s{0,8}Received(?: \w{1,20}){0,2}:\s{1,8}(?P<actual>.{1,1000})$",
        re.MULTILINE,
    ),
    # testify
    re.compile(
        r"^\s{0,24}expected\s{0,4}: (?P<expected>.{1,1000})\n\s{0,24}actual\s{0,4}: (?P<actual>.{1,1000})$",
        re.MULTILINE,
    ),
    # JUnit 5, AssertJ on one line
    re.compile(
        r"expected: ?<(?P<expected>.{0,1000}?)> but was: ?<(?P<actual>.{0,1000}?)>(?:$|\s)", re.MULTILINE
    ),
    # JUnit 4
    re.compile(r"expected:<(?P<expected>.{0,1000}?)> but was:<(?P<actual>.{0,1000}?)>", re.MULTILINE),
    # chai
    re.compile(
        r"expected (?P<actual>\S.{0,300}?) to (?:deeply )?(?:equal|be|have status(?: code)?) (?P<expected>\S.{0,300})$",
        re.MULTILINE,
    ),
    # pytest: what stands left is what the code gave
    re.compile(
        r"^(?:E {1,8})?(?:AssertionError: )?assert (?P<actual>[^\n]{1,300}?) == (?P<expected>[^\n]{1,300})$",
        re.MULTILINE,
    ),
)
_AROUND = re.compile(r"^\s{0,4}E {0,8}(?=[-+?] )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Diff:
    """The two sides."""

    expected: str
    actual: str


def read_diff(message: str | None, details: str | None) -> Diff | None:
    """Both sides; None where the text does not tell them, or tells the same for both."""
    for text in (message, details):
        if not text:
            continue
        seen = plain(text[:_CHARS])
        for pattern in _PATTERNS:
            found = pattern.search(seen)
            if found and found["expected"].strip() != found["actual"].strip():
                return Diff(found["expected"].strip()[:_VALUE_CHARS], found["actual"].strip()[:_VALUE_CHARS])
    return _from_lines(plain((details or "")[:_CHARS]))


def _from_lines(details: str) -> Diff | None:
    """A diff by lines: `- expected`, `+ actual`, as pytest, Jest and mocha print them beneath such a legend."""
    text = _AROUND.sub("", details)
    if not re.search(r"^[ \t]{0,8}[-+] (?:Expected|Received|expected|actual)", text, re.MULTILINE):
        return None
    expected = re.findall(r"^[ \t]{0,8}-(?!--| ?[Ee]xpected) ?(.{0,300})$", text, re.MULTILINE)
    actual = re.findall(r"^[ \t]{0,8}\+(?!\+\+| ?(?:Received|actual)) ?(.{0,300})$", text, re.MULTILINE)
    if not expected or not actual:
        return None
    return Diff("\n".join(expected)[:_VALUE_CHARS], "\n".join(actual)[:_VALUE_CHARS])
