"""Which revision a run tests."""

import pytest

from crosswind.contracts.requests import Revision
from crosswind.contracts.work import ArchiveRef, ArchiveSource, GitSource
from crosswind.runs.revisions import is_default, revision_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ARCHIVE = ArchiveSource(archive=ArchiveRef(key="sources/demo/x.tar.gz", digest="sha256:" + "a" * 64, size=1))


def git(ref: str) -> GitSource:
    return GitSource(uri="https://git.example/shop.git", ref=ref)


def test_what_the_caller_tells_stands() -> None:
    told = Revision(commit=COMMIT, branch="fix")
    assert revision_of(told, [git("HEAD")]) == told


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("HEAD", Revision(branch="HEAD", default_branch="HEAD")),
        ("release", Revision(branch="release")),
        (COMMIT, Revision(commit=COMMIT)),
        ("0123456", Revision(branch="0123456")),
    ],
)
def test_the_ref_of_a_git_source_says_it(ref: str, expected: Revision) -> None:
    assert revision_of(None, [git(ref), ARCHIVE, git(ref)]) == expected


def test_archives_and_several_refs_say_nothing() -> None:
    assert revision_of(None, [ARCHIVE]) == Revision()
    assert revision_of(None, [git("main"), git("fix")]) == Revision()


def test_the_head_of_a_remote_is_its_default_branch() -> None:
    found = revision_of(None, [git("HEAD")])
    assert is_default(found.branch, found.default_branch)
