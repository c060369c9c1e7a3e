"""Handlers with objects and an API that answers as told: what they write, what they ask, when they come again."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import kopf
import pytest

from crosswind.contracts.custom_resources import StoredStatus, TestRunStatus
from crosswind.controller import handlers
from crosswind.controller.api import Api
from crosswind.controller.documents import EXPERIMENTS, SCHEDULES, SUITES
from crosswind.controller.handlers import Controller
from crosswind.controller.persistence import HandledGeneration
from crosswind.controller.runs import News
from crosswind.controller.views import RunViews
from tests.unit.controller.test_runs import SUITE, view

DIGEST = f"sha256:{'a' * 64}"
STORED = {"name": "checkout", "team": "shop", "digest": DIGEST, "created": True}
ACCEPTED = {"executionId": "run-1", "state": "accepted"}
_CONFLICT = {"type": "t", "title": "The input is not valid", "status": 422, "detail": "one fault"}
REFUSED = _CONFLICT | {"errors": [{"path": "spec.timeout", "message": "is `soon`"}]}


@dataclass
class Scene:
    """A controller, the calls that it made, and what it posted."""

    answer: Callable[[httpx.Request], httpx.Response]
    team: str | None = "shop"
    asked: list[httpx.Request] = field(default_factory=list)
    posted: list[News] = field(default_factory=list)

    def __post_init__(self) -> None:
        api = Api("https://api.example", lambda: "secret", transport=httpx.MockTransport(self._answer))
        self.views = RunViews(api)
        self.controller = Controller(api, self.views, post=lambda _body, news: self.posted.append(news))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    def handle(self, handler: Any, *first: Any, body: Any, retry: int = 0) -> dict[str, Any]:
        """Have an object handled; the status that it has then."""
        patch = kopf.Patch()
        given = {
            "name": body["metadata"]["name"],
            "namespace": "crosswind-shop",
            "uid": body["metadata"]["uid"],
            "body": kopf.Body(body),
            "patch": patch,
            "teams": {"crosswind-shop": [self.team]} if self.team else {},
            "memo": self.controller,
            "retry": retry,
        }
        try:
            asyncio.run(handler(*first, **given))
        finally:
            body.setdefault("status", {}).update(patch.get("status", {}))
        return dict(body["status"])


def an_object(spec: dict[str, Any], **status: Any) -> Any:
    metadata = {"name": "checkout", "namespace": "crosswind-shop", "uid": "u-1", "generation": 4}
    return {"metadata": metadata, "spec": spec, "status": status}


def answering(status: int, body: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, json=body)


def accepted(status: dict[str, Any]) -> tuple[str, str]:
    found = next(each for each in status["conditions"] if each["type"] == "Accepted")
    return found["status"], found["reason"]


def test_a_suite_is_stored_for_the_team_of_its_namespace() -> None:
    scene = Scene(answering(200, STORED))

    status = scene.handle(handlers._store, SUITES, body=an_object(SUITE))

    sent = scene.asked[0]
    assert (sent.method, sent.url.path) == ("PUT", "/api/v1/suites/checkout")
    assert sent.headers["Authorization"] == "Bearer secret"
    assert json.loads(sent.content)["metadata"] == {"name": "checkout", "team": "shop"}
    assert (status["observedGeneration"], status["digest"]) == (4, DIGEST)
    assert accepted(status) == ("True", "Accepted")
    StoredStatus.model_validate(status)


def test_schedules_and_experiments_are_stored_where_they_belong() -> None:
    schedule = {
        "name": "checkout",
        "team": "shop",
        "state": "active",
        "owner": "controller",
        "updatedAt": "2026-11-23T09:00:00.000Z",
        "spec": {"suite": "checkout", "cron": "0 6 * * *"},
    }
    scene = Scene(answering(200, {"created": True, "schedule": schedule}))
    status = scene.handle(
        handlers._store, SCHEDULES, body=an_object({"suite": "checkout", "cron": "0 6 * * *"})
    )
    assert json.loads(scene.asked[0].content)["kind"] == "Schedule"
    assert scene.asked[0].url.path == "/api/v1/schedules/checkout"
    assert status["updatedAt"] == "2026-11-23T09:00:00.000Z"
    assert status["digest"].startswith("sha256:")

    scene = Scene(answering(422, REFUSED))
    scene.handle(handlers._store, EXPERIMENTS, body=an_object({"environment": "staging"}))
    assert scene.asked[0].url.path == "/api/v1/experiments/checkout"


def test_a_refused_suite_tells_its_faults_and_is_not_tried_again() -> None:
    scene = Scene(answering(422, REFUSED))

    status = scene.handle(handlers._store, SUITES, body=an_object(SUITE, digest=DIGEST, observedGeneration=3))

    assert accepted(status) == ("False", "Refused")
    assert "spec.timeout: is `soon`" in status["conditions"][0]["message"]
    assert (status["digest"], status["observedGeneration"]) == (DIGEST, 3), "what the API keeps still stands"
    assert [each.reason for each in scene.posted] == ["Refused"]


def test_an_outage_is_unknown_and_tried_again_with_growing_pauses() -> None:
    def away(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("timed out")

    scene, body, pauses = Scene(away), an_object(SUITE), []
    for retry in range(3):
        with pytest.raises(kopf.TemporaryError) as again:
            scene.handle(handlers._store, SUITES, body=body, retry=retry)
        pauses.append(again.value.delay)

    assert pauses == [2, 4, 8]
    assert accepted(body["status"]) == ("Unknown", "Unreachable")
    assert len(scene.posted) == 1, "an event is told once"


def test_a_namespace_without_a_team_asks_nothing_of_the_api() -> None:
    scene, body = Scene(answering(200, STORED), team=None), an_object(SUITE)

    with pytest.raises(kopf.TemporaryError):
        scene.handle(handlers._store, SUITES, body=body)

    assert scene.asked == []
    assert accepted(body["status"]) == ("False", "NoTeam")


def test_deleting_a_stored_object_deletes_its_document() -> None:
    scene = Scene(lambda _request: httpx.Response(204))

    scene.handle(handlers._remove, SUITES, body=an_object(SUITE, digest=DIGEST))

    assert (scene.asked[0].method, scene.asked[0].url.params["team"]) == ("DELETE", "shop")


def test_what_was_always_refused_deletes_nobodys_document() -> None:
    scene = Scene(lambda _request: httpx.Response(204))

    refused = {"type": "Accepted", "status": "False"}
    scene.handle(handlers._remove, SUITES, body=an_object(SUITE, conditions=[refused]))

    assert scene.asked == []


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_object_goes_although_its_document_may_not_be_deleted(status: int) -> None:
    scene = Scene(answering(status, _CONFLICT | {"status": status}))

    scene.handle(handlers._remove, SUITES, body=an_object(SUITE, digest=DIGEST))

    assert [each.reason for each in scene.posted] == ([] if status == 404 else ["NotDeleted"])


def test_an_object_stays_until_an_outage_is_over() -> None:
    scene = Scene(answering(503, {}))

    with pytest.raises(kopf.TemporaryError):
        scene.handle(handlers._remove, SUITES, body=an_object(SUITE, digest=DIGEST))


def test_a_run_is_submitted_with_the_key_of_its_object_however_often() -> None:
    scene = Scene(answering(202, ACCEPTED))

    first = scene.handle(handlers._submit, body=an_object({"suite": "checkout"}))
    scene.handle(handlers._submit, body=an_object({"suite": "checkout"}), retry=1)

    keys = [each.headers["Idempotency-Key"] for each in scene.asked]
    assert keys == ["testrun-u-1"] * 2
    assert (first["executionId"], first["state"]) == ("run-1", "accepted")
    TestRunStatus.model_validate(first)


def test_a_run_that_is_known_is_not_submitted_again() -> None:
    scene = Scene(answering(202, ACCEPTED))

    scene.handle(handlers._submit, body=an_object({"suite": "checkout"}, executionId="run-1"))

    assert scene.asked == []


def test_a_run_whose_suite_comes_later_waits_for_it() -> None:
    scene, body = Scene(answering(404, _CONFLICT | {"status": 404})), an_object({"suite": "checkout"})

    with pytest.raises(kopf.TemporaryError):
        scene.handle(handlers._submit, body=body)

    assert accepted(body["status"]) == ("False", "NotFound")


def test_mirroring_writes_what_is_new_and_tells_it() -> None:
    scene = Scene(lambda _request: httpx.Response(200, text=view().to_wire()))
    body = an_object({"suite": "checkout"}, executionId="run-1", state="accepted")
    scene.handle(handlers._mirror, body=body)
    asyncio.run(scene.views.read_round())

    status = scene.handle(handlers._mirror, body=body)
    scene.handle(handlers._mirror, body=body)

    assert (status["state"], status["counts"]["passed"]) == ("executing", 1)
    assert [each.reason for each in scene.posted] == ["Executing"]


def test_deleting_a_run_cancels_it() -> None:
    scene = Scene(lambda _request: httpx.Response(200, text=view().to_wire()))

    scene.handle(handlers._cancel, body=an_object({"suite": "checkout"}, executionId="run-1"))

    asked = [(each.method, each.url.path) for each in scene.asked]
    assert asked == [("GET", "/api/v1/tests/run-1"), ("DELETE", "/api/v1/tests/run-1")]


def test_a_status_that_names_another_teams_run_neither_cancels_nor_shows_it() -> None:
    another = view().model_copy(update={"team": "payments"})
    scene = Scene(lambda _request: httpx.Response(200, text=another.to_wire()))
    body = an_object({"suite": "checkout"}, executionId="run-1", state="accepted")

    scene.handle(handlers._cancel, body=body)
    scene.handle(handlers._mirror, body=body)
    asyncio.run(scene.views.read_round())
    status = scene.handle(handlers._mirror, body=body)

    assert {each.method for each in scene.asked} == {"GET"}
    assert [each.reason for each in scene.posted] == ["NotDeleted"]
    assert "counts" not in status
    assert [each["status"] for each in status["conditions"]] == ["Unknown"]


def test_a_run_that_is_gone_keeps_no_object() -> None:
    scene = Scene(answering(404, _CONFLICT | {"status": 404}))

    scene.handle(handlers._cancel, body=an_object({"suite": "checkout"}, executionId="run-1"))

    assert [each.method for each in scene.asked] == ["GET"]


def test_a_run_whose_submission_was_not_answered_is_found_by_its_key_and_cancelled() -> None:
    scene = Scene(answering(202, ACCEPTED | {"repeated": True}))

    scene.handle(handlers._cancel, body=an_object({"suite": "checkout"}))

    assert [each.method for each in scene.asked] == ["POST", "DELETE"]
    assert scene.asked[0].headers["Idempotency-Key"] == "testrun-u-1"


def test_only_a_change_of_the_spec_is_a_change() -> None:
    body = an_object(SUITE)
    essence = HandledGeneration().build(body=kopf.Body(body))
    body["metadata"]["labels"] = {"a": "b"}
    assert HandledGeneration().build(body=kopf.Body(body)) == essence
    body["metadata"]["generation"] = 5
    assert HandledGeneration().build(body=kopf.Body(body)) != essence
