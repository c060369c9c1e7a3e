"""IngestShard: from the files of a committed shard to its cases and its summary."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from crosswind.contracts.requests import CaseStatus
from crosswind.contracts.tasks import IngestShardAnswer
from crosswind.contracts.work import FileRef, ShardOrder, ShardResult, WorkOutcome
from crosswind.kernel.errors import DependencyError, InvalidInputError, NotFoundError, TooLargeError
from crosswind.kernel.retry import Pause
from crosswind.runs import layout
from crosswind.runs.evidence import RED, CaseMaker, contradictions
from crosswind.runs.folding import RANK, fold_attempts, shortened
from crosswind.runs.identity import by_address
from crosswind.runs.model import Case, Commit, ShardSummary, Work, WorkKey
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.reports import ReportedCase, ReportFault, ReportReader, cut
from crosswind.runs.usecases import documents

FAILURES_SHOWN = 20
FAILURE_DETAILS_CHARS = 4_000
FAULTS_OF_A_SHARD = 20
DETAILS_CHARS_OF_A_SHARD = 32 * 1024 * 1024
FAULT_CHARS = 1_000
REPORTS_OF_A_SHARD = 20_000
CASES_OF_A_SHARD = 400_000


@dataclass(frozen=True)
class IngestShard:
    """Read a committed shard's reports, once: the summary on its work item tells that it was done."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    reader: ReportReader
    pause: Pause

    def __call__(self, run_id: str, work_id: str) -> IngestShardAnswer:
        """What the shard holds. Safe to repeat.

        Raises:
            NotFoundError: There is no such work.
            DependencyError: It is not committed yet; the caller tries again.
        """
        key = WorkKey(run_id, work_id)
        work = self.works.get(key)
        if work is None:
            raise NotFoundError(f"{run_id} has no work {work_id}")
        if work.commit is None:
            raise DependencyError(f"{work_id} of {run_id} is {work.state}, not done")
        summary = work.summary or self._ingest(work, work.commit)
        if work.summary is None:
            documents.summarise(self.works, key, summary, pause=self.pause)
        return IngestShardAnswer(tests=summary.tests, failed=summary.failed + summary.errors)

    def _ingest(self, work: Work, commit: Commit) -> ShardSummary:
        if commit.outcome is not WorkOutcome.COMPLETED or commit.prefix is None:
            return ShardSummary(0, 0, 0, 0, 0, 0, cases_key=None)
        try:
            order = documents.read_shard_order(self.artifacts, work)
            result = documents.read_result(self.artifacts, commit.prefix)
        except (NotFoundError, InvalidInputError, TooLargeError, ValueError) as error:
            fault = cut(f"what the runner left cannot be read: {error}", limit=FAULT_CHARS)
            return ShardSummary(0, 0, 0, 0, 0, 0, cases_key=None, faults=(fault,))
        reading = _Reading(self.artifacts, self.reader, _case_maker(work, order))
        cases, doubled = fold_attempts([reading.attempt(files) for files in _attempts(result, reading)])
        red = sorted((case for case in cases if case.status in RED), key=lambda case: RANK[case.status])
        faults = [
            *contradictions(result, order, cases=len(cases), red=len(red), unreadable=bool(reading.faults)),
            *(f"report {sentence}" for sentence in result.lost_reports),
            *reading.faults,
            *doubled,
        ]
        cases_key = layout.cases_key(commit.prefix)
        documents.write_cases(self.artifacts, cases_key, cases)
        if red:
            shown = [
                replace(
                    case, details=cut(case.details, limit=FAILURE_DETAILS_CHARS) if case.details else None
                )
                for case in red[:FAILURES_SHOWN]
            ]
            self.runs.add_failures(work.key.run_id, work.key.work_id, shown)
        return _summary(cases, cases_key, faults)


def _case_maker(work: Work, order: ShardOrder) -> CaseMaker:
    return CaseMaker(
        team=work.team,
        suite=work.suite,
        order=order,
        work_id=work.key.work_id,
        planned=by_address(order.selection or ()),
    )


def _attempts(result: ShardResult, reading: "_Reading") -> list[tuple[FileRef, ...]]:
    """The report files of each attempt, as many as are read."""
    files = sum(len(attempt) for attempt in result.reports)
    if files > REPORTS_OF_A_SHARD:
        reading.faults.append(
            f"the shard left {files} report files; at most {REPORTS_OF_A_SHARD} are read, so none was"
        )
        return []
    return list(result.reports)


class _Reading:
    """Reads the reports of one shard; collects what could not be read."""

    def __init__(self, artifacts: ObjectStore, reader: ReportReader, make: CaseMaker) -> None:
        self._artifacts = artifacts
        self._reader = reader
        self._make = make
        self._number = 0
        self._cases = 0
        self._details_left = DETAILS_CHARS_OF_A_SHARD
        self.faults: list[str] = []

    def attempt(self, files: tuple[FileRef, ...]) -> list[Case]:
        """The cases of one attempt, in the order of its reports."""
        self._number += 1
        cases: list[Case] = []
        for file in files:
            try:
                self._read(file, cases.append)
            except NotFoundError:
                self.faults.append(f"report {file.path} was not uploaded")
        return cases

    def _read(self, file: FileRef, keep: Callable[[Case], None]) -> None:
        with closing(self._artifacts.open(file.key)) as stream:
            for item in self._reader.read(stream, name=file.path):
                if isinstance(item, ReportFault):
                    self.faults.append(cut(f"report {item}", limit=FAULT_CHARS))
                    continue
                if isinstance(item, ReportedCase):
                    case: Case | None = self._make.of_case(item, attempt=self._number)
                else:
                    case = self._make.of_suite(item, attempt=self._number)
                if case is None:
                    continue
                self._cases += 1
                if self._cases > CASES_OF_A_SHARD:
                    self.faults.append(f"the shard reports more than {CASES_OF_A_SHARD} test cases")
                    return
                keep(self._within_budget(case))

    def _within_budget(self, case: Case) -> Case:
        """The case, without its details when the shard's cases hold too much already."""
        if case.details is None:
            return case
        self._details_left -= len(case.details)
        if self._details_left >= 0:
            return case
        return replace(case, details="[left out: the failures of this shard hold too much text; see its log]")


def _summary(cases: list[Case], cases_key: str, faults: list[str]) -> ShardSummary:
    counts = Counter(case.status for case in cases)
    return ShardSummary(
        tests=len(cases),
        passed=counts[CaseStatus.PASSED],
        failed=counts[CaseStatus.FAILED],
        errors=counts[CaseStatus.ERROR],
        skipped=counts[CaseStatus.SKIPPED],
        flaky=counts[CaseStatus.FLAKY],
        cases_key=cases_key,
        faults=shortened(faults, keep=FAULTS_OF_A_SHARD),
    )
