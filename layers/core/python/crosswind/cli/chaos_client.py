"""The API's operations on experiments and their runs."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from crosswind.cli.client import ApiClient, Query
from crosswind.contracts.chaos.definitions import (
    ExperimentPage,
    ExperimentPreview,
    ExperimentView,
    PutExperimentAnswer,
    ReviewRequest,
)
from crosswind.contracts.chaos.runs import (
    AbortRequest,
    ExperimentResults,
    ExperimentRunPage,
    ExperimentRunView,
    ScheduleRequest,
    StartRequest,
    TimelinePage,
)


@dataclass(frozen=True)
class ChaosClient:
    """One method per operation. Every call but a start without a key is idempotent and may be repeated."""

    api: ApiClient

    def put(self, name: str, text: str) -> PutExperimentAnswer:
        return self.api.write("PUT", _path(name), text, PutExperimentAnswer)

    def list_experiments(self, query: Query) -> ExperimentPage:
        return self.api.read("/api/v1/experiments", ExperimentPage, query)

    def get(self, name: str, *, team: str | None, revision: int | None = None) -> ExperimentView:
        return self.api.read(_path(name), ExperimentView, {"team": team, "revision": revision})

    def delete(self, name: str, *, team: str | None) -> None:
        self.api.delete(_path(name, team=team))

    def preview(self, name: str, *, team: str | None, revision: int | None = None) -> ExperimentPreview:
        path = _path(name, "preview", team=team, revision=revision)
        return self.api.write("POST", path, None, ExperimentPreview)

    def submit(self, name: str, *, team: str | None) -> ExperimentView:
        return self.api.write("POST", _path(name, "submit", team=team), None, ExperimentView)

    def approve(self, name: str, request: ReviewRequest, *, team: str | None) -> ExperimentView:
        return self.api.write("POST", _path(name, "approve", team=team), request, ExperimentView)

    def request_changes(self, name: str, request: ReviewRequest, *, team: str | None) -> ExperimentView:
        return self.api.write("POST", _path(name, "request-changes", team=team), request, ExperimentView)

    def schedule(self, name: str, request: ScheduleRequest, *, team: str | None) -> ExperimentView:
        return self.api.write("POST", _path(name, "schedule", team=team), request, ExperimentView)

    def start(
        self, name: str, request: StartRequest, *, team: str | None, idempotency_key: str
    ) -> ExperimentRunView:
        """The key makes the repetition of a lost answer safe."""
        headers = {"Idempotency-Key": idempotency_key}
        return self.api.write("POST", _path(name, "start", team=team), request, ExperimentRunView, headers)

    def abort(self, name: str, request: AbortRequest, *, team: str | None) -> ExperimentRunPage:
        return self.api.write("POST", _path(name, "abort", team=team), request, ExperimentRunPage)

    def runs(self, name: str, query: Query) -> ExperimentRunPage:
        return self.api.read(_path(name, "runs"), ExperimentRunPage, query)

    def run(self, run_id: str, *, experiment: str = "-", team: str | None = None) -> ExperimentRunView:
        path = _path(experiment, f"runs/{quote(run_id, safe='')}")
        return self.api.read(path, ExperimentRunView, {"team": team})

    def timeline(self, name: str, query: Query) -> TimelinePage:
        return self.api.read(_path(name, "timeline"), TimelinePage, query)

    def results(self, name: str, query: Query) -> ExperimentResults:
        return self.api.read(_path(name, "results"), ExperimentResults, query)


def _path(name: str, rest: str = "", **query: str | int | None) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    tail = f"/{rest}" if rest else ""
    return f"/api/v1/experiments/{quote(name, safe='')}{tail}{f'?{urlencode(given)}' if given else ''}"
