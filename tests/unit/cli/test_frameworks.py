"""`crosswind frameworks`."""

import json
from pathlib import Path

import pytest
import yaml

from crosswind.runs.frameworks.catalogue import builtin_manifest, builtin_names
from crosswind.runs.frameworks.manifests import to_document
from tests.unit.cli.fake_api import FakeApi, Terminal

OWN = """\
apiVersion: crosswind.dev/v1
kind: Framework
metadata: {name: ava, team: web}
spec:
  description: AVA, reported as TAP.
  command: npx ava --tap
  reports: [ava.tap]
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "ava.yaml"
    file.write_text(OWN)
    return file


def test_apply_stores_a_manifest_under_its_name(crosswind: Terminal, api: FakeApi, manifest: Path) -> None:
    api.on(
        "PUT /api/v1/frameworks/ava",
        {"name": "ava", "team": "web", "digest": "sha256:" + "a" * 64, "created": True},
    )

    result = crosswind("frameworks", "apply", "-f", str(manifest))

    assert result.stdout == "stored  ava  team web  sha256:aaaaaaaaaaaa\n"
    (request,) = api.sent("PUT /api/v1/frameworks/ava")
    assert request.content.decode() == OWN


def test_faults_are_told_with_their_lines_and_nothing_is_sent(
    crosswind: Terminal, api: FakeApi, manifest: Path
) -> None:
    manifest.write_text(OWN.replace("reports:", "report:"))

    result = crosswind("frameworks", "apply", "-f", str(manifest))

    assert result.exit_code == 2
    assert "spec.report (line 7): there is no such field; did you mean `reports`?" in result.stderr
    assert not api.sent("PUT /api/v1/frameworks/ava")


def test_validate_says_what_a_framework_can_do(crosswind: Terminal, manifest: Path) -> None:
    result = crosswind("frameworks", "validate", "-f", str(manifest))

    assert result.stdout == f"valid  {manifest}  ava: runs whole\n"


def test_the_list_shows_built_in_ones_first_and_what_each_can_do(crosswind: Terminal) -> None:
    result = crosswind("frameworks", "list", "--offline")

    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(builtin_names())
    (pytest_line,) = (line for line in lines if line.startswith("pytest"))
    assert "single tests, pulls batches" in pytest_line


def test_the_list_of_the_api_is_read_to_its_end(crosswind: Terminal, api: FakeApi) -> None:
    view = {
        "manifest": yaml.safe_load(OWN),
        "builtin": False,
        "updatedAt": "2026-01-31T08:00:00.000Z",
        "updatedBy": "ada",
    }
    api.on("GET /api/v1/frameworks", {"items": [view]})

    result = crosswind("frameworks", "list", "--json")

    assert [each["manifest"]["metadata"]["name"] for each in json.loads(result.stdout)["items"]] == ["ava"]


def test_a_built_in_manifest_is_printed_as_a_start_for_ones_own(crosswind: Terminal) -> None:
    result = crosswind("frameworks", "get", "jest")

    known = builtin_manifest("jest")
    assert known is not None
    assert yaml.safe_load(result.stdout) == to_document(known)


def test_delete_tells_the_team(crosswind: Terminal, api: FakeApi) -> None:
    api.on("DELETE /api/v1/frameworks/ava", {})

    result = crosswind("frameworks", "delete", "ava", "--team", "web")

    assert result.stdout == "deleted  ava\n"
    (request,) = api.sent("DELETE /api/v1/frameworks/ava")
    assert request.url.params["team"] == "web"
