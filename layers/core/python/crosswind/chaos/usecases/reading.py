"""Reading definitions, runs, timelines and results."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pydantic import ValidationError

from crosswind.chaos.definition_views import experiment_summary, experiment_view
from crosswind.chaos.layout import Report, report_key
from crosswind.chaos.model import Experiment, ExperimentRun
from crosswind.chaos.policies import Policies, needed
from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore, RunFilter
from crosswind.chaos.usecases.finding import ANY, FindExperiment, FindRun
from crosswind.chaos.views import run_summary, run_view, timeline_entry
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.definitions import ExperimentSummary, ExperimentView
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.runs import (
    ExperimentResults,
    ExperimentRunSummary,
    ExperimentRunView,
    TimelineEntry,
)
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.kernel.paging import Page

SHOWN_RUNS = 10
LINKS_LAST = timedelta(minutes=15)

_LOOKED_AT = 200  # newest runs of a team, for the last one of each row
_REPORT_BYTES = 24 * 1024 * 1024
_TYPES: Mapping[Report, tuple[str, str]] = {
    "html": ("text/html; charset=utf-8", "html"),
    "json": ("application/json", "json"),
    "junit": ("application/xml", "xml"),
    "journal": ("application/json", "journal.json"),
}


class Reports(Protocol):
    """Reports in the artifacts bucket, as readers want them."""

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        """Read a whole object. Raises NotFoundError; TooLargeError when it is larger than `limit_bytes`."""
        ...

    def presign_get(self, key: str, *, content_type: str, file_name: str, expires: timedelta) -> str:
        """A link that anybody may follow until it expires."""
        ...


@dataclass(frozen=True)
class ShowExperiment:
    """A definition as the API shows it, behind any move."""

    experiments: ExperimentStore
    runs: ExperimentRunStore
    policies: Policies
    clock: Clock

    def __call__(self, experiment: Experiment, *, number: int | None = None) -> ExperimentView:
        """With its newest runs, and the newest revision or the one that is named. Raises NotFoundError."""
        team, name, revision = experiment.team, experiment.name, experiment.revision
        if number is not None and number != revision.number:
            revision = self.experiments.revision(team, name, number)
        runs = self.runs.list_runs(RunFilter(team, experiment=name), limit=SHOWN_RUNS, cursor=None)
        return experiment_view(
            experiment,
            revision=revision,
            needed=needed(self.policies.of(revision.spec.environment).spec, revision.spec),
            runs=runs.items,
            now=self.clock.now(),
        )


@dataclass(frozen=True)
class GetExperiment:
    """Read a definition."""

    find: FindExperiment
    show: ShowExperiment

    def __call__(self, name: str, *, team: str | None, revision: int | None, actor: Actor) -> ExperimentView:
        """With its newest revision or the one that is named. Raises NotFoundError, ForbiddenError."""
        found = self.find(name, team=team, actor=actor, action=Action.READ_EXPERIMENTS)
        return self.show(found, number=revision)


@dataclass(frozen=True)
class ListExperiments:
    """List a team's definitions."""

    experiments: ExperimentStore
    runs: ExperimentRunStore
    guard: Guard

    def __call__(
        self, *, team: str | None, limit: int, cursor: str | None, actor: Actor
    ) -> Page[ExperimentSummary]:
        """By name, each with its last run where that is among the team's newest 200. Raises ForbiddenError."""
        chosen = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_EXPERIMENTS, team=chosen)
        page = self.experiments.list_experiments(chosen, limit=limit, cursor=cursor)
        newest: dict[str, ExperimentRun] = {}
        if page.items:
            for run in self.runs.list_runs(RunFilter(chosen), limit=_LOOKED_AT, cursor=None).items:
                newest.setdefault(run.experiment, run)
        rows = tuple(experiment_summary(each, newest.get(each.name)) for each in page.items)
        return Page(rows, page.cursor)


@dataclass(frozen=True)
class ListExperimentRuns:
    """List runs of an experiment, or of all of a team's: the history of a service."""

    runs: ExperimentRunStore
    guard: Guard

    def __call__(
        self,
        experiment: str,
        *,
        team: str | None,
        service: str | None,
        state: RunState | None,
        limit: int,
        cursor: str | None,
        actor: Actor,
    ) -> Page[ExperimentRunSummary]:
        """Newest first. Raises ForbiddenError, InvalidInputError."""
        chosen = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_EXPERIMENTS, team=chosen)
        wanted = RunFilter(
            chosen, experiment=None if experiment == ANY else experiment, service=service, state=state
        )
        page = self.runs.list_runs(wanted, limit=limit, cursor=cursor)
        return Page(tuple(run_summary(each) for each in page.items), page.cursor)


@dataclass(frozen=True)
class ShowRun:
    """A run as the API shows it, behind any move."""

    runs: ExperimentRunStore

    def __call__(self, run: ExperimentRun) -> ExperimentRunView:
        """With its faults."""
        return run_view(run, self.runs.injections(run.run_id))


@dataclass(frozen=True)
class GetExperimentRun:
    """Read a run."""

    find: FindRun
    show: ShowRun

    def __call__(self, experiment: str, run_id: str, *, team: str | None, actor: Actor) -> ExperimentRunView:
        """Raises NotFoundError, ForbiddenError."""
        action = Action.READ_EXPERIMENTS
        return self.show(self.find(run_id, experiment=experiment, team=team, actor=actor, action=action))


@dataclass(frozen=True)
class ReadTimeline:
    """Read what happened in a run, line by line."""

    runs: ExperimentRunStore
    find: FindRun

    def __call__(
        self,
        experiment: str,
        *,
        run_id: str | None,
        team: str | None,
        limit: int,
        cursor: str | None,
        actor: Actor,
    ) -> Page[TimelineEntry]:
        """Oldest first; of the newest run unless one is named. Raises NotFoundError, ForbiddenError."""
        run = self.find.newest(experiment=experiment, run_id=run_id, team=team, actor=actor)
        page = self.runs.timeline(run.run_id, limit=limit, cursor=cursor)
        return Page(tuple(timeline_entry(each) for each in page.items), page.cursor)


@dataclass(frozen=True)
class ReadResults:
    """Read a run's verdict with its evidence, and where its reports are."""

    runs: ExperimentRunStore
    find: FindRun
    show: ShowRun
    reports: Reports

    def __call__(
        self, experiment: str, *, run_id: str | None, team: str | None, actor: Actor
    ) -> ExperimentResults:
        """Of the newest run unless one is named; what is not known yet is missing. Raises NotFoundError, ForbiddenError."""
        run = self.find.newest(experiment=experiment, run_id=run_id, team=team, actor=actor)
        results = ExperimentResults(
            run=self.show(run),
            title=run.spec.hypothesis.title,
            decisions=self.runs.decisions(run.run_id),
            evidence=run.evidence,
            parameters=dict(run.parameters),
        )
        kept = self._kept(run) if run.state is RunState.ANALYZED else None
        if kept is None:
            return results
        return results.model_copy(
            update={"hypothesis": kept.hypothesis, "guards": kept.guards, "reports": self._links(run)}
        )

    def _kept(self, run: ExperimentRun) -> ExperimentResults | None:
        try:
            data = self.reports.get(report_key(run.run_id, "json"), limit_bytes=_REPORT_BYTES)
            return ExperimentResults.model_validate_json(data)
        except (NotFoundError, TooLargeError, ValidationError):
            return None  # it could not be made, or has expired

    def _links(self, run: ExperimentRun) -> dict[str, str]:
        return {
            report: self.reports.presign_get(
                report_key(run.run_id, report),
                content_type=content_type,
                file_name=f"{run.experiment}-{run.run_id}.{suffix}",
                expires=LINKS_LAST,
            )
            for report, (content_type, suffix) in _TYPES.items()
        }
