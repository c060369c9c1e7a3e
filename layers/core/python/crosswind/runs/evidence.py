"""What one shard left behind, made into cases and faults: pure.

A fault is a sentence about evidence that is unreadable, missing or contradicts itself. Any fault keeps a run from being
green (ADR 0006), so each says what a person can do about it.
"""

from collections.abc import Mapping

from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import ShardOrder, ShardResult
from crosswind.runs.frameworks.catalogue import spec_of
from crosswind.runs.identity import SUITE_MARK, case_id, reported_name
from crosswind.runs.model import Case
from crosswind.runs.reports import Problem, ReportedCase, ReportedSuite, cut

MESSAGE_CHARS = 2_000
DETAILS_CHARS = 16 * 1024
RED = frozenset({CaseStatus.FAILED, CaseStatus.ERROR})


class CaseMaker:
    """Makes cases of what one shard reports; knows who the shard is and which tests it was given."""

    def __init__(
        self,
        *,
        team: str,
        suite: str,
        order: ShardOrder,
        work_id: str,
        planned: Mapping[tuple[str, str], str],
        folder: str | None = None,
    ) -> None:
        """`folder` is the working directory as the tests saw it."""
        self._team = team
        self._suite = suite
        self._order = order
        self._work_id = work_id
        self._planned = planned
        self._folder = folder
        self._identity = spec_of(order.framework, order.manifest).identity

    def of_case(self, reported: ReportedCase, *, attempt: int) -> Case:
        """One testcase element. Outputs are kept only where they help: with a failure."""
        problem = _telling(reported)
        details = None
        if problem is not None and reported.status is not CaseStatus.SKIPPED:
            details = _details(problem, reported)
        return self._case(
            name=reported_name(reported, self._planned, self._identity, folder=self._folder),
            status=reported.status,
            attempt=attempt,
            duration=reported.duration_seconds,
            attempts=1 + len(reported.reruns),
            message=_message(problem),
            details=details,
        )

    def of_suite(self, suite: ReportedSuite, *, attempt: int) -> Case | None:
        """A suite that failed as such, outside any of its cases, such as in its set-up. None when it did not."""
        problem = next((each for each in suite.problems if each.kind != "skipped"), None)
        if problem is None:
            return None
        return self._case(
            name=f"{self._identity.separator.join(suite.path) or '(no name)'}{SUITE_MARK}",
            status=CaseStatus.ERROR if problem.kind == "error" else CaseStatus.FAILED,
            attempt=attempt,
            message=_message(problem),
            details=cut(problem.text, limit=DETAILS_CHARS) or None,
        )

    def _case(
        self,
        *,
        name: str,
        status: CaseStatus,
        attempt: int,
        duration: float = 0.0,
        attempts: int = 1,
        message: str | None,
        details: str | None,
    ) -> Case:
        identity = case_id(
            team=self._team,
            suite=self._suite,
            test=self._order.test,
            variant=self._order.variant,
            name=name,
        )
        return Case(
            id=identity,
            test=self._order.test,
            variant=self._order.variant,
            name=cut(name, limit=MESSAGE_CHARS),
            status=status,
            duration_seconds=duration,
            work_id=self._work_id,
            attempt=attempt,
            attempts=attempts,
            message=message,
            details=details,
        )


def _telling(reported: ReportedCase) -> Problem | None:
    """The problem that says most about the case's status."""
    if reported.status is CaseStatus.ERROR:
        wanted = [problem for problem in reported.problems if problem.kind == "error"]
    elif reported.status is CaseStatus.FAILED:
        wanted = [problem for problem in reported.problems if problem.kind == "failure"]
    else:
        wanted = list(reported.problems)
    return next(iter((*wanted, *reported.reruns)), None)


def _message(problem: Problem | None) -> str | None:
    if problem is None:
        return None
    first_line = problem.text.strip().partition("\n")[0]
    return cut(problem.message or problem.type or first_line, limit=MESSAGE_CHARS) or None


def _details(problem: Problem, reported: ReportedCase) -> str | None:
    parts = [problem.text.strip()]
    if reported.output.strip():
        parts.append(f"--- output ---\n{reported.output.strip()}")
    if reported.error_output.strip():
        parts.append(f"--- error output ---\n{reported.error_output.strip()}")
    return cut("\n\n".join(part for part in parts if part), limit=DETAILS_CHARS) or None


def contradictions(
    result: ShardResult, order: ShardOrder, *, reported: bool, cases: int, red: int, unreadable: bool
) -> tuple[str, ...]:
    """Faults in what the process and its reports say together. `reported`: there is a report, of the shard or of a batch
    of it; `cases` and `red` count after test retries."""
    fault = _killed(result, order)
    if fault is None and not unreadable:
        fault = _unreported(result, order, reported=reported, cases=cases, red=red)
    return () if fault is None else (fault,)


def worker_faults(result: ShardResult, order: ShardOrder) -> tuple[str, ...]:
    """What kept a worker of a load job from sending its whole part. Without any its measurements count."""
    fault = _killed(result, order)
    if fault is None and result.load_error is not None:
        fault = result.load_error
    if fault is None and result.load_key is None:
        fault = "the worker handed in no measurements; look at the shard's log"
    if fault is None and result.exit_code:
        fault = (
            f"{_meaning(result.exit_code, spec_of(order.framework, order.manifest))}; look at the shard's log"
        )
    return () if fault is None else (fault,)


def _killed(result: ShardResult, order: ShardOrder) -> str | None:
    """Why the process was ended before it was done; None when it ended by itself."""
    if result.timed_out:
        return (
            f"the tests ran into the timeout of {order.timeout_seconds} s and were killed; "
            "raise `timeout` or split the test into more shards"
        )
    if result.out_of_memory:
        limit = f" of {order.memory_mib} MiB" if order.memory_mib else ""
        return f"the tests ran out of memory{limit} and were killed; raise `resources.memory`"
    return "the test process was killed before it ended" if result.exit_code is None else None


def _unreported(
    result: ShardResult, order: ShardOrder, *, reported: bool, cases: int, red: int
) -> str | None:
    """Where the exit status says one thing and the reports another, or nothing."""
    exit_code = result.exit_code or 0
    framework = spec_of(order.framework, order.manifest)
    if order.pull is not None and exit_code == 0 and not cases:
        return None  # the other shards have left nothing for this one
    meaning = _meaning(exit_code, framework)
    if not reported:
        looked_for = ", ".join((*order.reports, *framework.reports)) or "the framework's own report"
        return f"no report was found ({looked_for}) although the process ended: {meaning}"
    if not cases and (order.selection is not None or exit_code != 0):
        return f"the reports hold no test at all: {meaning}"
    if exit_code != 0 and not red:
        return f"no failed test is reported, but {meaning}; look at the shard's log"
    return None


def _meaning(exit_code: int, framework: FrameworkSpec) -> str:
    said = framework.exits.get(str(exit_code))
    return f"its exit status is {exit_code}" + (f" ({said})" if said else "")
