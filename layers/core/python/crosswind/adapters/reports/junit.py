"""JUnit XML as a bounded stream: expat's events, never a tree, so that memory stays flat whatever the file's size.

Reports are untrusted. A document type declaration is refused as soon as it begins, so that no entity can be declared,
expanded or fetched. There is no one schema of JUnit XML; this reader takes what the dialects have in common (Ant, Maven
Surefire, pytest, jest-junit, GoogleTest, CTest and others) and tells everything else as a fault:

- suites nest, with or without a `testsuites` root; XML namespaces are ignored;
- `error` counts before `failure`, and both before `skipped`, whatever their order;
- a case without any of them is what its `status` or `result` attribute says, else flaky when it has rerun or flaky elements, else
  passed;
- a suite that declares failures or tests of which it holds no record is a fault: it would be green by absence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from crosswind.adapters.reports.numbers import count_of, seconds_of
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import (
    MARK,
    Problem,
    ReportedCase,
    ReportedSuite,
    ReportFault,
    ReportItem,
    ReportLimits,
    cut,
)

_CHUNK = 64 * 1024
_ATTACHMENT = re.compile(r"\[\[ATTACHMENT\|([^\]\r\n]{1,4096})\]\]")
_PROBLEMS = frozenset({"failure", "error", "skipped"})
_RERUNS = frozenset({"rerunFailure", "rerunError", "flakyFailure", "flakyError", "rerun"})
_OUTPUTS = frozenset({"system-out", "system-err"})
_STATUS_WORDS = {
    **dict.fromkeys(("notrun", "disabled", "skipped", "skip", "suppressed", "ignored"), CaseStatus.SKIPPED),
    **dict.fromkeys(("failed", "fail", "failure"), CaseStatus.FAILED),
    **dict.fromkeys(("error", "errored", "broken"), CaseStatus.ERROR),
}
_RED = frozenset({CaseStatus.FAILED, CaseStatus.ERROR})


class _RefusedError(Exception):
    """The rest of the file is not read."""


@dataclass(slots=True)
class _Text:
    """Character data, kept up to a limit."""

    limit: int
    parts: list[str] = field(default_factory=list)
    length: int = 0

    def add(self, data: str) -> None:
        if self.length < self.limit:
            self.parts.append(data[: self.limit - self.length])
        self.length += len(data)

    def value(self) -> str:
        return "".join(self.parts) + (MARK if self.length > self.limit else "")


@dataclass(slots=True)
class _Element:
    """What is open: `text` takes the character data inside it, if anything wants it."""

    kind: str
    text: _Text | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(slots=True)
class _Owner:
    """A case or a suite that is being read."""

    attributes: dict[str, str]
    line: int
    output: _Text
    error_output: _Text
    problems: list[Problem] = field(default_factory=list)
    reruns: list[Problem] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)
    is_root: bool = False
    cases: int = 0
    red: int = 0
    faulted: bool = False


class JUnitReader:
    """ReportReader for JUnit XML."""

    def __init__(self, limits: ReportLimits | None = None) -> None:
        self._limits = limits or ReportLimits()

    def read(self, stream: BinaryIO, *, name: str, encoding: str | None = None) -> Iterator[ReportItem]:
        """Yield cases as they end, suites as they end, and faults where they are met.

        `encoding` is that of the bytes, where it is another one than the file declares.
        """
        document = _Document(self._limits, name=name, encoding=encoding)
        size = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > self._limits.file_bytes:
                document.refuse(f"the file is larger than {self._limits.file_bytes} bytes")
            going_on = document.feed(chunk)
            yield from document.take()
            if not going_on:
                return
        document.close(empty=size == 0)
        yield from document.take()


class _Document:
    """One file: gets bytes, collects items."""

    def __init__(self, limits: ReportLimits, *, name: str, encoding: str | None) -> None:
        self._limits = limits
        self._name = name
        self._items: list[ReportItem] = []
        self._faults = 0
        self._count = 0
        self._silent = 0  # bytes since expat last told of anything: the length of an unfinished token
        self._refused: str | None = None
        self._open: list[_Element] = []
        self._suites: list[_Owner] = []
        self._case: _Owner | None = None
        self._parser = expat.ParserCreate(encoding)
        self._parser.buffer_text = True
        self._parser.buffer_size = _CHUNK
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._entity
        self._parser.ExternalEntityRefHandler = self._external

    def take(self) -> list[ReportItem]:
        """What was found since the last call."""
        items, self._items = self._items, []
        return items

    def refuse(self, why: str) -> None:
        """Read nothing more; `feed` tells it as a fault."""
        self._refused = why

    def feed(self, chunk: bytes, *, final: bool = False) -> bool:
        """Parse some bytes. False when the rest of the file is lost or refused."""
        try:
            self._parse(chunk, final=final)
        except _RefusedError as refusal:
            self._lose(f"{refusal}; the rest of the file was not read")
        except expat.ExpatError as error:
            why = expat.ErrorString(error.code) or "not well-formed XML"
            self._lose(f"{why}; what comes after it was not read")
        except (LookupError, ValueError) as error:  # pyexpat's answer to encodings that it does not know
            self._lose(f"the declared encoding cannot be read ({error})")
        else:
            return True
        return False

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        if self._refused is not None:
            raise _RefusedError(self._refused)
        self._silent += len(chunk)
        self._parser.Parse(chunk, final)
        if self._silent > self._limits.token_bytes:
            raise _RefusedError(f"a tag or comment is longer than {self._limits.token_bytes} bytes")

    def close(self, *, empty: bool) -> None:
        """The file is over."""
        if empty:
            self._fault("the file is empty")
        else:
            self.feed(b"", final=True)

    def _lose(self, why: str) -> None:
        case = self._case
        if case is not None:
            self._close_partial_problem(case)
            self._case = None
            known = case.problems or _STATUS_WORDS.get(_status_word(case.attributes))
            if known:
                self._finish_case(case)
            else:
                why = f"{why}, and test case {case.attributes.get('name', '')!r} has no known end"
        self._fault(why)

    def _close_partial_problem(self, case: _Owner) -> None:
        for element in self._open:
            if element.kind == "problem":
                case.problems.append(self._problem(element))

    def _fault(self, why: str, *, line: int | None = None) -> None:
        self._faults += 1
        if self._faults <= self._limits.faults:
            at = line or self._parser.CurrentLineNumber
            self._items.append(ReportFault(where=f"{self._name}, line {at}", why=why))

    # What expat tells.

    def _doctype(self, *_: object) -> None:
        raise _RefusedError("the file declares a document type, which reports must not")

    def _entity(self, *_: object) -> None:
        raise _RefusedError("the file declares an entity, which reports must not")

    def _external(self, *_: object) -> int:
        raise _RefusedError("the file refers to an external entity, which reports must not")

    def _characters(self, data: str) -> None:
        self._silent = 0
        if self._open and (text := self._open[-1].text) is not None:
            text.add(data)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._silent = 0
        if len(self._open) >= self._limits.depth:
            raise _RefusedError(f"elements are nested deeper than {self._limits.depth}")
        name = tag.rpartition(":")[2]
        parent = self._open[-1] if self._open else None
        if parent is None and name not in {"testsuites", "testsuite"}:
            raise _RefusedError(f"the root element is <{cut(name, limit=80)}>: this is not JUnit XML")
        self._open.append(self._element(name, parent, attributes))

    def _element(self, name: str, parent: _Element | None, attributes: dict[str, str]) -> _Element:
        inside = parent.kind if parent else "suite"
        if name in {"testsuites", "testsuite"} and inside == "suite":
            self._suites.append(self._owner(attributes, is_root=name == "testsuites"))
            return _Element("suite")
        if name == "testcase" and self._case is None:
            self._count += 1
            if self._count > self._limits.cases:
                raise _RefusedError(f"there are more than {self._limits.cases} test cases")
            self._case = self._owner(attributes)
            return _Element("case")
        if name == "testcase":
            self._fault("a test case stands inside another one and cannot be told apart")
        if inside in {"case", "suite"}:
            return self._owned(name, inside, attributes)
        if inside == "properties" and name == "property":
            return _Element("property", _Text(self._limits.text_chars), attributes)
        # The text of markup inside a message belongs to the message; outputs of a rerun are left out.
        return _Element("other", parent.text if parent and name not in _OUTPUTS else None)

    def _owned(self, name: str, inside: str, attributes: dict[str, str]) -> _Element:
        owner = self._case or self._suites[-1]
        if name in _PROBLEMS:
            return _Element("problem", _Text(self._limits.text_chars), attributes, name)
        if name in _RERUNS and inside == "case":
            return _Element("rerun", _Text(self._limits.text_chars), attributes, name)
        if name in _OUTPUTS:
            return _Element("output", owner.output if name == "system-out" else owner.error_output)
        return _Element("properties" if name == "properties" else "other")

    def _end(self, _: str) -> None:
        self._silent = 0
        element = self._open.pop()
        if element.kind == "suite":
            self._finish_suite(self._suites.pop())
        elif element.kind == "case" and self._case is not None:
            case, self._case = self._case, None
            self._finish_case(case)
        elif element.kind in {"problem", "rerun", "property"}:
            self._keep(element, self._case or self._suites[-1])

    def _keep(self, element: _Element, owner: _Owner) -> None:
        if element.kind == "property":
            attributes = element.attributes
            text = element.text.value() if element.text else ""
            if len(owner.properties) < self._limits.items:
                value = self._cut(attributes.get("value", text))
                owner.properties.append((self._cut(attributes.get("name", "")), value))
            return
        kept = owner.problems if element.kind == "problem" else owner.reruns
        if len(kept) < self._limits.items:
            kept.append(self._problem(element))

    # What is made of it.

    def _cut(self, text: str) -> str:
        return cut(text, limit=self._limits.text_chars)

    def _owner(self, attributes: dict[str, str], *, is_root: bool = False) -> _Owner:
        return _Owner(
            attributes={key.rpartition(":")[2]: self._cut(value) for key, value in attributes.items()},
            line=self._parser.CurrentLineNumber,
            output=_Text(self._limits.text_chars),
            error_output=_Text(self._limits.text_chars),
            is_root=is_root,
        )

    def _problem(self, element: _Element) -> Problem:
        message, kind = element.attributes.get("message"), element.attributes.get("type")
        return Problem(
            kind=element.name,
            message=None if message is None else self._cut(message),
            type=None if kind is None else self._cut(kind),
            text=element.text.value() if element.text else "",
        )

    def _path(self) -> tuple[str, ...]:
        names = (suite.attributes.get("name", "") for suite in self._suites if not suite.is_root)
        return tuple(name for name in names if name)

    def _finish_case(self, case: _Owner) -> None:
        attributes = case.attributes
        if not attributes.get("name"):
            self._fault("a test case has no name and cannot be told apart", line=case.line)
        status = _status(case)
        suite = self._suites[-1]
        suite.cases += 1
        suite.red += status in _RED
        self._items.append(
            ReportedCase(
                name=attributes.get("name") or f"(no name, line {case.line})",
                class_name=attributes.get("classname") or None,
                suites=self._path(),
                status=status,
                duration_seconds=seconds_of(attributes.get("time")),
                line=case.line,
                file=attributes.get("file") or None,
                problems=tuple(case.problems),
                reruns=tuple(case.reruns),
                properties=tuple(case.properties),
                output=case.output.value(),
                error_output=case.error_output.value(),
                attachments=self._attachments(case),
            )
        )

    def _finish_suite(self, suite: _Owner) -> None:
        path = self._path()
        if not suite.is_root and suite.attributes.get("name"):
            path = (*path, suite.attributes["name"])
        suite.red += sum(problem.kind != "skipped" for problem in suite.problems)
        if not suite.faulted and (why := _undeclared(suite)):
            suite.faulted = True
            self._fault(why, line=suite.line)
        if self._suites:
            parent = self._suites[-1]
            parent.cases += suite.cases
            parent.red += suite.red
            parent.faulted = parent.faulted or suite.faulted
        self._items.append(
            ReportedSuite(
                path=path,
                line=suite.line,
                problems=tuple(suite.problems),
                properties=tuple(suite.properties),
                output=suite.output.value(),
                error_output=suite.error_output.value(),
                attachments=self._attachments(suite),
            )
        )

    def _attachments(self, owner: _Owner) -> tuple[str, ...]:
        found = _ATTACHMENT.findall(owner.output.value()) if owner.output.length else []
        named = [value for name, value in owner.properties if name == "attachment"]
        return tuple(dict.fromkeys(path.strip() for path in (*found, *named)))[: self._limits.items]


def _status_word(attributes: dict[str, str]) -> str:
    words = (attributes.get("status", "").lower(), attributes.get("result", "").lower())
    return next((word for word in words if word in _STATUS_WORDS), "")


def _status(case: _Owner) -> CaseStatus:
    kinds = {problem.kind for problem in case.problems}
    for kind, status in (
        ("error", CaseStatus.ERROR),
        ("failure", CaseStatus.FAILED),
        ("skipped", CaseStatus.SKIPPED),
    ):
        if kind in kinds:
            return status
    said = _STATUS_WORDS.get(_status_word(case.attributes))
    return said or (CaseStatus.FLAKY if case.reruns else CaseStatus.PASSED)


def _undeclared(suite: _Owner) -> str | None:
    """What the suite's own figures tell of that it has no record for. More tests than records alone is no fault: some
    frameworks count assertions there.
    """
    label = f"suite {cut(suite.attributes.get('name', ''), limit=200)!r}"
    red = count_of(suite.attributes.get("failures")) + count_of(suite.attributes.get("errors"))
    if red and not suite.red:
        return f"{label} declares {red} failures or errors and holds no record of one"
    tests = count_of(suite.attributes.get("tests"))
    if tests and not suite.cases and not suite.red:
        return f"{label} declares {tests} tests and holds no record of one"
    return None
