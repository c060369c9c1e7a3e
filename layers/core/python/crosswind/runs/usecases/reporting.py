"""A run's report: gathered from what the run left, written in one form, and answered with a link."""

import base64
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, takewhile

from crosswind.contracts.actors import Actor
from crosswind.contracts.live import Stream
from crosswind.contracts.requests import ReportFormat, RunReportLink, RunState, RunView
from crosswind.contracts.resolved import ResultsIndex
from crosswind.contracts.work import ShardResult, WorkKind, WorkOutcome
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import InvalidInputError, NotFoundError, TooLargeError
from crosswind.runs import layout
from crosswind.runs.history.model import JobKey
from crosswind.runs.history.ports import HistoryStore
from crosswind.runs.model import Case, Run, Work, WorkState
from crosswind.runs.ports import ObjectStore, RunFilter, RunStore, WorkStore
from crosswind.runs.reporting import render
from crosswind.runs.reporting.assembling import MAX_CASES, MAX_DETAILS, assemble, row_of
from crosswind.runs.reporting.clustering import signature
from crosswind.runs.reporting.loads import load_report
from crosswind.runs.reporting.model import (
    CONTENT_TYPES,
    FILE_NAMES,
    RED,
    CaseRow,
    FileRow,
    PastOutcome,
    RunFacts,
    RunReport,
    ShardRow,
    StageRow,
)
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import GetRun
from crosswind.runs.usecases.reading_artifacts import LINKS_LAST, safe_path

_MAX_SHARDS = 2_000
_LOGGED_SHARDS = 20
_FILED_SHARDS = 40
_TAIL_BYTES = 6 * 1024
_LOG_LISTS = 5  # of a thousand chunks each
_PICTURES = 20
_PICTURE_BYTES = 80 * 1024
_WITH_HISTORY = 200
_PAST = 10
_RUNS_BEFORE = 5
_RUNS_LOOKED_AT = 100
_CAUSES_EACH = 300


@dataclass(frozen=True)
class ReportRun:
    """Write a run's report into the artifacts bucket. It is written anew each time: a rerun changes what it tells."""

    get: GetRun
    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    history: HistoryStore
    clock: Clock

    def __call__(self, run_id: str, *, form: ReportFormat, actor: Actor) -> RunReportLink:
        """The link. Raises NotFoundError, ForbiddenError."""
        run = self.get.find(run_id, actor=actor)
        report = self.report(run)
        data = render(report, form)
        name = FILE_NAMES[form]
        key = layout.run_report_key(run.run_id, name)
        self.artifacts.put(key, data, content_type=CONTENT_TYPES[form])
        url = self.artifacts.presign_get(
            key, content_type=CONTENT_TYPES[form], file_name=f"{run.run_id}-{name}", expires=LINKS_LAST
        )
        return RunReportLink(
            execution_id=run.run_id,
            format=form,
            complete=report.complete,
            file_name=name,
            content_type=CONTENT_TYPES[form],
            size=len(data),
            url=url,
            expires_in_seconds=int(LINKS_LAST / timedelta(seconds=1)),
        )

    def report(self, run: Run) -> RunReport:
        """All that is known of a run, within bounds."""
        view = self.get.view(run, detail=False)
        works = [work for work in self.works.of_run(run.run_id) if work.kind is WorkKind.SHARD]
        index = documents.read_index(self.artifacts, run.run_id)
        cases = [row_of(documents.view_of(case)) for case in self._cases(run, index)]
        failing = Counter(case.work_id for case in cases if case.status in RED)
        results = self._results(works, failing)
        cases = self._with_history(run, self._with_files(cases, results))
        before, known = self._causes_before(run)
        notes = () if len(works) <= _MAX_SHARDS else (f"{len(works) - _MAX_SHARDS:,} shards are left out",)
        return assemble(
            cases,
            title=f"{run.team}/{run.suite}",
            counts=view.tests,
            verdict=view.verdict,
            known_causes=known,
            compared_with=before,
            notes=notes,
            generated_at=to_iso(self.clock.now()),
            complete=run.state is RunState.FINISHED,
            run=_facts(run),
            rounds=view.rounds,
            stages=_stages(run, view, works),
            shards=tuple(self._shards(works[:_MAX_SHARDS], failing)),
            load=tuple(map(load_report, index.load)) if index else (),
        )

    def _cases(self, run: Run, index: ResultsIndex | None) -> Iterator[Case]:
        """Failed ones first. Details beyond what a report holds are left out while they are read."""
        rows: Iterable[Case] = (
            documents.read_rows(self.artifacts, run.run_id, index, first=0)
            if index
            else self.runs.failures(run.run_id)
        )
        room = MAX_DETAILS
        for case in islice(rows, MAX_CASES):
            room -= len(case.details or "")
            yield case if room >= 0 else _without_details(case)

    def _results(
        self, works: Sequence[Work], failing: Mapping[str, int]
    ) -> Mapping[str, tuple[str, ShardResult]]:
        """What runners saw of the shards with failures: their prefix and result, by work id."""
        found = {}
        for work in [each for each in works if failing[each.key.work_id]][:_FILED_SHARDS]:
            commit = work.commit
            if commit is None or commit.outcome is not WorkOutcome.COMPLETED or not commit.prefix:
                continue
            try:
                result = documents.read_result(self.artifacts, commit.prefix)
            except (NotFoundError, InvalidInputError, TooLargeError):
                continue  # a fault of its shard, which the verdict tells
            found[work.key.work_id] = (commit.prefix, result)
        return found

    def _with_files(
        self, cases: list[CaseRow], results: Mapping[str, tuple[str, ShardResult]]
    ) -> list[CaseRow]:
        alone = Counter(case.work_id for case in cases if case.red)
        pictures = _PICTURES
        made = []
        for case in cases:
            if not case.red or case.work_id not in results:
                made.append(case)
                continue
            prefix, result = results[case.work_id]
            own = {file.path for file in case.files}
            files = []
            for file in result.artifacts:
                if not (safe_path(file.path) and file.key.startswith(prefix)):
                    continue
                picture = file.content_type.startswith("image/")
                if not (
                    file.path in own or _names(file.path, case.name) or (picture and alone[case.work_id] == 1)
                ):
                    continue
                data = None
                if picture and pictures and file.size <= _PICTURE_BYTES:
                    data, pictures = self._picture(file.key), pictures - 1
                files.append(
                    FileRow(
                        path=file.path,
                        work_id=case.work_id,
                        content_type=file.content_type,
                        size=file.size,
                        data=data,
                    )
                )
            made.append(case.model_copy(update={"files": tuple(files)}) if files else case)
        return made

    def _picture(self, key: str) -> str | None:
        try:
            return base64.b64encode(self.artifacts.get(key, limit_bytes=_PICTURE_BYTES)).decode()
        except (NotFoundError, TooLargeError):
            return None

    def _with_history(self, run: Run, cases: list[CaseRow]) -> list[CaseRow]:
        wanted: defaultdict[JobKey, list[str]] = defaultdict(list)
        for case in list(takewhile(lambda case: case.red, cases))[:_WITH_HISTORY]:
            wanted[JobKey(run.team, run.suite, case.test, case.variant)].append(case.id)
        past: dict[str, tuple[PastOutcome, ...]] = {}
        for job, ids in wanted.items():
            for identity, test in self.history.get(job, ids).items():
                before = [each for each in reversed(test.observations) if each.run_id != run.run_id]
                past[identity] = tuple(
                    PastOutcome(outcome=each.outcome, execution_id=each.run_id, at=to_iso(each.at))
                    for each in before[:_PAST]
                )
        return [case.model_copy(update={"history": past.get(case.id, ())}) for case in cases]

    def _causes_before(self, run: Run) -> tuple[tuple[str, ...], frozenset[str]]:
        """The last finished runs of the suite before this one, and the causes of their failures."""
        looked_at: list[str] = []
        known: set[str] = set()
        for earlier in self._earlier(run):
            index = documents.read_index(self.artifacts, earlier.run_id)
            if index is None:
                continue
            looked_at.append(earlier.run_id)
            rows = documents.read_rows(self.artifacts, earlier.run_id, index, first=0)
            failures = takewhile(lambda case: case.status in RED, rows)
            known |= {
                signature(case.message or case.status.value, case.details).key
                for case in islice(failures, _CAUSES_EACH)
            }
            if len(looked_at) >= _RUNS_BEFORE:
                break
        return tuple(looked_at), frozenset(known)

    def _earlier(self, run: Run) -> Iterator[Run]:
        wanted = RunFilter(team=run.team, suite=run.suite, state=RunState.FINISHED)
        page = self.runs.list_runs(wanted, limit=_RUNS_LOOKED_AT, cursor=None)
        yield from (
            each for each in page.items if each.created_at < run.created_at and each.run_id != run.run_id
        )

    def _shards(
        self,
        works: Sequence[Work],
        failing: Mapping[str, int],
    ) -> Iterator[ShardRow]:
        tails = _LOGGED_SHARDS
        for work in works:
            work_id = work.key.work_id
            tail = None
            if failing[work_id] and tails and work.commit and work.commit.prefix:
                tails -= 1
                tail = self._tail(work.commit.prefix)
            yield _shard(work, failing[work_id], tail)

    def _tail(self, prefix: str) -> str | None:
        """The end of an attempt's log."""
        chunks: list[tuple[str, int]] = []
        after = None
        for _ in range(_LOG_LISTS):
            found = self.artifacts.list_objects(
                layout.stream_prefix(prefix, Stream.LOG), limit=1000, after=after
            )
            chunks = [*chunks[-5:], *((each.key, each.size) for each in found)]
            if len(found) < 1000:  # noqa: PLR2004  # the limit above
                break
            after = found[-1].key
        data = b""
        for key, size in reversed(chunks[-5:]):
            start = max(0, size - (_TAIL_BYTES - len(data)))
            data = self.artifacts.get_range(key, offset=start, length=size - start) + data
            if len(data) >= _TAIL_BYTES:
                break
        return data.decode(errors="replace") or None


def _without_details(case: Case) -> Case:
    view = documents.view_of(case).model_copy(update={"details": None})
    return documents.case_of(view)


def _names(path: str, name: str) -> bool:
    """Whether a file's path names a test, as tools that take screenshots make it: words of the name, in order."""
    words = _words(re.split(r"::| / | > | \u203a ", name)[-1])
    return len(words) > 5 and words in _words(path)  # noqa: PLR2004  # shorter ones stand in too many paths


def _words(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def _facts(run: Run) -> RunFacts:
    return RunFacts(
        execution_id=run.run_id,
        team=run.team,
        suite=run.suite,
        priority=run.priority.value,
        actor=run.actor,
        state=run.state.value,
        created_at=to_iso(run.created_at),
        started_at=to_iso(run.started_at) if run.started_at else None,
        finished_at=to_iso(run.finished_at) if run.finished_at else None,
        commit=run.commit,
        branch=run.branch,
        trigger=run.trigger,
        round=run.round,
        parameters={name: str(value) for name, value in run.parameters.items()},
        labels=run.labels,
    )


def _stages(run: Run, view: RunView, works: Iterable[Work]) -> tuple[StageRow, ...]:
    shards = Counter(work.stage for work in works)
    return tuple(
        StageRow(
            name=name, shards=shards[number], chaos=tuple(each for each in view.chaos if each.stage == name)
        )
        for number, name in enumerate(run.stage_names)
    )


def _shard(work: Work, failing: int, tail: str | None) -> ShardRow:
    """A shard that was never admitted has no start. The lease of one that has ended is gone: it began when admitted."""
    commit = work.commit
    started = work.lease.started_at if work.lease else work.admitted_at
    return ShardRow(
        work_id=work.key.work_id,
        test=work.test,
        stage=work.stage,
        attempt=work.attempt,
        outcome=commit.outcome.value if commit else work.state.value,
        reason=commit.reason if commit else None,
        enqueued_at=to_iso(work.enqueued_at),
        started_at=to_iso(started) if started else None,
        finished_at=to_iso(commit.at) if commit and work.state is WorkState.DONE else None,
        tests=work.summary.tests if work.summary else work.progress.tests_done,
        failed=failing,
        log_tail=tail,
    )
