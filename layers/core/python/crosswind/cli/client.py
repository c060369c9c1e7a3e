"""The HTTP client of the API: time limits, bounded retries of what may be repeated, problems as typed errors."""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from crosswind.cli.config import is_loopback
from crosswind.cli.errors import ApiError, CliError, ConnectionFailedError
from crosswind.contracts.archives import ArchiveView
from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.definitions import ValidateExperimentAnswer
from crosswind.contracts.explaining import WhyView
from crosswind.contracts.history import (
    FlakyList,
    PutQuarantineAnswer,
    PutQuarantineRequest,
    QuarantineList,
    TestHistoryList,
)
from crosswind.contracts.plans import CreatePlanRequest, PlanAccepted, PlanView
from crosswind.contracts.problems import PROBLEM_TYPE_BASE, Problem
from crosswind.contracts.queueing import PutTeamQueueRequest, QueueView, TeamQueueView
from crosswind.contracts.requests import (
    ArtifactPage,
    CasePage,
    CreateSourceAnswer,
    CreateSourceRequest,
    LogChunk,
    PutSuiteAnswer,
    RerunAccepted,
    RerunRequest,
    RunAccepted,
    RunPage,
    RunView,
    StoredSuite,
    SubmitRunRequest,
    SuitePage,
    ValidateAnswer,
    WhoAmI,
)
from crosswind.contracts.schedules import (
    DeploymentAccepted,
    PreviewAnswer,
    PutScheduleAnswer,
    PutTriggerAnswer,
    RecordDeploymentRequest,
    Schedule,
    SchedulePage,
    ScheduleView,
    Trigger,
    TriggerPage,
    TriggerView,
)

TIME_LIMITS = httpx.Timeout(connect=5, read=35, write=35, pool=5)  # the API itself ends at 29 s
UPLOAD_LIMITS = httpx.Timeout(connect=5, read=120, write=120, pool=5)
MAX_TRIES = 4
MAX_PAUSE_SECONDS = 20.0
_RETRIED = frozenset({429, 502, 503, 504})
_SUITE_MEDIA_TYPE = "application/yaml"

Model = TypeVar("Model", bound=WireModel)
Query = Mapping[str, str | int | bool | None]


class ApiClient:
    """One method per operation. Every call but a submit without a key is idempotent and may be repeated."""

    def __init__(
        self,
        *,
        endpoint: str,
        token: str | None,
        authority: Path | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.endpoint = endpoint
        self.authorization = f"Bearer {token}" if token else None
        headers = {"Accept": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        proxies = not is_loopback(endpoint)  # what is on this machine is not reached through a proxy
        trusted = ssl.create_default_context(cafile=authority) if authority else True
        self._http = httpx.Client(
            base_url=endpoint, headers=headers, timeout=TIME_LIMITS, transport=transport, trust_env=proxies
        )
        self._storage = httpx.Client(  # never sees the token
            timeout=UPLOAD_LIMITS, transport=transport, trust_env=proxies, verify=trusted
        )
        self._sleep = sleep
        self._chance = chance

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
        self._storage.close()

    def whoami(self) -> WhoAmI:
        return self._get("/api/v1/whoami", WhoAmI)

    def submit(self, request: SubmitRunRequest, *, idempotency_key: str) -> RunAccepted:
        """Submit a run; the key makes the repetition of a lost answer safe."""
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        answer = self._send("POST", "/api/v1/tests", content=request.to_wire(), headers=headers)
        return _read(answer, RunAccepted)

    def create_plan(self, request: CreatePlanRequest, *, idempotency_key: str) -> PlanAccepted:
        """Ask for a plan; the key makes the repetition of a lost answer safe."""
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        answer = self._send("POST", "/api/v1/plans", content=request.to_wire(), headers=headers)
        return _read(answer, PlanAccepted)

    def get_plan(self, plan_id: str) -> PlanView:
        return self._get(f"/api/v1/plans/{_segment(plan_id)}", PlanView)

    def get_run(self, run_id: str, *, detail: bool = False) -> RunView:
        query: Query = {"detail": "true"} if detail else {}
        return self._get(f"/api/v1/tests/{_segment(run_id)}", RunView, query)

    def list_runs(self, query: Query) -> RunPage:
        return self._get("/api/v1/tests", RunPage, query)

    def cancel(self, run_id: str) -> RunView:
        return _read(self._send("DELETE", f"/api/v1/tests/{_segment(run_id)}"), RunView)

    def rerun(self, run_id: str, request: RerunRequest) -> RerunAccepted:
        """Run failed tests again; naming the round makes the repetition of a lost answer safe."""
        headers = {"Content-Type": "application/json"}
        path = f"/api/v1/tests/{_segment(run_id)}/reruns"
        return _read(self._send("POST", path, content=request.to_wire(), headers=headers), RerunAccepted)

    def why(self, run_id: str) -> WhyView:
        return self._get(f"/api/v1/tests/{_segment(run_id)}/why", WhyView)

    def pause_run(self, run_id: str) -> RunView:
        return _read(self._send("POST", f"/api/v1/tests/{_segment(run_id)}/pause"), RunView)

    def resume_run(self, run_id: str) -> RunView:
        return _read(self._send("POST", f"/api/v1/tests/{_segment(run_id)}/resume"), RunView)

    def queue(self, *, team: str | None) -> QueueView:
        return self._get("/api/v1/queue", QueueView, {"team": team})

    def put_team_queue(self, team: str, request: PutTeamQueueRequest) -> TeamQueueView:
        """Only what was set is sent: what is left out stays as it is."""
        headers = {"Content-Type": "application/json"}
        content = request.model_dump_json(by_alias=True, exclude_unset=True)
        path = f"/api/v1/teams/{_segment(team)}/queue"
        return _read(self._send("PUT", path, content=content, headers=headers), TeamQueueView)

    def results(self, run_id: str, query: Query) -> CasePage:
        return self._get(f"/api/v1/tests/{_segment(run_id)}/results", CasePage, query)

    def archive(self, run_id: str, query: Query) -> ArchiveView:
        return self._get(f"/api/v1/tests/{_segment(run_id)}/artifacts/archive", ArchiveView, query)

    def artifacts(self, run_id: str, query: Query) -> ArtifactPage:
        return self._get(f"/api/v1/tests/{_segment(run_id)}/artifacts", ArtifactPage, query)

    def logs(self, run_id: str, query: Query) -> LogChunk:
        return self._get(f"/api/v1/tests/{_segment(run_id)}/logs", LogChunk, query)

    def create_source(self, request: CreateSourceRequest) -> CreateSourceAnswer:
        headers = {"Content-Type": "application/json"}
        answer = self._send("POST", "/api/v1/sources", content=request.to_wire(), headers=headers)
        return _read(answer, CreateSourceAnswer)

    def upload(self, file: Path, *, url: str, headers: Mapping[str, str]) -> None:
        """PUT a file to a presigned link."""
        sent = httpx.Headers({**headers})
        sent["Content-Length"] = str(file.stat().st_size)

        def put() -> httpx.Response:
            with file.open("rb") as stream:
                return self._storage.put(url, content=stream, headers=sent)

        answer = self._repeat(put, what="the upload")
        if answer.is_error:
            raise CliError(f"the upload was refused with status {answer.status_code}: {answer.text[:500]}")

    def download(self, url: str, target: Path) -> int:
        """Fetch a presigned link into a file; its size."""
        temporary = target.with_name(f".{target.name}.part")
        try:
            with self._storage.stream("GET", url) as answer, temporary.open("wb") as stream:
                if answer.is_error:
                    raise CliError(f"{target.name} cannot be downloaded: status {answer.status_code}")
                for block in answer.iter_bytes():
                    stream.write(block)
            temporary.replace(target)
        except httpx.HTTPError as error:
            raise ConnectionFailedError(f"{target.name} cannot be downloaded: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return target.stat().st_size

    def validate(self, text: str) -> ValidateAnswer:
        headers = {"Content-Type": _SUITE_MEDIA_TYPE}
        return _read(self._send("POST", "/api/v1/validations", content=text, headers=headers), ValidateAnswer)

    def validate_experiment(self, text: str) -> ValidateExperimentAnswer:
        headers = {"Content-Type": _SUITE_MEDIA_TYPE}
        answer = self._send("POST", "/api/v1/experiment-validations", content=text, headers=headers)
        return _read(answer, ValidateExperimentAnswer)

    def list_suites(self, query: Query) -> SuitePage:
        return self._get("/api/v1/suites", SuitePage, query)

    def put_suite(self, name: str, text: str) -> PutSuiteAnswer:
        headers = {"Content-Type": _SUITE_MEDIA_TYPE}
        return _read(
            self._send("PUT", f"/api/v1/suites/{_segment(name)}", content=text, headers=headers),
            PutSuiteAnswer,
        )

    def get_suite(self, name: str, *, team: str | None) -> StoredSuite:
        return self._get(f"/api/v1/suites/{_segment(name)}", StoredSuite, {"team": team})

    def delete_suite(self, name: str, *, team: str | None) -> None:
        self._send("DELETE", f"/api/v1/suites/{_segment(name)}", query={"team": team})

    def flaky(self, query: Query) -> FlakyList:
        return self._get("/api/v1/flaky", FlakyList, query)

    def test_history(self, query: Query) -> TestHistoryList:
        return self._get("/api/v1/history", TestHistoryList, query)

    def list_quarantines(self, query: Query) -> QuarantineList:
        return self._get("/api/v1/quarantines", QuarantineList, query)

    def put_quarantine(self, request: PutQuarantineRequest) -> PutQuarantineAnswer:
        headers = {"Content-Type": "application/json"}
        answer = self._send("PUT", "/api/v1/quarantines", content=request.to_wire(), headers=headers)
        return _read(answer, PutQuarantineAnswer)

    def delete_quarantine(self, query: Query) -> None:
        self._send("DELETE", "/api/v1/quarantines", query=query)

    def list_schedules(self, query: Query) -> SchedulePage:
        return self._get("/api/v1/schedules", SchedulePage, query)

    def put_schedule(self, name: str, document: Schedule) -> PutScheduleAnswer:
        return _read(self._write("PUT", f"/api/v1/schedules/{_segment(name)}", document), PutScheduleAnswer)

    def get_schedule(self, name: str, *, team: str | None) -> ScheduleView:
        return self._get(f"/api/v1/schedules/{_segment(name)}", ScheduleView, {"team": team})

    def pause_schedule(self, name: str, *, team: str | None) -> ScheduleView:
        answer = self._send("POST", f"/api/v1/schedules/{_segment(name)}/pause", query={"team": team})
        return _read(answer, ScheduleView)

    def resume_schedule(self, name: str, *, team: str | None) -> ScheduleView:
        answer = self._send("POST", f"/api/v1/schedules/{_segment(name)}/resume", query={"team": team})
        return _read(answer, ScheduleView)

    def delete_schedule(self, name: str, *, team: str | None) -> None:
        self._send("DELETE", f"/api/v1/schedules/{_segment(name)}", query={"team": team})

    def preview_schedule(self, document: Schedule) -> PreviewAnswer:
        return _read(self._write("POST", "/api/v1/schedule-previews", document), PreviewAnswer)

    def list_triggers(self, query: Query) -> TriggerPage:
        return self._get("/api/v1/triggers", TriggerPage, query)

    def put_trigger(self, name: str, document: Trigger) -> PutTriggerAnswer:
        return _read(self._write("PUT", f"/api/v1/triggers/{_segment(name)}", document), PutTriggerAnswer)

    def get_trigger(self, name: str, *, team: str | None) -> TriggerView:
        return self._get(f"/api/v1/triggers/{_segment(name)}", TriggerView, {"team": team})

    def delete_trigger(self, name: str, *, team: str | None) -> None:
        self._send("DELETE", f"/api/v1/triggers/{_segment(name)}", query={"team": team})

    def record_deployment(
        self, request: RecordDeploymentRequest, *, idempotency_key: str
    ) -> DeploymentAccepted:
        headers = {"Idempotency-Key": idempotency_key}
        return _read(self._write("POST", "/api/v1/deployments", request, headers), DeploymentAccepted)

    def read(self, path: str, model: type[Model], query: Query | None = None) -> Model:
        """For the clients of single areas."""
        return self._get(path, model, query)

    def write(
        self,
        method: str,
        path: str,
        body: WireModel | str | None,
        model: type[Model],
        headers: Mapping[str, str] | None = None,
    ) -> Model:
        """For the clients of single areas; a text is a document in YAML."""
        if isinstance(body, WireModel):
            return _read(self._write(method, path, body, headers), model)
        sent = {"Content-Type": _SUITE_MEDIA_TYPE, **(headers or {})} if body else headers
        return _read(self._send(method, path, content=body, headers=sent), model)

    def delete(self, path: str, query: Query | None = None) -> None:
        """For the clients of single areas."""
        self._send("DELETE", path, query=query)

    def _write(
        self, method: str, path: str, body: WireModel, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a model as JSON."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._send(method, path, content=body.to_wire(), headers=sent)

    def _get(self, path: str, model: type[Model], query: Query | None = None) -> Model:
        return _read(self._send("GET", path, query=query), model)

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
    ) -> httpx.Response:
        params = {name: value for name, value in (query or {}).items() if value is not None}
        body = None if content is None else content.encode()
        answer = self._repeat(
            lambda: self._http.request(method, path, content=body, headers=headers, params=params),
            what=self.endpoint,
        )
        if answer.is_error:
            raise _problem_of(answer)
        return answer

    def _repeat(self, call: Callable[[], httpx.Response], *, what: str) -> httpx.Response:
        for attempt in range(1, MAX_TRIES + 1):
            try:
                answer = call()
            except httpx.TransportError as error:
                if attempt == MAX_TRIES:
                    raise ConnectionFailedError(
                        f"{what} does not answer: {_words_of(error)}",
                        hint="Is it running? `crosswind status` tells for the embedded cloud, `crosswind up` starts it.",
                    ) from error
                self._sleep(self._pause(attempt, None))
                continue
            if answer.status_code not in _RETRIED or attempt == MAX_TRIES:
                return answer
            self._sleep(self._pause(attempt, answer.headers.get("Retry-After")))
        raise AssertionError("the loop returns or raises")  # pragma: no cover

    def _pause(self, attempt: int, retry_after: str | None) -> float:
        if retry_after and retry_after.isdigit():
            return min(float(retry_after), MAX_PAUSE_SECONDS)
        backoff: float = 0.5 * 2 ** (attempt - 1)
        return backoff * (0.5 + self._chance())


def _segment(text: str) -> str:
    return quote(text, safe="")


def _words_of(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__


def _read(answer: httpx.Response, model: type[Model]) -> Model:
    """Fields that a newer server added are ignored: the contracts only grow."""
    try:
        return model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        raise CliError(
            f"the answer of {answer.request.url.path} is not a {model.__name__}: {error.errors()[0]['msg']}",
            hint="Is this endpoint a Crosswind API of the same version?",
        ) from error


def _problem_of(answer: httpx.Response) -> ApiError:
    try:
        problem = Problem.model_validate_json(answer.content, extra="ignore")
    except ValidationError:
        problem = Problem(
            type=f"{PROBLEM_TYPE_BASE}http",
            title=f"{answer.status_code} {answer.reason_phrase}".strip(),
            status=answer.status_code,
            detail=_plain_detail(answer),
        )
    hint = "Sign in again: crosswind login" if problem.status == httpx.codes.UNAUTHORIZED else None
    return ApiError(problem, hint=hint)


def _plain_detail(answer: httpx.Response) -> str:
    """A gateway's own error is often `{"message": …}`."""
    try:
        body: Any = answer.json()
    except ValueError:
        return answer.text[:500] or "the answer has no text"
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or body)[:500]
