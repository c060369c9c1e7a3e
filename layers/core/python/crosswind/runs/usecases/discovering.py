"""What the preparations of a run found: read, noted as read, and remembered for later runs."""

from dataclasses import dataclass
from datetime import timedelta

from crosswind.contracts.resolved import ResolvedTest
from crosswind.contracts.work import Discovery, WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.kernel.retry import Pause
from crosswind.runs import layout
from crosswind.runs.model import ShardSummary, Work, WorkKey
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.preparing import final_key
from crosswind.runs.reports import cut
from crosswind.runs.usecases import documents

_ERRORS_KEPT = 50
_FAULT_CHARS = 1_000  # of each in the work item, which holds 400 KB; the plan has them whole


class NotPreparedError(Exception):
    """There is nothing to plan from. `kind` is the RunFailure's: setup or infrastructure."""

    def __init__(self, kind: str, reason: str, errors: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.kind = kind
        self.errors = errors


@dataclass(frozen=True)
class ReadDiscovery:
    """What the preparation of a test job found, of this run or of an earlier one."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    clock: Clock
    pause: Pause
    keep_preparations: timedelta

    def __call__(self, run_id: str, test: ResolvedTest) -> Discovery:
        """The discovery. Raises NotPreparedError."""
        work = None
        if test.prepare_work_id is not None:
            work = self._prepared(run_id, test, test.prepare_work_id)
        key = layout.discovery_key(work.commit.prefix or "") if work and work.commit else test.discovery_key
        try:
            found = documents.read_discovery(self.artifacts, key or "")
        except (NotFoundError, InvalidInputError) as error:
            raise NotPreparedError(
                "infrastructure",
                f"What the preparation of test job {label(test)} found cannot be read: {error}",
            ) from error
        if work is not None:
            self._remember(work, found, key or "")
        if found.errors:
            others = f" (and {len(found.errors) - 1} more)" if len(found.errors) > 1 else ""
            raise NotPreparedError(
                "setup",
                f"test job {label(test)}: {found.errors[0]}{others}",
                found.errors[:_ERRORS_KEPT],
            )
        return found

    def _prepared(self, run_id: str, test: ResolvedTest, work_id: str) -> Work:
        work = self.works.get(WorkKey(run_id, work_id))
        if work is None or work.commit is None:
            raise NotPreparedError(
                "infrastructure",
                f"The preparation of test job {label(test)} ({work_id}) never ended",
            )
        if work.commit.outcome is not WorkOutcome.COMPLETED:
            reason = work.commit.reason or work.commit.outcome.value
            raise NotPreparedError(
                "infrastructure",
                f"The preparation of test job {label(test)} ({work_id}) was given up: {reason}",
            )
        return work

    def _remember(self, work: Work, found: Discovery, key: str) -> None:
        """Note that the preparation was read, and keep a good one for later runs."""
        tests = len(found.test_ids or ())
        faults = tuple(cut(error, limit=_FAULT_CHARS) for error in found.errors[:_ERRORS_KEPT])
        summary = ShardSummary(tests, 0, 0, 0, 0, 0, cases_key=None, faults=faults)
        documents.summarise(self.works, work.key, summary, pause=self.pause)
        if found.errors or found.test_ids == ():
            return
        order = documents.read_prepare_order(self.artifacts, work)
        self.runs.remember_preparation(
            final_key(order, commit=found.commit),
            discovery_key=key,
            until=self.clock.now() + self.keep_preparations,
        )


def label(test: ResolvedTest) -> str:
    """A test job in a sentence."""
    return f"{test.name!r}" + (f" [{test.variant}]" if test.variant else "")
