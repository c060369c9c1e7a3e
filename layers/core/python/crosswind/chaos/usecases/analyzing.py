"""Analyze: the verdict with its evidence, the times, and the reports; the end of a run."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from crosswind.chaos import layout, timings, verdict
from crosswind.chaos.layout import Report
from crosswind.chaos.model import ExperimentRun, Injection, TimelineEvent
from crosswind.chaos.ports import DeadMan, ExperimentRunStore, Monitors, Objects
from crosswind.chaos.usecases.recording import Change, ChangeRun, PublishEvents, Tell
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict, RunState
from crosswind.contracts.chaos.monitoring import MonitorResult, Sample
from crosswind.contracts.chaos.runs import ExperimentResults, ExperimentRunView, TimelineEntry
from crosswind.contracts.chaos.spec import Occasion
from crosswind.contracts.chaos.tasks import AnalyzeAnswer
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import ConflictError, NotFoundError, RetryableError, TooLargeError

MOST_SAMPLES = 20_000
MOST_LINES = 2_000

_RESULT_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 2 * 1024 * 1024
_MOST_CHUNKS = 1_000
_CONTENT_TYPES: Mapping[Report, str] = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "junit": "application/xml",
    "journal": "application/json",
}

_log = logging.getLogger(__name__)

View = Callable[[ExperimentRun, tuple[Injection, ...]], ExperimentRunView]
Render = Callable[[ExperimentResults], Mapping[Report, bytes]]


@dataclass(frozen=True)
class Analyze:
    """Judge a run whose faults are proven gone, keep the reports, and close it. Safe to repeat.

    What the monitor did not leave is not known; the verdict says so. A report that cannot be made keeps no run open.
    """

    runs: ExperimentRunStore
    monitors: Monitors
    artifacts: Objects
    dead_man: DeadMan
    change: ChangeRun
    publish_events: PublishEvents
    tell: Tell
    view: View
    render: Render
    clock: Clock

    def __call__(self, run_id: str) -> AnalyzeAnswer:
        """The verdict. Raises ConflictError where the recovery is not proven yet; RetryableError."""
        run = self.runs.get(run_id)
        if run.state is not RunState.ANALYZED:
            if run.state is not RunState.RECOVERY or run.undone_at is None:
                raise ConflictError(f"{run_id} is {run.state.value}: its recovery is not proven")
            run = self._close(run)
        self.dead_man.disarm(run_id)
        self.publish_events()
        return AnalyzeAnswer(verdict=run.verdict.value if run.verdict else "", reason=run.reason or "")

    def _close(self, run: ExperimentRun) -> ExperimentRun:
        injections = self.runs.injections(run.run_id)
        monitor = self._monitor_result(run.run_id)
        ruling = verdict.rule(run, injections, monitor)
        taken = timings.measure(run, injections, monitor)

        def judge(stored: ExperimentRun) -> Change | None:
            if stored.state is not RunState.RECOVERY or stored.finished_at is not None:
                return None
            now = self.clock.now()
            judged = replace(
                stored,
                verdict=ruling.verdict,
                reason=ruling.reason[:1000],
                evidence=ruling.evidence,
                timings=taken,
                finished_at=now,
            )
            return Change(judged)

        def close(stored: ExperimentRun) -> Change | None:
            if stored.state is not RunState.RECOVERY:
                return None
            told = f"{stored.verdict.value if stored.verdict else 'no verdict'}: {stored.reason}"
            return self.change.moved(stored, RunState.ANALYZED, reason=told)

        judged = self.change(run.run_id, judge)
        self._keep_reports(judged, injections, monitor)
        closed = self.change(run.run_id, close)
        falsified = closed.verdict is ExperimentVerdict.FALSIFIED
        self.tell(
            closed,
            Occasion.FALSIFIED if falsified else Occasion.FINISHED,
            f"{closed.verdict.value if closed.verdict else 'no verdict'}: {closed.reason}",
        )
        return closed

    def _monitor_result(self, run_id: str) -> MonitorResult | None:
        state = self.monitors.state(run_id)
        for epoch in range(state.epoch if state else 0, 0, -1):
            try:
                found = self.artifacts.get(
                    layout.monitor_result_key(run_id, epoch), limit_bytes=_RESULT_BYTES
                )
                return MonitorResult.model_validate_json(found)
            except NotFoundError:
                continue
            except (TooLargeError, ValidationError):
                _log.exception("what the monitor of %s left cannot be read", run_id)
        return None

    def _keep_reports(
        self, run: ExperimentRun, injections: tuple[Injection, ...], monitor: MonitorResult | None
    ) -> None:
        try:
            results = self._results(run, injections, monitor)
            for report, data in self.render(results).items():
                self.artifacts.put(
                    layout.report_key(run.run_id, report), data, content_type=_CONTENT_TYPES[report]
                )
        except RetryableError:
            raise
        except Exception as error:  # noqa: BLE001  # a report that cannot be made keeps no run open
            _log.exception("the reports of %s could not be made", run.run_id)
            self.tell.note(run.run_id, f"the reports could not be made: {type(error).__name__}: {error}")

    def _results(
        self, run: ExperimentRun, injections: tuple[Injection, ...], monitor: MonitorResult | None
    ) -> ExperimentResults:
        summaries = monitor.summaries if monitor else ()
        return ExperimentResults(
            run=self.view(run, injections),
            title=run.spec.hypothesis.title,
            hypothesis=tuple(each for each in summaries if not each.guard),
            guards=tuple(each for each in summaries if each.guard),
            decisions=self.runs.decisions(run.run_id),
            evidence=run.evidence,
            parameters=dict(run.parameters),
            samples=self._samples(run.run_id),
            timeline=tuple(_entry(each) for each in self._timeline(run.run_id)),
        )

    def _samples(self, run_id: str) -> tuple[Sample, ...]:
        """Also those of a monitor that died before its end."""
        found: list[Sample] = []
        chunks = self.artifacts.list_objects(layout.samples_prefix(run_id), limit=_MOST_CHUNKS)
        for chunk in chunks:
            lines = self.artifacts.get(chunk.key, limit_bytes=_CHUNK_BYTES).splitlines()
            found += [Sample.model_validate_json(line) for line in lines if line]
            if len(found) >= MOST_SAMPLES:
                break
        return tuple(found[:MOST_SAMPLES])

    def _timeline(self, run_id: str) -> list[TimelineEvent]:
        lines: list[TimelineEvent] = []
        cursor: str | None = None
        while len(lines) < MOST_LINES:
            page = self.runs.timeline(run_id, limit=100, cursor=cursor)
            lines += page.items
            cursor = page.cursor
            if cursor is None:
                break
        return lines


def _entry(event: TimelineEvent) -> TimelineEntry:
    return TimelineEntry(
        at=to_iso(event.at),
        number=event.number,
        kind=event.kind,
        actor=event.actor,
        text=event.text,
        state=event.state,
        fault=event.fault,
    )
