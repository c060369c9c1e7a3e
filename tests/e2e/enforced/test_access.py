"""Who may do what, and what hostile or broken input gets: a clear 4xx, and nothing leaks."""

import json

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("enforced")]
JOB = command_job("true", source={"archive": {"digest": "sha256:" + "0" * 64}})


def problem(answer: object, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]  # httpx.Response
    assert answer.headers["content-type"].startswith("application/problem+json")  # type: ignore[attr-defined]
    document: dict[str, object] = answer.json()  # type: ignore[attr-defined]
    assert document["status"] == status
    assert document["title"]
    return document


def test_without_a_token_there_is_no_access(cloud: Cloud) -> None:
    assert Api.at(cloud.endpoint, None).http.get("/api/v1/tests").status_code == 401


@pytest.mark.parametrize("fault", ["forged", "expired", "other-audience", "no-algorithm"])
def test_a_token_that_is_not_the_issuers_is_refused(cloud: Cloud, fault: str) -> None:
    claims = jwt.decode(cloud.token("runner"), options={"verify_signature": False})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if fault == "expired":
        claims["exp"] = 1
    if fault == "other-audience":
        claims["aud"] = "somebody-else"
    token = (
        jwt.encode(claims, "", algorithm="none")
        if fault == "no-algorithm"
        else jwt.encode(claims, key, algorithm="RS256")
    )
    answer = Api.at(cloud.endpoint, token).http.get("/api/v1/tests")
    assert answer.status_code in {401, 403}


def test_a_viewer_reads_and_does_not_start(cloud: Cloud) -> None:
    viewer = Api.at(cloud.endpoint, cloud.token("viewer"))
    assert viewer.http.get("/api/v1/tests").status_code == 200
    problem(viewer.http.post("/api/v1/tests", json={"spec": suite([JOB])}), 403)


def test_another_teams_run_looks_like_one_that_does_not_exist(api: Api, cloud: Cloud) -> None:
    run = api.submit(suite([command_job("true")]), files={"readme": "x"})
    other = Api.at(cloud.endpoint, cloud.token("other"))
    theirs = problem(other.http.get(f"/api/v1/tests/{run}"), 404)
    missing = problem(other.http.get("/api/v1/tests/run-" + "0" * 26), 404)
    assert theirs["title"] == missing["title"]
    for path in ("results", "artifacts", "logs?workId=shard-00000"):
        problem(other.http.get(f"/api/v1/tests/{run}/{path}"), 404)
    problem(other.http.delete(f"/api/v1/tests/{run}"), 404)
    api.finished(run)


def test_every_fault_of_a_spec_is_told_at_once_with_its_path_and_line(api: Api) -> None:
    text = """apiVersion: crosswind.dev/v1
kind: TestSuite
metadata: {name: Bad Name, team: demo}
spec:
  stages:
    - name: one
      tests:
        - name: job
          framework: cobol
          source: {directory: ., git: {uri: "https://example.com/x.git"}}
          services: [{name: db}]
          shrads: 3
"""
    document = problem(api.http.post("/api/v1/tests", json={"text": text}), 422)
    errors = {error["path"]: error for error in document["errors"]}  # type: ignore[attr-defined]
    assert errors["metadata.name"]["line"] == 3
    assert errors["spec.stages[0].tests[0].framework"]["line"] == 9
    assert "shards" in json.dumps(errors["spec.stages[0].tests[0].shrads"])
    assert any("services" in path for path in errors)
    assert any("source" in path for path in errors)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{not json", 400),
        (b'{"spec": {}}', 422),
        (b'{"text": "a: &a [x, x]\\nb: [*a, *a]"}', 422),
        (b'{"unknown": 1}', 422),
        (b'{"text": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=["no-json", "empty-spec", "yaml-alias", "unknown-field", "too-large"],
)
def test_broken_bodies_get_a_problem(api: Api, body: bytes, status: int) -> None:
    answer = api.http.post("/api/v1/tests", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in ({400, 422} if status in {400, 422} else {status}), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_a_ten_megabyte_spec_is_refused_and_the_service_lives_on(api: Api) -> None:
    answer = api.http.post("/api/v1/tests", content=b'{"text": "' + b"x" * 10_000_000 + b'"}')
    assert answer.status_code == 413
    assert api.http.get("/api/v1/whoami").status_code == 200


def test_the_upload_link_takes_only_the_announced_content(api: Api) -> None:
    digest = "sha256:" + "1" * 64
    answer = api.http.post("/api/v1/sources", json={"team": "demo", "digest": digest, "size": 5}).json()
    put = httpx.put(answer["uploadUrl"], content=b"wrong", headers=answer["uploadHeaders"], timeout=10)
    spec = suite([command_job("true", source={"archive": {"digest": digest}})])
    submitted = api.http.post("/api/v1/tests", json={"spec": spec})
    if put.status_code >= 400:
        document = problem(submitted, 422)
        paths = [error["path"] for error in document["errors"]]  # type: ignore[attr-defined]
        assert paths == ["spec.stages[0].tests[0].source.archive.digest"]
    else:  # an emulator that does not check the body against the signature: the runner does, and refuses it
        assert api.finished(submitted.json()["executionId"])["verdict"]["kind"] == "error"


def test_a_source_of_another_team_is_not_shared(api: Api, cloud: Cloud) -> None:
    digest = api.upload(b"only ours", team="demo")
    other = Api.at(cloud.endpoint, cloud.token("other"))
    answer = other.http.post("/api/v1/sources", json={"team": "other", "digest": digest, "size": 9})
    assert answer.json()["exists"] is False


def test_the_api_describes_itself(cloud: Cloud) -> None:
    anyone = Api.at(cloud.endpoint, None)
    document = anyone.http.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/tests" in document["paths"]
    schema = anyone.http.get("/api/v1/schemas/test-suite.json").json()
    assert "properties" in schema


def test_an_archive_that_would_write_outside_its_folder_is_refused_and_told(api: Api) -> None:
    run = api.submit(suite([command_job("true", retries={"infrastructure": 0})]), files={"../outside": "x"})
    verdict = api.finished(run)["verdict"]
    assert verdict["kind"] == "error", verdict
    assert "archive" in verdict["reason"]
