"""Which test has made which file: by what its report says, and by names where no report says it. Pure.

Reports name files as their tools like it: relative to the working directory, to the report, or by the whole path.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import unquote

from crosswind.contracts.work import FileRef
from crosswind.runs.model import Case, CaseFile

FILES_OF_A_CASE = 50
CASES_OF_A_FILE = 20

_WORDS = re.compile(r"[^a-z0-9]+")
_PARTS_OF_NAME = re.compile(r"::| / ")
_FEWEST_WORDS = 2  # of a test's name that is looked for in a file's: one word is found anywhere
_MOST_WORDS = 60  # of a file's name that are looked at


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a report names, as it names it, and the report's own path."""

    report: str
    named: str


@dataclass(frozen=True, slots=True)
class Links:
    """The cases with their files, and the cases of each linked file by its path."""

    cases: list[Case]
    files: dict[str, tuple[Case, ...]]


def link(
    cases: Sequence[Case],
    attachments: Mapping[str, Iterable[Attachment]],
    artifacts: Sequence[FileRef],
    *,
    working_directory: str | None,
) -> Links:
    """Link a shard's cases and artifacts.

    Args:
        cases: Folded over the shard's attempts: no id comes twice.
        attachments: By case id.
        artifacts: The shard's uploaded files. Only these are linked, whatever else a report names.
        working_directory: As the tests saw it; None where the runner did not tell.
    """
    if not artifacts:
        return Links(list(cases), {})
    found = _Found({file.path: file for file in artifacts}, working_directory)
    for case in cases:
        for attachment in attachments.get(case.id, ()):
            found.add(case, found.paths(attachment))
    known = {path for path, owners in found.owners.items() if owners}
    unknown = [file.path for file in artifacts if file.path not in known]
    if unknown:
        names = _by_name(cases)
        for path in unknown:
            if (owner := _owner(path, names)) is not None:
                found.add(owner, (path,))
    linked = [
        replace(case, artifacts=tuple(found.of_case[case.id])) if case.id in found.of_case else case
        for case in cases
    ]
    owners = {path: tuple(cases.values()) for path, cases in found.owners.items() if cases}
    return Links(linked, owners)


class _Found:
    def __init__(self, files: Mapping[str, FileRef], working_directory: str | None) -> None:
        self._files = files
        self._root = working_directory
        self._folders: dict[str, list[str]] = defaultdict(list)
        for path in files:
            for folder in PurePosixPath(path).parents:
                self._folders[folder.as_posix()].append(path)
        self.of_case: dict[str, dict[CaseFile, None]] = defaultdict(dict)
        self.owners: dict[str, dict[str, Case]] = defaultdict(dict)

    def paths(self, attachment: Attachment) -> Sequence[str]:
        """The uploaded files that an attachment means; all of a folder's where it names one."""
        for candidate in _candidates(attachment, self._root):
            if candidate in self._files:
                return (candidate,)
            if candidate != "." and candidate in self._folders:
                return self._folders[candidate]
        return ()

    def add(self, case: Case, paths: Iterable[str]) -> None:
        for path in paths:
            files, owners = self.of_case[case.id], self.owners[path]
            if len(files) < FILES_OF_A_CASE:
                files[CaseFile(path, case.work_id, self._files[path].file_class)] = None
            if len(owners) < CASES_OF_A_FILE:
                owners[case.id] = case


def _candidates(attachment: Attachment, root: str | None) -> list[str]:
    named = attachment.named.strip()
    if named in {"", "."}:
        return []
    if named.startswith("file://"):
        named = unquote(named.removeprefix("file://"))
    named = named.replace("\\", "/")
    if named.startswith("/"):
        if root is None or not named.startswith(f"{root}/"):
            return []
        return [_inside(named.removeprefix(f"{root}/"))]
    beside = PurePosixPath(attachment.report).parent / named
    return [_inside(named), _inside(beside.as_posix())]


def _inside(path: str) -> str:
    """Without dots; "." for what leads out, or nowhere."""
    plain = normpath(path)
    return "." if plain.startswith("../") else plain


def _by_name(cases: Iterable[Case]) -> dict[str, Case | None]:
    """Cases by what may stand in a file's name; None where several share it."""
    named: dict[str, Case | None] = {}
    for case in cases:
        parts = [part for part in _PARTS_OF_NAME.split(case.name) if part]
        for words in {_slug(case.name), _slug(" ".join(parts[-2:])), _slug(parts[-1] if parts else "")}:
            if words.count("-") + 1 >= _FEWEST_WORDS:
                named[words] = None if words in named and named[words] != case else case
    return named


def _owner(path: str, names: Mapping[str, Case | None]) -> Case | None:
    """The case whose name makes up the longest part of the path; None where none or several do."""
    words = _slug(path.rpartition(".")[0] or path).split("-")[-_MOST_WORDS:]
    for length in range(len(words), _FEWEST_WORDS - 1, -1):
        found = [
            name
            for start in range(len(words) - length + 1)
            if (name := "-".join(words[start : start + length])) in names
        ]
        if found:
            return names[found[0]] if len(set(found)) == 1 else None
    return None


def _slug(text: str) -> str:
    return _WORDS.sub("-", text.lower()).strip("-")
