"""What a shard has leased of its work list: hands it out test by test, and uploads and commits what came of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from crosswind.adapters.frameworks.base import Trace, read_left
from crosswind.contracts.work import BatchResult, FailFast, InlineReport, PullRef
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.runner.attempt import Attempt
from crosswind.runner.faults import InfrastructureFaultError
from crosswind.runner.patience import patiently
from crosswind.runner.records import Record, not_run, records_of, write_records
from crosswind.runner.uploads import Chosen, choose, upload_all
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.layout import batch_report_key, batch_result_key
from crosswind.runs.model import Work
from crosswind.runs.pulling.model import Batch
from crosswind.runs.pulling.worklist import WorkList
from crosswind.runs.usecases import documents

MOST_INLINE_BYTES = 64 * 1024
"""Of a report: a batch's result stays small, and most batches cost one upload."""

_FAILED = frozenset({"failed", "error"})


class CommitBatch(Protocol):
    """The use case of that name."""

    def __call__(self, work: Work, batch: Batch, *, failed: Sequence[str]) -> Batch: ...


@dataclass(frozen=True, slots=True)
class Pulling:
    """The use cases of pulling. `committed` tells what earlier attempts of a shard have committed."""

    open_list: Callable[[PullRef], WorkList]
    lease: Callable[[Work, WorkList], Batch | None]
    commit: CommitBatch
    committed: Callable[[str, str, str], Sequence[Batch]]
    fail_rest: Callable[[Work, FailFast], object]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Tests for one process: a batch, or what is left of it after a process has died in it."""

    number: int  # of this shard's assignments, not of the list's batches
    tests: tuple[str, ...]
    report: str  # name of the file that the process is to write in its folder


@dataclass(slots=True)
class _Open:
    batch: Batch
    left: tuple[str, ...]  # without a record so far
    reports: dict[str, Path] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class Batches:
    """One shard's batches in one attempt, at most one of them open. Not safe for use by two threads at a time.

    Every method may raise LeaseLostError, InterruptedAttemptError and what the stores raise.
    """

    def __init__(
        self,
        attempt: Attempt,
        work: Work,
        ref: PullRef,
        pulling: Pulling,
        *,
        fail_fast: FailFast | None = None,
        muted: frozenset[str] = frozenset(),
    ) -> None:
        """`fail_fast` is what the first failed test ends that is not `muted`; None where it ends nothing, or may be run
        again first."""
        self._attempt = attempt
        self._work = work
        self._fail_fast = fail_fast
        self._muted = muted
        self._pulling = pulling
        self._list = patiently(lambda: _open_list(pulling, ref), attempt.interruption)
        self._open: _Open | None = None
        self._assigned = 0
        self._records = attempt.sandbox.place.root / "records"  # the tests cannot write there
        self._records.mkdir(mode=0o700, exist_ok=True)
        self._failed: dict[str, None] = {}
        if work.epoch > 1:  # somebody has held the shard before
            earlier = patiently(
                lambda: pulling.committed(work.key.run_id, ref.pull_id, work.key.work_id),
                attempt.interruption,
            )
            self._failed.update(dict.fromkeys(test_id for batch in earlier for test_id in batch.failed))
        self.committed: list[str] = []

    @property
    def tests(self) -> tuple[str, ...]:
        """Every test of the list."""
        return tuple(test_id for unit in self._list.pull_list.units for test_id in unit.test_ids)

    @property
    def failed(self) -> tuple[str, ...]:
        """Tests that failed in batches of this shard, also of its earlier attempts."""
        return tuple(self._failed)

    def take(self) -> Assignment | None:
        """The rest of the open batch, or a new one; None when the list has nothing left to lease, or a failure ends it."""
        if self._open is None and self._fail_fast is not None and not self._muted.issuperset(self._failed):
            return None
        if self._open is None:
            batch = patiently(lambda: self._pulling.lease(self._work, self._list), self._attempt.interruption)
            if batch is None:
                return None
            self._open = _Open(batch, self._list.test_ids(batch))
        self._assigned += 1
        return Assignment(
            number=self._assigned, tests=self._open.left, report=f"batch-{self._assigned:05d}.xml"
        )

    def ran(
        self,
        assignment: Assignment,
        folder: Path,
        *,
        failed: Iterable[str],
        left: Sequence[str],
        end: str,
        collected: bool = True,
    ) -> None:
        """A process has written its report of an assignment. Tests `left` were not run by it and will not be.

        `end` says why, as the start of a sentence. What was not even collected is no test to run again. An assignment
        that is not open is passed over.
        """
        held = self._held(assignment)
        if held is None:
            return
        self._add(held, choose(folder, [assignment.report]), assignment.report)
        given = frozenset(assignment.tests)
        held.failed.extend(test_id for test_id in dict.fromkeys(failed) if test_id in given)
        records = not_run((test_id for test_id in left if test_id in given), death=end)
        self._record(held, records, again=collected)
        self._commit(held)

    def died(self, assignment: Assignment, trace: Trace, *, end: str) -> bool:
        """A process died in an assignment without a report: keep what is known, and what it had not begun as left.

        Returns whether it had begun anything: then another process gets further.
        """
        held = self._held(assignment)
        if held is None:
            return False
        records = records_of(assignment.tests, trace, death=end)
        self._record(held, records)
        recorded = {record.test_id for record in records}
        held.left = tuple(test_id for test_id in held.left if test_id not in recorded)
        if not held.left:
            self._commit(held)
        return bool(records)

    def abandon(self, *, end: str) -> None:
        """No process will go on with the open batch, if there is one: what is left of it ends as errors.

        Where nothing of it has begun there is nothing to tell: it returns to the list when the shard ends.
        """
        held = self._open
        if held is not None and held.reports:
            self._record(held, not_run(held.left, death=end))
            self._commit(held)

    def _held(self, assignment: Assignment) -> _Open | None:
        return self._open if assignment.number == self._assigned else None

    def _add(self, held: _Open, chosen: Chosen, name: str) -> None:
        held.reports.update(chosen.files)
        held.dropped.extend(chosen.dropped)
        held.lost.extend(chosen.lost)
        if not chosen.files and not chosen.lost:
            held.lost.append(f"{name}: the test process has not written it")

    def _record(self, held: _Open, records: Sequence[Record], *, again: bool = True) -> None:
        if not records:
            return
        name = f"records-{self._assigned:05d}-{len(held.reports):02d}.xml"
        write_records(self._records / name, records)
        held.reports[name] = self._records / name
        if again:
            held.failed.extend(record.test_id for record in records if record.ended.outcome in _FAILED)

    def _commit(self, held: _Open) -> None:
        """Upload, then commit: only the commit makes the files count."""
        inline = {name: text for name, path in held.reports.items() if (text := _small(path)) is not None}
        large = {name: path for name, path in held.reports.items() if name not in inline}
        reports = upload_all(
            self._attempt.artifacts, large, key=lambda name: batch_report_key(held.batch, name)
        )
        result = BatchResult(
            tests=self._list.test_ids(held.batch),
            inline=tuple(InlineReport(path=name, text=text) for name, text in inline.items()),
            reports=reports,
            dropped=tuple(held.dropped),
            lost_reports=tuple(held.lost),
        )
        documents.write(self._attempt.artifacts, batch_result_key(held.batch), result)
        failed = tuple(dict.fromkeys(held.failed))
        patiently(
            lambda: self._pulling.commit(self._work, held.batch, failed=failed), self._attempt.interruption
        )
        for sentence in held.dropped:
            self._attempt.log.note(f"Not uploaded: {sentence}")
        self._failed.update(dict.fromkeys(failed))
        self.committed.append(f"{held.batch.stripe:03d}-{held.batch.number:06d}")
        self._open = None
        if self._fail_fast is not None and not self._muted.issuperset(failed):
            mode = self._fail_fast
            patiently(lambda: self._pulling.fail_rest(self._work, mode), self._attempt.interruption)
            self._attempt.log.note(
                f"A test has failed, so the other shards of this {mode.value} end (failFast)."
            )


def _small(path: Path) -> str | None:
    """The text of a report that is to lie in the batch's result; None where it is large, or no UTF-8."""
    data = read_left(path, limit=MOST_INLINE_BYTES + 1)
    if data is None or len(data) > MOST_INLINE_BYTES:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _open_list(pulling: Pulling, ref: PullRef) -> WorkList:
    try:
        return pulling.open_list(ref)
    except (NotFoundError, TooLargeError, ValidationError) as error:
        raise InfrastructureFaultError(
            InfrastructureReason.ORDER_UNREADABLE, f"{ref.key}: {error}"
        ) from error
