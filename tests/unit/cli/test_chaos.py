"""`crosswind chaos`: experiments from the draft to the verdict."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.chaos import exp_id, make_spec
from tests.unit.cli.fake_api import FakeApi, Terminal

RUN_ID = exp_id()
DIGEST = "sha256:" + "a" * 64
AT = "2026-01-31T08:00:00.000Z"
RUN: dict[str, Any] = {
    "runId": RUN_ID,
    "experiment": "slow-payments",
    "team": "demo",
    "revision": 1,
    "environment": "staging",
    "state": "Scheduled",
    "createdAt": AT,
    "requestedBy": "ada",
}
EXPERIMENT: dict[str, Any] = {
    "name": "slow-payments",
    "team": "demo",
    "revision": 1,
    "state": "Approved",
    "digest": DIGEST,
    "createdBy": "ada",
    "updatedBy": "ada",
    "updatedAt": AT,
    "actions": ["edit", "start"],
    "review": {
        "needed": 1,
        "approvals": [
            {"by": "grace", "at": AT, "expiresAt": AT, "digest": DIGEST, "targets": 1, "counts": True}
        ],
    },
    "spec": make_spec().model_dump(mode="json", by_alias=True, exclude_none=True),
}
PREVIEW: dict[str, Any] = {
    "experiment": "slow-payments",
    "revision": 1,
    "digest": DIGEST,
    "ready": False,
    "faults": [
        {
            "step": 1,
            "fault": "slow",
            "provider": "toxiproxy",
            "action": "latency",
            "percent": 100,
            "candidates": 2,
            "targets": [{"provider": "toxiproxy", "kind": "proxy", "id": "p", "name": "payments"}],
            "targetCount": 1,
            "permissions": [],
            "compensation": ["remove the toxic"],
            "problems": ["it is down"],
        }
    ],
    "gate": {
        "outcome": "postpone",
        "reason": "an incident",
        "moment": "preview",
        "decidedAt": AT,
        "policyVersion": "1",
        "checks": [
            {
                "name": "incidents",
                "status": "fail",
                "reason": "INC-1",
                "source": "crosswind",
                "observedAt": AT,
                "ttlSeconds": 30,
            }
        ],
    },
    "costDollars": 0,
    "longestSeconds": 155,
}


def test_apply_stores_the_text_under_its_own_name(crosswind: Terminal, api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("metadata: {name: slow-payments, team: demo}\n")
    api.on("PUT /api/v1/experiments/slow-payments", {"created": True, "experiment": EXPERIMENT})
    result = crosswind("chaos", "apply", "-f", str(file))
    assert result.exit_code == 0, result.output
    assert "slow-payments  revision 1  Approved  team demo" in result.stdout
    assert f"digest {DIGEST}" in result.stdout
    (request,) = api.sent("PUT /api/v1/experiments/slow-payments")
    assert request.content.decode() == file.read_text()


def test_preview_tells_what_would_be_hit_and_fails_where_it_is_not_ready(
    crosswind: Terminal, api: FakeApi
) -> None:
    api.on("POST /api/v1/experiments/slow-payments/preview", PREVIEW)
    result = crosswind("chaos", "preview", "slow-payments", "--team", "demo")
    assert result.exit_code == 1
    for line in (
        "slow-payments  revision 1  not ready",
        "  step 1  slow  toxiproxy latency at 100%: 1 of 2 targets",
        "    → payments",
        "    undone by: remove the toxic",
        "    problem: it is down",
        "    ✗ incidents  INC-1",
    ):
        assert line in result.stdout.splitlines()


def test_approve_sends_the_digest_that_was_looked_at(crosswind: Terminal, api: FakeApi) -> None:
    api.on("POST /api/v1/experiments/slow-payments/approve", EXPERIMENT)
    result = crosswind("chaos", "approve", "slow-payments", "--digest", DIGEST)
    assert result.exit_code == 0, result.output
    (request,) = api.sent("POST /api/v1/experiments/slow-payments/approve")
    assert json.loads(request.content) == {"digest": DIGEST}
    assert crosswind("chaos", "approve", "slow-payments").exit_code == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"state": "Analyzed", "verdict": "held"}, 0),
        ({"state": "Analyzed", "verdict": "falsified", "reason": "orders were slow"}, 1),
        ({"state": "Analyzed", "verdict": "not-injected"}, 1),
        ({"state": "RecoveryUnverified"}, 2),
    ],
)
def test_watching_ends_with_the_verdict_as_exit_status(
    crosswind: Terminal, api: FakeApi, changes: dict[str, Any], status: int
) -> None:
    line = {"at": AT, "number": 1, "kind": "move", "actor": "engine", "text": "Running → Monitoring"}
    answers = iter([RUN, {**RUN, "state": "Monitoring"}, {**RUN, **changes}])
    api.on(f"GET /api/v1/experiments/-/runs/{RUN_ID}", lambda _: httpx.Response(200, json=next(answers)))
    api.on("GET /api/v1/experiments/-/timeline", {"items": [line]})
    api.on("POST /api/v1/experiments/slow-payments/start", RUN)
    result = crosswind("chaos", "start", "slow-payments", "--watch")
    assert result.exit_code == status, result.output
    assert result.stderr.count("Running → Monitoring") == 1
    assert changes["state"] in result.stdout
    (request,) = api.sent("POST /api/v1/experiments/slow-payments/start")
    assert request.headers["idempotency-key"]


def test_a_run_is_aborted_by_its_id_and_an_experiment_by_its_name(crosswind: Terminal, api: FakeApi) -> None:
    for name in ("-", "slow-payments"):
        api.on(f"POST /api/v1/experiments/{name}/abort", {"items": [RUN]})
    assert crosswind("chaos", "abort", RUN_ID, "--reason", "enough").exit_code == 0
    assert crosswind("chaos", "abort", "slow-payments").exit_code == 0
    (by_id,) = api.sent("POST /api/v1/experiments/-/abort")
    assert json.loads(by_id.content) == {"reason": "enough", "runId": RUN_ID}


def test_runs_and_experiments_are_listed(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/experiments/-/runs", {"items": [RUN]})
    summary = {name: EXPERIMENT[name] for name in ("name", "team", "revision", "state", "updatedAt")}
    row = {**summary, "environment": "staging", "risk": "medium", "title": "orders answer"}
    api.on("GET /api/v1/experiments", {"items": [row]})
    assert RUN_ID in crosswind("chaos", "runs", "--service", "orders").stdout
    assert "slow-payments" in crosswind("chaos", "list").stdout


def test_deleting_and_scheduling_say_what_they_did(crosswind: Terminal, api: FakeApi) -> None:
    api.on("DELETE /api/v1/experiments/slow-payments", lambda _: httpx.Response(204))
    api.on("POST /api/v1/experiments/slow-payments/schedule", {**EXPERIMENT, "paused": True})
    assert crosswind("chaos", "delete", "slow-payments").stdout == "deleted  slow-payments\n"
    assert "paused" in crosswind("chaos", "schedule", "slow-payments", "--pause").stdout


@pytest.mark.parametrize(
    ("moment", "told"), [("2026-01-30T08:00:00.000Z", False), ("2026-02-01T08:00:00.000Z", True)]
)
def test_a_start_after_the_approvals_have_expired_is_told_of(
    crosswind: Terminal, api: FakeApi, moment: str, told: bool
) -> None:
    api.on("POST /api/v1/experiments/slow-payments/schedule", {**EXPERIMENT, "nextStart": moment})
    result = crosswind("chaos", "schedule", "slow-payments", "--at", moment)
    assert f"starts next at {moment}" in result.stdout
    assert ("approvals will have expired" in result.stdout) == told
    assert "grace  1 target  until" in result.stdout
