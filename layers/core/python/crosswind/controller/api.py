"""The API as the controller calls it: each call is sent once, bounded in time; what comes next is for the object's handler to decide."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from crosswind.contracts.base import WireModel
from crosswind.contracts.problems import PROBLEM_TYPE_BASE, Problem
from crosswind.contracts.requests import RunAccepted, RunPage, RunView, SubmitRunRequest
from crosswind.kernel import json

TIME_LIMITS = httpx.Timeout(connect=5, read=35, write=35, pool=5)  # the API itself ends at 29 s
_LONGEST_PAUSE = 300.0

Model = TypeVar("Model", bound=WireModel)


class RefusedError(Exception):
    """The API answered with a problem."""

    def __init__(self, problem: Problem, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{problem.title} — {problem.detail}")
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds


class UnreachableError(Exception):
    """There was no answer, or none that can be understood; what was asked for may have been done."""


class Api:
    """The operations that the controller needs."""

    def __init__(
        self, endpoint: str, bearer: Callable[[], str], *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.endpoint = endpoint
        self._bearer = bearer
        self._http = httpx.AsyncClient(base_url=endpoint, timeout=TIME_LIMITS, transport=transport)

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def put(self, path: str, document: Mapping[str, Any], answer: type[Model]) -> Model:
        """Store a document; may be repeated."""
        return _read(await self._send("PUT", path, body=json.canonical(document)), answer)

    async def delete(self, path: str, *, team: str | None = None) -> None:
        """Delete what is stored, or cancel a run; what is not there is gone. May be repeated."""
        try:
            await self._send("DELETE", path, query={"team": team} if team else {})
        except RefusedError as error:
            if error.problem.status != httpx.codes.NOT_FOUND:
                raise

    async def submit(self, request: SubmitRunRequest, *, idempotency_key: str) -> RunAccepted:
        """Submit a run; with the same key it is the same run."""
        headers = {"Idempotency-Key": idempotency_key}
        answer = await self._send("POST", "/api/v1/tests", body=request.to_wire(), headers=headers)
        return _read(answer, RunAccepted)

    async def run(self, run_id: str) -> RunView:
        """A run as it is now."""
        return _read(await self._send("GET", run_path(run_id)), RunView)

    async def newest_runs(self, team: str, *, limit: int) -> RunPage:
        """States of a team's newest runs."""
        query = {"team": team, "limit": str(limit)}
        return _read(await self._send("GET", "/api/v1/tests", query=query), RunPage)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            given["Content-Type"] = "application/json"
        try:
            given["Authorization"] = f"Bearer {self._bearer()}"
            answer = await self._http.request(method, path, content=body, params=query, headers=given)
        except (httpx.HTTPError, OSError) as error:
            raise UnreachableError(f"{self.endpoint}: {str(error) or type(error).__name__}") from error
        if answer.is_error:
            raise RefusedError(_problem_of(answer), retry_after_seconds=_pause(answer))
        return answer


def run_path(run_id: str) -> str:
    """Where a run is."""
    return f"/api/v1/tests/{quote(run_id, safe='')}"


def _read(answer: httpx.Response, model: type[Model]) -> Model:
    """Fields that a newer server added are passed over: the contracts only grow."""
    try:
        return model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        raise UnreachableError(
            f"the answer of {answer.request.url.path} is not a {model.__name__}"
        ) from error


def _problem_of(answer: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(answer.content, extra="ignore")
    except ValidationError:
        return Problem(
            type=f"{PROBLEM_TYPE_BASE}http",
            title=f"{answer.status_code} {answer.reason_phrase}".strip(),
            status=answer.status_code,
            detail=answer.text[:500] or "the answer has no text",
        )


def _pause(answer: httpx.Response) -> float | None:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_PAUSE) if asked.isdecimal() else None
