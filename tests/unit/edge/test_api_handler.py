"""Events of the gateway become checked calls; every error becomes a problem."""

import base64
import json
from typing import Any

import pytest

from crosswind.contracts.problems import Problem
from crosswind.contracts.requests import RunAccepted, RunState, SubmitRunRequest
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.kernel import errors

ACTOR = json.dumps({"subject": "ada", "issuer": "i", "teams": ["demo"], "roles": ["runner"]})


def event(**changes: Any) -> dict[str, Any]:
    made = {
        "path": "/api/v1/tests",
        "headers": {"Idempotency-Key": "k"},
        "requestContext": {"requestId": "r-1", "authorizer": {"actor": ACTOR, "stage": "dev"}},
        "body": '{"suite": "shop"}',
    }
    return {**made, **changes}


@api_handler("submit_run")
def submit(call: ApiCall) -> RunAccepted:
    request = call.request(SubmitRunRequest)
    assert call.actor.subject == "ada"
    return RunAccepted(
        execution_id=f"{request.suite}-{call.headers['idempotency-key']}", state=RunState.ACCEPTED
    )


@api_handler("list_runs")
def listing(call: ApiCall) -> RunAccepted:
    return RunAccepted(
        execution_id=str(call.limit), state=call.choice("state", RunState) or RunState.ACCEPTED
    )


def problem(answer: dict[str, Any], status: int) -> Problem:
    assert answer["statusCode"] == status, answer
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    made = Problem.model_validate_json(answer["body"])
    assert (made.status, made.request_id) == (status, "r-1")
    return made


def test_a_call_is_parsed_and_answered_with_the_routes_status() -> None:
    encoded = base64.b64encode(b'{"suite": "shop"}').decode()
    for body in ({}, {"body": encoded, "isBase64Encoded": True}):
        answer = submit(event(**body), None)
        assert answer["statusCode"] == 202
        assert json.loads(answer["body"])["executionId"] == "shop-k"
        assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ("{not json", 400),
        ("[" * 100_000, 400),
        ('{"suite": NaN}', 400),
        ('{"suite": "a", "suite": "b"}', 400),
        ("[]", 422),
        ('{"unknown": 1}', 422),
        ('{"suite": "\\ud800"}', 400),
        ('{"parameters": {"\\ud800": "x"}}', 400),
        ('{"parameters": {"n": 1e999}}', 400),
        ("x" * 2_000_000, 413),
    ],
)
def test_bodies_that_cannot_be_taken_are_problems(body: str | None, status: int) -> None:
    problem(submit(event(body=body), None), status)


def test_the_place_of_a_json_fault_is_told() -> None:
    made = problem(submit(event(body='{\n "suite" 1}'), None), 400)
    assert "line 2" in made.detail


@pytest.mark.parametrize(
    "query",
    [{"x": "1"}, {"limit": "0"}, {"limit": "201"}, {"limit": "-1"}, {"limit": "²"}, {"state": "done"}],
)
def test_query_parameters_are_strict(query: dict[str, str]) -> None:
    made = problem(listing(event(queryStringParameters=query), None), 400)
    assert made.errors
    assert made.errors[0].path == next(iter(query))


def test_a_parameter_given_twice_is_refused() -> None:
    twice = {"queryStringParameters": {"team": "b"}, "multiValueQueryStringParameters": {"team": ["a", "b"]}}
    problem(listing(event(**twice), None), 400)


def test_an_address_longer_than_any_name_leads_nowhere() -> None:
    problem(listing(event(pathParameters={"id": "x" * 3000}), None), 404)


def test_a_call_without_identity_is_refused() -> None:
    problem(submit(event(requestContext={"requestId": "r-1"}), None), 401)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFoundError("x"), 404),
        (errors.ForbiddenError("x"), 403),
        (errors.QueueFullError("x", retry_after_seconds=7), 429),
        (errors.DependencyError("secret host"), 503),
        (RuntimeError("secret password"), 500),
    ],
)
def test_errors_become_problems_without_internals(error: Exception, status: int) -> None:
    @api_handler("list_runs")
    def broken(call: ApiCall) -> RunAccepted:
        raise error

    answer = broken(event(), None)
    problem(answer, status)
    assert "secret" not in answer["body"]
    assert answer["headers"].get("Retry-After") == {429: "7", 503: "1"}.get(status)
