"""How a command fails, and with which exit status.

0: the run passed, or the command did what it says. 1: tests decided against it (verdict failed, inconclusive or
skipped). 2: infrastructure or usage (verdict error or cancelled, a refused request, no connection, wrong options).
130: interrupted with Ctrl-C; the run goes on.
"""

from enum import IntEnum

import httpx

from crosswind.contracts.problems import FieldProblem, Problem
from crosswind.contracts.requests import VerdictKind
from crosswind.kernel.errors import FieldError


class ExitStatus(IntEnum):
    """Exit statuses of every command."""

    OK = 0
    TESTS = 1
    TROUBLE = 2
    INTERRUPTED = 130


_BY_VERDICT = {
    VerdictKind.PASSED: ExitStatus.OK,
    VerdictKind.FAILED: ExitStatus.TESTS,
    VerdictKind.INCONCLUSIVE: ExitStatus.TESTS,
    VerdictKind.SKIPPED: ExitStatus.TESTS,
    VerdictKind.ERROR: ExitStatus.TROUBLE,
    VerdictKind.CANCELLED: ExitStatus.TROUBLE,
}


def exit_status(verdict: VerdictKind) -> ExitStatus:
    """The exit status that a verdict means."""
    return _BY_VERDICT[verdict]


class CliError(Exception):
    """A command cannot go on. `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConnectionFailedError(CliError):
    """The endpoint could not be reached, or kept failing, within the bounded retries."""


class ApiError(CliError):
    """The API refused a request and said why."""

    def __init__(self, problem: Problem, *, hint: str | None = None) -> None:
        super().__init__(f"{problem.title} — {problem.detail}", hint=hint)
        self.problem = problem


def describe_fault(fault: FieldProblem | FieldError) -> str:
    """One line for one fault: `path (line n): message; expected …`."""
    path = fault.path or "the whole"
    where = path if fault.line is None else f"{path} (line {fault.line})"
    expected = f"; expected {fault.expected}" if fault.expected else ""
    return f"{where}: {fault.message}{expected}"


def passes(error: ConnectionFailedError | ApiError) -> bool:
    """Whether waiting may help: an endpoint that is away or struggling, not one that refuses."""
    if isinstance(error, ConnectionFailedError):
        return True
    return error.problem.status >= httpx.codes.INTERNAL_SERVER_ERROR or (
        error.problem.status == httpx.codes.TOO_MANY_REQUESTS
    )
