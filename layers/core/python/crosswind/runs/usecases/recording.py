"""Keeping the tests' history: what a finished run saw of each test."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.resolved import ResultsIndex
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, NotFoundError
from crosswind.runs import layout
from crosswind.runs.history.model import JobKey, Observation
from crosswind.runs.history.observing import OUTCOMES, tells_of_tests
from crosswind.runs.history.ports import HistoryStore
from crosswind.runs.model import Case, Run, RunPurpose
from crosswind.runs.ports import ObjectStore, RunStore
from crosswind.runs.revisions import is_default
from crosswind.runs.usecases import documents

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordHistory:
    """Tell the history what a run saw. Called for each RunFinished event, so never in a run's way; safe to repeat.

    A run that was reopened since for a rerun is passed over: its next end has an event too. A cancelled run tells
    nothing, for its tests may have been killed. A run that infrastructure spoiled tells of the tests that ended: a
    shard's reports are whole or they are not there, and the guard against runs in which most tests fail stands behind.
    What ran under chaos is kept and does not count: it tells of the fault that was in.
    """

    runs: RunStore
    artifacts: ObjectStore
    history: HistoryStore
    clock: Clock

    def __call__(self, run_id: str) -> int:
        """How many tests were told of; 0 for a run that counts for none, or is gone."""
        try:
            run = self.runs.get(run_id)
        except NotFoundError:
            return 0
        index = documents.read_index(self.artifacts, run_id) if _counts(run) else None
        if index is None:
            return 0
        seen: dict[JobKey, dict[str, tuple[str, Observation]]] = defaultdict(dict)
        counted = tells_of_tests(run.case_counts)
        for case in self._cases(run_id, index):
            job = JobKey(team=run.team, suite=run.suite, test=case.test, variant=case.variant)
            seen[job][case.id] = (case.name, _observation(run, case, counted=counted))
        for job in sorted(seen):
            self.history.record(job, seen[job], now=self.clock.now())
        return sum(map(len, seen.values()))

    def all(self, run_ids: Sequence[str]) -> list[int]:
        """Each of some runs. Returns the indexes of those that failed."""
        failed = []
        for index, run_id in enumerate(run_ids):
            try:
                self(run_id)
            except CrosswindError:
                _log.exception("the history was not told of run %s", run_id)
                failed.append(index)
        return failed

    def _cases(self, run_id: str, index: ResultsIndex) -> Iterator[Case]:
        for page in range(-(-index.total // index.page_size)):
            yield from documents.read_cases(self.artifacts, layout.results_page_key(run_id, page))


def _counts(run: Run) -> bool:
    if run.purpose is not RunPurpose.RUN or run.state is not RunState.FINISHED:
        return False
    return run.verdict is not None and run.verdict.kind is not VerdictKind.CANCELLED


def _observation(run: Run, case: Case, *, counted: bool) -> Observation:
    return Observation(
        run_id=run.run_id,
        at=run.created_at,
        outcome=OUTCOMES[case.status],
        seconds=round(case.duration_seconds, 3),
        commit=run.commit,
        default_branch=is_default(run.branch, run.default_branch),
        counted=counted and case.chaos is None,
    )
