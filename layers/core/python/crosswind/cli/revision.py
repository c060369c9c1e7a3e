"""Which revision a suite file's folder is at: from Git where there is one, and from what build servers tell."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from crosswind.contracts.requests import Revision

SECONDS = 5
_BRANCH_CHARACTERS = 255
_BRANCH = ("CROSSWIND_BRANCH", "GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BUILDKITE_BRANCH")
_DEFAULT_BRANCH = ("CROSSWIND_DEFAULT_BRANCH", "CI_DEFAULT_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH")
_REMOTE_HEAD = "refs/remotes/origin/HEAD"


def revision_of(folder: Path, environ: Mapping[str, str]) -> Revision | None:
    """The folder's revision; None where there is no Git, and where files were changed since the commit.

    What is not committed is on no branch and at no commit: to call it so would make chance of a change.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit or _git(folder, "status", "--porcelain", "--", ".") != "":
        return None
    return Revision(
        commit=commit,
        branch=_fitting(
            _told(environ, _BRANCH) or _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
        ),
        default_branch=_fitting(_told(environ, _DEFAULT_BRANCH) or _default_branch(folder)),
    )


def _fitting(branch: str | None) -> str | None:
    """A branch whose name the API takes; one that is too long is not told: that must not keep a run from starting."""
    return branch if branch and len(branch) <= _BRANCH_CHARACTERS else None


def _default_branch(folder: Path) -> str | None:
    name = _git(folder, "symbolic-ref", "--short", "--quiet", _REMOTE_HEAD)
    return name.removeprefix("origin/") if name else None


def _told(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None when it is not there, fails or does not answer."""
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments, without a shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # the user's own git
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
