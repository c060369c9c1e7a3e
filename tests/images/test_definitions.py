"""What can be said of the images, and of the workflow that publishes them, without building or running any."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers import build as images

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = ROOT / "containers"
WORKFLOW = ROOT / ".github" / "workflows" / "images.yml"
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_PINNED_ACTION = re.compile(r"^[\w-]+/[\w./-]+@[0-9a-f]{40}$")


def dockerfile(name: str) -> str:
    return (CONTAINERS / name / "Dockerfile").read_text(encoding="utf-8")


def workflow() -> dict[str, Any]:
    loaded = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_every_folder_is_an_image_that_is_built() -> None:
    assert {path.parent.name for path in CONTAINERS.glob("*/Dockerfile")} == set(images.IMAGES)


@pytest.mark.parametrize("name", images.IMAGES)
def test_images_of_others_are_pinned_by_digest(name: str) -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile(name), re.MULTILINE))
    starts = re.findall(r"^FROM \$\{(\w+)\}", dockerfile(name), re.MULTILINE)
    assert starts, "every FROM takes its image from an ARG, so that a registry of one's own can be named"
    assert len(starts) == len(re.findall(r"^FROM ", dockerfile(name), re.MULTILINE))
    for each in set(starts) - {"BASE"}:
        assert _DIGEST.search(arguments[each]), f"{each} is not pinned"


@pytest.mark.parametrize("name", images.IMAGES)
def test_images_end_as_another_user_than_root(name: str) -> None:
    users = re.findall(r"^USER (\S+)$", dockerfile(name), re.MULTILINE)
    assert (users or ["10001:10001"])[-1] == "10001:10001"
    if name == "base":
        assert users == ["10001:10001"]


@pytest.mark.parametrize(
    "path", sorted(CONTAINERS.glob("*/requirements.txt")), ids=lambda path: path.parent.name
)
def test_python_packages_are_locked_with_hashes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    packages = re.findall(r"^(\S+)==\S+.*\\$", text, re.MULTILINE)
    assert packages
    assert text.count("--hash=sha256:") >= len(packages)
    wanted = (path.with_suffix(".in")).read_text(encoding="utf-8").split()
    assert set(wanted) <= set(packages)
    assert "--require-hashes" in dockerfile(path.parent.name)


@pytest.mark.parametrize("path", sorted(CONTAINERS.glob("*/package.json")), ids=lambda path: path.parent.name)
def test_node_packages_are_locked_with_hashes(path: Path) -> None:
    lock = json.loads(path.with_name("package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads(path.read_text(encoding="utf-8"))["dependencies"]
    assert lock["packages"][""]["dependencies"] == wanted
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "npm ci" in dockerfile(path.parent.name)


def test_what_is_downloaded_is_checked() -> None:
    for name in images.IMAGES:
        text = dockerfile(name)
        assert ("curl" in text) == ("sha512sum --check" in text), name
        assert "ADD " not in text


def test_an_image_is_built_again_when_what_it_is_made_from_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Recorded(images.Engine):
        calls: list[list[str]]

        def run(self, *words: str, quiet: bool = True) -> str:
            self.calls.append(list(words))
            return "5"

        def has(self, image: str) -> bool:
            return any(image in call for call in self.calls)

    for folder in ("base", "pytest"):
        (tmp_path / "containers" / folder).mkdir(parents=True)
        (tmp_path / "containers" / folder / "Dockerfile").write_text(folder)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    monkeypatch.setattr(images, "_BASE_INPUTS", ("containers/base",))
    monkeypatch.setattr(Recorded, "calls", [], raising=False)
    engine = Recorded("podman")

    def built() -> list[str]:
        before = len(engine.calls)
        images.build(["pytest"], engine=engine)
        return [call[-2].split("/")[1] for call in engine.calls[before:] if call[0] == "build"]

    assert built() == ["base", "pytest"]
    assert built() == []
    (tmp_path / "containers" / "pytest" / "Dockerfile").write_text("changed")
    assert built() == ["pytest"]
    (tmp_path / "containers" / "base" / "Dockerfile").write_text("changed")
    assert built() == ["base", "pytest"]


def test_the_workflow_builds_lists_scans_pushes_and_signs_every_image() -> None:
    (job,) = workflow()["jobs"].values()
    assert set(job["strategy"]["matrix"]["image"]) == set(images.IMAGES) - {"base"}
    said = json.dumps(job["steps"])
    in_order = [
        *("containers.build", "configure-aws-credentials", "ecr get-login-password"),
        *("podman push", "syft", "grype", "wait image-scan-complete", "describe-image-scan-findings"),
        *("cosign sign", "cosign attest"),
    ]
    places = [said.index(words) for words in in_order]
    assert places == sorted(places)


def test_the_workflow_has_few_rights_and_pinned_actions() -> None:
    document = workflow()
    assert document["permissions"] == {"contents": "read", "id-token": "write"}
    (job,) = document["jobs"].values()
    assert "permissions" not in job
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    assert all(_PINNED_ACTION.match(action) for action in actions), actions
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert not any("${{ github.event" in each for each in runs), "what others write is no part of a script"
    assert all(step.get("name") for step in job["steps"])
