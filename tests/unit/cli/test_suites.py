"""Stored suites and validation."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.unit.cli.fake_api import FakeApi, Terminal, problem

SUITE = """\
apiVersion: crosswind.dev/v1
kind: TestSuite
metadata: {name: shop, team: demo}
spec:
  stages:
    - name: unit
      tests:
        - name: unit
          framework: pytest
          source: {directory: .}
"""
STORED: dict[str, Any] = {
    "name": "shop",
    "team": "demo",
    "digest": "sha256:" + "a" * 64,
    "updatedAt": "2026-01-31T08:00:00.000Z",
    "updatedBy": "editor",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "suites" / "suite.yaml"
    file.parent.mkdir()
    file.write_text(SUITE)
    return file


def test_apply_uploads_the_source_and_stores_the_suite_under_its_name(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    digest = "sha256:" + "b" * 64
    api.on("POST /api/v1/sources", {"digest": digest, "exists": True})
    api.on(
        "PUT /api/v1/suites/shop",
        {"name": "shop", "team": "demo", "digest": STORED["digest"], "created": True},
    )
    result = crosswind("suites", "apply", "-f", str(suite))
    assert result.stdout == "stored  shop  team demo  sha256:aaaaaaaaaaaa\n"
    (request,) = api.sent("PUT /api/v1/suites/shop")
    source = yaml.safe_load(request.content)["spec"]["stages"][0]["tests"][0]["source"]
    assert "archive" in source


def test_apply_without_a_name_says_how_to_find_what_is_wrong(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    suite.write_text("kind: TestSuite\n")
    result = crosswind("suites", "apply", "-f", str(suite))
    assert result.exit_code == 2
    assert "has no metadata.name" in result.stderr
    assert not api.requests


def test_get_prints_yaml_that_can_be_applied_again(crosswind: Terminal, api: FakeApi) -> None:
    spec = yaml.safe_load(SUITE)
    api.on("GET /api/v1/suites/shop", {**STORED, "spec": spec})
    result = crosswind("suites", "get", "shop", "--team", "demo")
    assert yaml.safe_load(result.stdout) == spec
    assert "by editor" in result.stderr


def test_list_goes_through_all_pages(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/suites", {"items": [STORED], "nextCursor": "c"}, {"items": [STORED]})
    assert crosswind("suites", "list").stdout == (
        "suite  team  updated                   by\n"
        "shop   demo  2026-01-31T08:00:00.000Z  editor\n"
        "shop   demo  2026-01-31T08:00:00.000Z  editor\n"
    )


def test_an_empty_list_says_so(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/suites", {"items": []})
    assert crosswind("suites", "list").stdout == "no stored suites\n"


def test_delete_names_what_is_gone(crosswind: Terminal, api: FakeApi) -> None:
    api.on("DELETE /api/v1/suites/shop", httpx.Response(204))
    assert crosswind("suites", "delete", "shop").stdout == "deleted  shop\n"
    assert json.loads(crosswind("suites", "delete", "shop", "--json").stdout) == {
        "name": "shop",
        "deleted": True,
    }


def test_validation_asks_the_api_and_uploads_nothing(crosswind: Terminal, api: FakeApi, suite: Path) -> None:
    api.on("POST /api/v1/validations", {"valid": True, "tests": 3})
    result = crosswind("validate", "-f", str(suite))
    assert (result.exit_code, result.stdout) == (0, f"valid  {suite}  3 test jobs\n")
    assert [request.url.path for request in api.requests] == ["/api/v1/validations"]
    assert len(api.requests[0].content.decode().splitlines()) == len(SUITE.splitlines())


def test_validation_lists_every_fault(crosswind: Terminal, api: FakeApi, suite: Path) -> None:
    faults: list[dict[str, Any]] = [
        {"path": "spec.priority", "message": "is 'P9'", "expected": "P0, P1 or P2", "line": 5},
        {"path": "spec.stages", "message": "is empty"},
    ]
    api.on("POST /api/v1/validations", problem(422, "The input is not valid", "2 faults", faults))
    result = crosswind("validate", "-f", str(suite))
    assert result.exit_code == 2
    assert result.stderr == (
        "error: The input is not valid — 2 faults\n"
        "  spec.priority (line 5): is 'P9'; expected P0, P1 or P2\n"
        "  spec.stages: is empty\n"
    )


def test_validation_names_a_folder_that_is_not_there(crosswind: Terminal, api: FakeApi, suite: Path) -> None:
    suite.write_text(SUITE.replace("directory: .", "directory: nowhere"))
    result = crosswind("validate", "-f", str(suite))
    assert "line 10: directory 'nowhere' is no folder" in result.stderr
    assert not api.requests


def test_validation_on_this_machine_needs_neither_api_nor_credentials(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    crosswind.environ.clear()
    crosswind.environ["XDG_CONFIG_HOME"] = crosswind.environ["CROSSWIND_HOME"] = str(suite.parent)
    result = crosswind("validate", "-f", str(suite), "--offline")
    assert (result.exit_code, result.stdout) == (0, f"valid  {suite}  1 test job\n"), result.stderr
    assert not api.requests


def test_faults_found_on_this_machine_name_their_lines(crosswind: Terminal, suite: Path) -> None:
    suite.write_text(SUITE.replace("framework: pytest", "framework: nose"))
    result = crosswind("validate", "-f", str(suite), "--offline")
    assert result.exit_code == 2
    assert "spec.stages[0].tests[0].framework (line 9): " in result.stderr


@pytest.mark.parametrize("name", ["shop", "third-party"])
def test_the_example_suites_are_valid(crosswind: Terminal, name: str) -> None:
    file = Path(__file__).parents[3] / "examples" / name / "suite.yaml"
    assert crosswind("validate", "-f", str(file), "--offline").exit_code == 0
