"""The HTTP client: what is tried again, and how problems are told."""

import json

import httpx
import pytest

from crosswind.cli.client import ApiClient
from crosswind.cli.errors import ApiError, CliError, ConnectionFailedError
from tests.unit.cli.fake_api import ENDPOINT, RUN, FakeApi, Terminal, problem, run_view

GET_RUN = f"GET /api/v1/tests/{RUN}"


def client(api: FakeApi, pauses: list[float]) -> ApiClient:
    return ApiClient(
        endpoint=ENDPOINT,
        token="a-token",
        transport=httpx.MockTransport(api.handle),
        sleep=pauses.append,
        chance=lambda: 0.5,
    )


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out", request=request)


def test_a_lost_answer_is_asked_for_again_with_growing_pauses(api: FakeApi) -> None:
    pauses: list[float] = []
    api.on(GET_RUN, lost, httpx.Response(503), lost, run_view())
    assert client(api, pauses).get_run(RUN).suite == "shop"
    assert pauses == [0.5, 1.0, 2.0]


def test_the_token_goes_with_every_request(api: FakeApi) -> None:
    api.on(GET_RUN, run_view())
    client(api, []).get_run(RUN)
    assert api.requests[0].headers["Authorization"] == "Bearer a-token"


def test_trying_ends_and_says_what_does_not_answer(api: FakeApi) -> None:
    api.on(GET_RUN, lost)
    with pytest.raises(ConnectionFailedError, match=f"{ENDPOINT} does not answer: timed out") as caught:
        client(api, []).get_run(RUN)
    assert len(api.requests) == 4
    assert "crosswind up" in str(caught.value.hint)


def test_a_full_queue_is_asked_again_when_it_says(api: FakeApi) -> None:
    pauses: list[float] = []
    full = httpx.Response(429, headers={"Retry-After": "7"})
    api.on(GET_RUN, full, run_view())
    client(api, pauses).get_run(RUN)
    assert pauses == [7.0]


def test_a_pause_that_a_server_asks_for_is_bounded(api: FakeApi) -> None:
    pauses: list[float] = []
    api.on(GET_RUN, httpx.Response(429, headers={"Retry-After": "86400"}), run_view())
    client(api, pauses).get_run(RUN)
    assert pauses == [20.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_a_refusal_is_not_repeated(api: FakeApi, status: int) -> None:
    api.on(GET_RUN, problem(status, "No", "because"))
    with pytest.raises(ApiError, match="No — because"):
        client(api, []).get_run(RUN)
    assert len(api.requests) == 1


def test_an_answer_that_is_no_problem_document_is_still_told(api: FakeApi) -> None:
    api.on(GET_RUN, httpx.Response(403, json={"message": "User is not authorized"}))
    with pytest.raises(ApiError, match="403 Forbidden — User is not authorized"):
        client(api, []).get_run(RUN)


def test_fields_that_a_newer_server_adds_are_ignored(api: FakeApi) -> None:
    api.on(GET_RUN, run_view(invented={"a": 1}))
    assert client(api, []).get_run(RUN).execution_id == RUN


def test_an_answer_of_another_kind_is_an_error_with_a_hint(api: FakeApi) -> None:
    api.on(GET_RUN, {"hello": "world"})
    with pytest.raises(CliError, match="is not a RunView"):
        client(api, []).get_run(RUN)


def test_a_run_id_cannot_lead_to_another_path(api: FakeApi) -> None:
    with pytest.raises(ApiError):
        client(api, []).get_run("../suites/x?y=")
    assert api.requests[0].url.raw_path == b"/api/v1/tests/..%2Fsuites%2Fx%3Fy%3D"


def test_a_submit_whose_answer_was_lost_is_repeated_under_the_same_key(
    crosswind: Terminal, api: FakeApi
) -> None:
    accepted = httpx.Response(202, json={"executionId": RUN, "state": "accepted", "repeated": True})
    api.on("POST /api/v1/tests", lost, accepted)
    result = crosswind("run", "shop", "--team", "demo")
    first, second = api.sent("POST /api/v1/tests")
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert len(first.headers["Idempotency-Key"]) == 32
    assert json.loads(second.content) == {"suite": "shop", "team": "demo", "parameters": {}}
    assert f"run {RUN} (this key was used before: the same run)" in result.stderr
