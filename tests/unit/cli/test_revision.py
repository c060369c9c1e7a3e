"""The revision that a submission tells: read from a real working copy."""

import subprocess
from pathlib import Path

import pytest

from crosswind.cli.revision import revision_of


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A clone, on the default branch `trunk`."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch", "trunk")
    (origin / "suite.yaml").write_text("kind: TestSuite\n")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", str(origin), "copy")
    return tmp_path / "copy"


def test_a_clean_copy_tells_commit_branch_and_default_branch(copy: Path) -> None:
    found = revision_of(copy, {})
    assert found is not None
    assert (found.commit, found.branch, found.default_branch) == (
        git(copy, "rev-parse", "HEAD"),
        "trunk",
        "trunk",
    )


def test_a_branch_is_told_by_its_name(copy: Path) -> None:
    git(copy, "switch", "--quiet", "-c", "fix/login")
    found = revision_of(copy, {})
    assert found is not None
    assert (found.branch, found.default_branch) == ("fix/login", "trunk")


@pytest.mark.parametrize("name", ["suite.yaml", "new.py"])
def test_a_copy_with_changes_tells_nothing(copy: Path, name: str) -> None:
    (copy / name).write_text("changed\n")
    assert revision_of(copy, {}) is None


def test_changes_beside_the_folder_do_not_matter(copy: Path) -> None:
    folder = copy / "suites"
    folder.mkdir()
    (copy / "README.md").write_text("changed\n")
    assert revision_of(folder, {}) is not None


def test_a_detached_head_has_the_branch_that_the_build_server_tells(copy: Path) -> None:
    git(copy, "switch", "--quiet", "--detach")
    alone = revision_of(copy, {})
    assert alone is not None
    assert alone.branch is None
    told = revision_of(copy, {"GITHUB_REF_NAME": "main", "GITHUB_HEAD_REF": "", "CI_DEFAULT_BRANCH": "main"})
    assert told is not None
    assert (told.branch, told.default_branch) == ("main", "main")


def test_a_folder_without_git_tells_nothing(tmp_path: Path) -> None:
    assert revision_of(tmp_path, {}) is None
    assert revision_of(tmp_path / "nowhere", {}) is None


def test_a_branch_whose_name_is_too_long_for_the_api_is_not_told(copy: Path) -> None:
    found = revision_of(copy, {"GITHUB_REF_NAME": "x" * 256})
    assert found is not None
    assert (found.branch, found.default_branch) == (None, "trunk")
