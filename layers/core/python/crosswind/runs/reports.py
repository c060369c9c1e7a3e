"""What a report says, in our own words, and the port that reads one as a bounded stream.

Reports come from tests and are untrusted input. A reader never raises for what a report holds: what it could not read
becomes a `ReportFault`, and a fault keeps a run from being green (ADR 0006).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

from crosswind.contracts.statuses import CaseStatus

NODE_ID_PROPERTY = "crosswind.nodeid"
"""A testcase's property that holds the framework's own id, equal to the planned test id."""

MARK = " … [truncated]"
"""Stands at the end of every text that was cut."""


def cut(text: str, *, limit: int) -> str:
    """The first `limit` characters, marked when something is left out."""
    return text if len(text) <= limit else text[:limit] + MARK


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """How much of one report file is read."""

    file_bytes: int = 64 * 1024 * 1024
    depth: int = 100
    cases: int = 200_000
    text_chars: int = 64 * 1024  # of each text field; more is cut and marked
    token_bytes: int = 4 * 1024 * 1024  # one tag, comment or the like
    items: int = 1_000  # properties, attachments or problems of one case or suite
    faults: int = 1_000  # of one file


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure, error or skip element: `kind` is the element's name, such as failure, error or rerunFailure."""

    kind: str
    message: str | None
    type: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCase:
    """One testcase element. Doubled ones are all kept: folding judges them."""

    name: str
    class_name: str | None
    suites: tuple[str, ...]  # names of the suites around it, outermost first, without the root's
    status: CaseStatus
    duration_seconds: float
    line: int  # of the report file
    file: str | None = None
    problems: tuple[Problem, ...] = ()  # those that made its status
    reruns: tuple[Problem, ...] = ()  # rerunFailure, rerunError, flakyFailure, flakyError
    properties: tuple[tuple[str, str], ...] = ()
    output: str = ""
    error_output: str = ""
    attachments: tuple[str, ...] = ()
    samples: int = (
        1  # so many records of the file stand for it: a load tool reports one name thousands of times
    )
    failed_samples: int = 0  # of more than one

    @property
    def node_id(self) -> str | None:
        """The framework's own id, where the runner's plugin wrote it."""
        return next((value for name, value in self.properties if name == NODE_ID_PROPERTY), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSuite:
    """One testsuite element, told when it ends, after its cases."""

    path: tuple[str, ...]
    line: int
    problems: tuple[Problem, ...] = ()  # failure and error elements of the suite itself, outside any case
    properties: tuple[tuple[str, str], ...] = ()
    output: str = ""
    error_output: str = ""
    attachments: tuple[str, ...] = ()
    duration_seconds: float = 0.0  # that the file declares of itself as a whole
    aborts: bool = False  # what failed here ended the tests: it counts among the errors


@dataclass(frozen=True, slots=True)
class ReportFault:
    """Something that could not be read: where it stands, and why it does not count."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


ReportItem = ReportedCase | ReportedSuite | ReportFault


def bounded(item: ReportItem, limits: ReportLimits) -> ReportItem:
    """An item whose texts and lists keep to the limits, whatever its reader took."""
    if isinstance(item, ReportFault) or _keeps(item, limits):
        return item
    most = limits.text_chars
    problems = tuple(_short(each, most) for each in item.problems[: limits.items])
    output, error_output = cut(item.output, limit=most), cut(item.error_output, limit=most)
    attachments = tuple(cut(each, limit=most) for each in item.attachments[: limits.items])
    if isinstance(item, ReportedSuite):
        path = tuple(cut(part, limit=most) for part in item.path[: limits.depth])
        return replace(
            item,
            path=path,
            problems=problems,
            output=output,
            error_output=error_output,
            attachments=attachments,
        )
    return replace(
        item,
        name=cut(item.name, limit=most),
        class_name=cut(item.class_name, limit=most) if item.class_name else None,
        suites=tuple(cut(part, limit=most) for part in item.suites[: limits.depth]),
        problems=problems,
        reruns=tuple(_short(each, most) for each in item.reruns[: limits.items]),
        output=output,
        error_output=error_output,
        attachments=attachments,
    )


def _keeps(item: ReportedCase | ReportedSuite, limits: ReportLimits) -> bool:
    """Whether there is nothing to cut, as with nearly all: a copy of each would cost more than its reading."""
    lists = (item.problems, item.attachments, item.reruns if isinstance(item, ReportedCase) else ())
    if isinstance(item, ReportedCase):
        path, texts = item.suites, [item.name, item.class_name or "", item.output, item.error_output]
    else:
        path, texts = item.path, [item.output, item.error_output]
    if len(path) > limits.depth or any(len(each) > limits.items for each in lists):
        return False
    texts += [*path, *item.attachments]
    for problem in (*lists[0], *lists[2]):
        texts += [problem.message or "", problem.type or "", problem.text]
    return all(len(text) <= limits.text_chars for text in texts)


def _short(problem: Problem, most: int) -> Problem:
    return Problem(
        kind=problem.kind,
        message=cut(problem.message, limit=most) if problem.message is not None else None,
        type=cut(problem.type, limit=most) if problem.type is not None else None,
        text=cut(problem.text, limit=most),
    )


class ReportReader(Protocol):
    """Reads one report format."""

    def read(self, stream: BinaryIO, *, name: str) -> Iterator[ReportItem]:
        """Yield what the report holds, element by element. `name` is the file's name, for faults.

        Raises only what reading `stream` raises.
        """
        ...
