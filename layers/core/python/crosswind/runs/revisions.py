"""Which revision of the code a run tests: commit, branch, and whether that is the default branch. Pure.

A caller that knows tells it with the run: the CLI reads it from the working copy. Where tests come from Git and nobody
tells, the refs of the suite say it.
"""

import re
from collections.abc import Iterable

from crosswind.contracts.requests import Revision
from crosswind.contracts.work import ArchiveSource, GitSource

REMOTE_HEAD = "HEAD"  # by definition of Git the default branch, whatever it is called
USUAL_DEFAULTS = frozenset({"main", "master"})
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def revision_of(told: Revision | None, sources: Iterable[GitSource | ArchiveSource]) -> Revision:
    """What the caller told; else what the suite's one Git ref says. Several refs say nothing of the whole run."""
    if told is not None:
        return told
    refs = {source.ref for source in sources if isinstance(source, GitSource)}
    if len(refs) != 1:
        return Revision()
    (ref,) = refs
    if ref == REMOTE_HEAD:
        return Revision(branch=REMOTE_HEAD, default_branch=REMOTE_HEAD)
    return Revision(commit=ref) if _COMMIT.fullmatch(ref) else Revision(branch=ref)


def is_default(branch: str | None, default_branch: str | None) -> bool:
    """Whether a branch is the default one. Where nobody says what that is called: `main` or `master`."""
    if branch is None:
        return False
    return branch == default_branch if default_branch else branch in USUAL_DEFAULTS
