"""The halt switch, policies and incidents on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_api import FakeApi, Terminal, problem

RUN = "exp-01k0000000000000000000000a"
HALTED: dict[str, Any] = {
    "halted": True,
    "reason": "orders are down",
    "by": "ada",
    "at": "2026-01-31T08:00:00.000Z",
    "safetyLever": "engaged",
    "stopping": [RUN],
}
POLICY: dict[str, Any] = {
    "apiVersion": "crosswind.dev/v1",
    "kind": "ChaosPolicy",
    "metadata": {"name": "staging"},
    "spec": {"providers": ["fis"], "recheck": "30s"},
}
VIEW: dict[str, Any] = {"environment": "staging", "version": "sha256:abc", "spec": POLICY["spec"]}


def test_halt_tells_which_runs_were_told_to_stop(crosswind: Terminal, api: FakeApi) -> None:
    api.on("POST /api/v1/chaos/halt", HALTED)
    result = crosswind("chaos", "halt", "--reason", "orders are down", "--safety-lever")
    assert result.stdout.splitlines() == [
        "halted  by ada at 2026-01-31T08:00:00.000Z: orders are down",
        "  FIS safety lever: engaged",
        "  1 run told to stop",
        f"    {RUN}",
    ]
    (request,) = api.sent("POST /api/v1/chaos/halt")
    assert json.loads(request.content) == {"reason": "orders are down", "safetyLever": True}


def test_release_says_that_all_may_start_again(crosswind: Terminal, api: FakeApi) -> None:
    api.on("POST /api/v1/chaos/release", {"halted": False, "safetyLever": "disengaged"})
    result = crosswind("chaos", "release", "--reason", "all well again")
    assert result.stdout == "not halted\n  FIS safety lever: disengaged\n"


def test_halted_tells_who_and_why(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/chaos/halt", HALTED)
    assert "by ada" in crosswind("chaos", "halted").stdout
    assert json.loads(crosswind("chaos", "halted", "--json").stdout)["stopping"] == [RUN]


def test_a_reason_that_says_nothing_is_refused_before_anybody_is_asked(
    crosswind: Terminal, api: FakeApi
) -> None:
    assert crosswind("chaos", "halt", "--reason", "x").exit_code != 0
    assert api.requests == []


def test_a_refusal_is_told(crosswind: Terminal, api: FakeApi) -> None:
    api.on("POST /api/v1/chaos/release", problem(403, "Not allowed", "your roles do not allow chaos:release"))
    result = crosswind("chaos", "release", "--reason", "all well again")
    assert result.exit_code != 0
    assert "chaos:release" in result.stderr


@pytest.mark.parametrize(("options", "state"), [((), "open"), (("--resolved",), "resolved")])
def test_an_incident_is_told_and_resolved(
    crosswind: Terminal, api: FakeApi, options: tuple[str, ...], state: str
) -> None:
    api.on("POST /api/v1/incidents", {"id": "INC-1", "state": state})
    result = crosswind(
        "chaos", "incident", "INC-1", "--environment", "staging", "--title", "orders are slow", *options
    )
    assert result.stdout == f"recorded  INC-1  {state}\n"
    (request,) = api.sent("POST /api/v1/incidents")
    assert json.loads(request.content) == {
        "id": "INC-1",
        "environment": "staging",
        "title": "orders are slow",
        "state": state,
    }


def test_a_policy_is_stored_under_the_environment_that_it_names(
    crosswind: Terminal, api: FakeApi, tmp_path: Path
) -> None:
    file = tmp_path / "staging.yaml"
    file.write_text(json.dumps(POLICY), encoding="utf-8")
    api.on("PUT /api/v1/chaos/policies/staging", VIEW)
    assert crosswind("chaos", "policy", "apply", "-f", str(file)).stdout == "stored  staging  sha256:abc\n"
    (request,) = api.sent("PUT /api/v1/chaos/policies/staging")
    assert json.loads(request.content)["spec"]["providers"] == ["fis"]


def test_a_policy_shows_what_is_required_and_has_no_source(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/chaos/policies/staging", VIEW)
    lines = crosswind("chaos", "policy", "get", "staging").stdout.splitlines()
    assert lines[0] == "staging  the default"
    assert "  on call           required, and no source is named: nothing runs" in lines


def test_policies_are_listed(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/chaos/policies", {"items": []}, {"items": [{**VIEW, "updatedBy": "root"}]})
    assert crosswind("chaos", "policy", "list").stdout == "no policies: the default holds everywhere\n"
    assert crosswind("chaos", "policy", "list").stdout.splitlines()[1].startswith("staging")
