"""IngestShard: from the files of a committed shard to its cases and its summary."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO

from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.tasks import IngestShardAnswer
from crosswind.contracts.work import (
    BatchResult,
    FailFast,
    FileRef,
    InlineReport,
    ShardOrder,
    ShardResult,
    WorkOutcome,
)
from crosswind.kernel.errors import DependencyError, InvalidInputError, NotFoundError, TooLargeError
from crosswind.kernel.retry import Pause
from crosswind.runs import layout
from crosswind.runs.attachments import Attachment, link
from crosswind.runs.evidence import RED, CaseMaker, contradictions, worker_faults
from crosswind.runs.folding import shortened
from crosswind.runs.identity import by_address
from crosswind.runs.load.judged import LoadJudged
from crosswind.runs.merging import RANK, fold_attempts
from crosswind.runs.model import Case, Commit, ShardSummary, Work, WorkKey
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.pulling.model import Batch
from crosswind.runs.reports import Problem, ReportedCase, ReportFault, ReportReader, cut
from crosswind.runs.usecases import documents

FAILURES_SHOWN = 20
FAILURE_DETAILS_CHARS = 4_000
FAULTS_OF_A_SHARD = 20
DETAILS_CHARS_OF_A_SHARD = 32 * 1024 * 1024
FAULT_CHARS = 1_000
REPORTS_OF_A_SHARD = 20_000
CASES_OF_A_SHARD = 400_000
_RESULT_BYTES = 16 * 1024 * 1024

_KINDS = {CaseStatus.FAILED: "failure", CaseStatus.ERROR: "error"}

Report = FileRef | InlineReport


@dataclass(frozen=True)
class IngestShard:
    """Read a committed shard's reports, once: the summary on its work item tells that it was done.

    A shard that pulls has committed batches before. They count over all its attempts, also where it was given up: the
    tests ran, and no other shard runs them again.
    """

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    reader: ReportReader
    committed: Callable[[str, str, str], Sequence[Batch]]  # CommittedBatches
    fail_rest: Callable[[Work, FailFast], object]  # FailRestFast
    merge_load: Callable[[Work, ShardOrder], LoadJudged | None]  # MergeLoad
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
        read = self._ingest if work.group is None else self._ingest_worker
        summary = work.summary or read(work, work.commit)
        if work.summary is None:
            documents.summarise(self.works, key, summary, pause=self.pause)
        return IngestShardAnswer(tests=summary.tests, failed=summary.failed + summary.errors)

    def _ingest(self, work: Work, commit: Commit) -> ShardSummary:
        batches = self._batches(work)
        result: ShardResult | None = None
        try:
            if commit.outcome is WorkOutcome.COMPLETED and commit.prefix is not None:
                result = documents.read_result(self.artifacts, commit.prefix)
            elif not batches:
                return _nothing()
            order = documents.read_shard_order(self.artifacts, work)
        except (NotFoundError, InvalidInputError, TooLargeError, ValueError) as error:
            return _nothing(cut(f"what the runner left cannot be read: {error}", limit=FAULT_CHARS))
        ran, lost = self._read_batches(batches)
        planned = by_address((*(order.selection or ()), *(test for each in ran for test in each.tests)))
        reading = _Reading(self.artifacts, self.reader, _case_maker(work, order, planned, result))
        reading.faults.extend(lost)
        runs = _with_batches(result, ran)
        cases, doubled = fold_attempts([reading.attempt(files) for files in _within_limit(runs, reading)])
        failed = sum(case.status in RED for case in cases)
        faults = [*reading.faults, *doubled]
        if result is not None:
            faults[:0] = (
                *contradictions(
                    result,
                    order,
                    reported=any(runs),
                    cases=len(cases),
                    red=failed,
                    unreadable=bool(reading.faults),
                ),
                *(f"report {sentence}" for sentence in result.lost_reports),
            )
        if result is not None and commit.prefix is not None:
            links = link(
                cases,
                reading.attachments,
                result.artifacts,
                working_directory=result.working_directory,
            )
            cases = links.cases
            documents.write_links(self.artifacts, commit.prefix, links)
        red = sorted((case for case in cases if case.status in RED), key=lambda case: RANK[case.status])
        cases_key = layout.cases_key(commit.prefix or layout.given_up_prefix(work))
        documents.write_cases(self.artifacts, cases_key, cases)
        self._show(work, red)
        if order.fail_fast is not None and any(case.name not in (order.muted or ()) for case in red):
            self.fail_rest(work, order.fail_fast)
        return _summary(cases, cases_key, faults)

    def _ingest_worker(self, work: Work, commit: Commit) -> ShardSummary:
        """A worker of a load job: its own faults, and, from the last one, the cases of all of them together."""
        faults: list[str] = []
        try:
            order = documents.read_shard_order(self.artifacts, work)
            if commit.outcome is WorkOutcome.COMPLETED and commit.prefix is not None:
                faults.extend(worker_faults(documents.read_result(self.artifacts, commit.prefix), order))
        except (NotFoundError, InvalidInputError, TooLargeError, ValueError) as error:
            return _nothing(cut(f"what the runner left cannot be read: {error}", limit=FAULT_CHARS))
        judged = self.merge_load(work, order)
        if judged is None:
            return _nothing(*faults)
        make = _case_maker(work, order, {}, None)
        cases = [
            make.of_case(
                ReportedCase(
                    name=each.name,
                    class_name=None,
                    suites=(),
                    status=each.status,
                    duration_seconds=each.seconds,
                    line=0,
                    problems=(
                        Problem(_KINDS.get(each.status, "skipped"), each.message, None, each.details or ""),
                    ),
                ),
                attempt=1,
            )
            for each in judged.cases
        ]
        red = [case for case in cases if case.status in RED]
        cases_key = layout.cases_key(commit.prefix or layout.given_up_prefix(work))
        documents.write_cases(self.artifacts, cases_key, cases)
        self._show(work, red)
        if order.fail_fast is not None and red:
            self.fail_rest(work, order.fail_fast)
        return _summary(cases, cases_key, [*faults, *judged.faults])

    def _batches(self, work: Work) -> Sequence[Batch]:
        if work.pull_id is None:
            return ()
        return self.committed(work.key.run_id, work.pull_id, work.key.work_id)

    def _read_batches(self, batches: Sequence[Batch]) -> tuple[list[BatchResult], list[str]]:
        """What each left, and a fault for each that cannot be read or whose runner could not upload a report."""
        ran: list[BatchResult] = []
        faults: list[str] = []
        for batch in batches:
            key = layout.batch_result_key(batch)
            try:
                ran.append(documents.read(self.artifacts, key, BatchResult, limit_bytes=_RESULT_BYTES))
            except (NotFoundError, InvalidInputError, TooLargeError) as error:
                faults.append(cut(f"what a batch left cannot be read: {error}", limit=FAULT_CHARS))
        faults.extend(f"report {sentence}" for result in ran for sentence in result.lost_reports)
        return ran, faults

    def _show(self, work: Work, red: Sequence[Case]) -> None:
        if not red:
            return
        shown = [
            replace(case, details=cut(case.details, limit=FAILURE_DETAILS_CHARS) if case.details else None)
            for case in red[:FAILURES_SHOWN]
        ]
        self.runs.add_failures(work.key.run_id, work.key.work_id, shown)


def _nothing(*faults: str) -> ShardSummary:
    return ShardSummary(0, 0, 0, 0, 0, 0, cases_key=None, faults=faults)


def _with_batches(
    result: ShardResult | None, batches: Sequence[BatchResult]
) -> tuple[tuple[Report, ...], ...]:
    """Report files of each run of the tests: those of all batches belong to the first run.

    The others are retries, of tests of any batch. A shard that was given up has batches alone.
    """
    first, *retries = (result.reports if result else ()) or ((),)
    of_batches: list[Report] = []
    for batch in batches:
        of_batches += (*batch.inline, *batch.reports)
    return ((*of_batches, *first), *retries)


def _case_maker(
    work: Work,
    order: ShardOrder,
    planned: Mapping[tuple[str, str], str],
    result: ShardResult | None,
) -> CaseMaker:
    return CaseMaker(
        team=work.team,
        suite=work.suite,
        order=order,
        work_id=work.key.work_id,
        planned=planned,
        folder=result.working_directory if result else None,
    )


def _within_limit(runs: Sequence[tuple[Report, ...]], reading: "_Reading") -> Sequence[tuple[Report, ...]]:
    """The report files of each run; none of them when there are too many."""
    files = sum(len(run) for run in runs)
    if files > REPORTS_OF_A_SHARD:
        reading.faults.append(
            f"the shard left {files} report files; at most {REPORTS_OF_A_SHARD} are read, so none was"
        )
        return ()
    return runs


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
        self.attachments: dict[str, list[Attachment]] = {}  # by case id

    def attempt(self, files: tuple[Report, ...]) -> list[Case]:
        """The cases of one attempt, in the order of its reports."""
        self._number += 1
        cases: list[Case] = []
        for file in files:
            try:
                self._read(file, cases.append)
            except NotFoundError:
                self.faults.append(f"report {file.path} was not uploaded")
        return cases

    def _read(self, file: Report, keep: Callable[[Case], None]) -> None:
        with closing(self._open(file)) as stream:
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
                if item.attachments:
                    named = self.attachments.setdefault(case.id, [])
                    named += (Attachment(file.path, each) for each in item.attachments)
                keep(self._within_budget(case))

    def _open(self, file: Report) -> BinaryIO:
        if isinstance(file, InlineReport):
            return BytesIO(file.text.encode())
        return self._artifacts.open(file.key)

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
