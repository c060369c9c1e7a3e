"""Turn a suite's directory sources into uploaded archives, leaving every other byte and line of its text in place."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from crosswind.cli.client import ApiClient
from crosswind.cli.errors import CliError
from crosswind.cli.pack import packed
from crosswind.contracts.requests import CreateSourceRequest
from crosswind.contracts.suites import MAX_SPEC_BYTES

_TEAM = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """A `directory: …` in the text: the folder it names and the characters it takes up."""

    folder: str
    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class UploadedSource:
    """What became of one folder."""

    folder: Path
    digest: str
    size: int
    reused: bool


def read_suite(file: Path) -> str:
    """A suite's text. Raises CliError."""
    try:
        size = file.stat().st_size
        if size > MAX_SPEC_BYTES:
            raise CliError(f"{file} has {size} bytes; a suite may have {MAX_SPEC_BYTES}")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{file} cannot be read: {error}") from error


def compose(text: str) -> yaml.Node | None:
    """The text's node tree with positions; None for what is no YAML, whose faults the API names with lines."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None


def child(node: yaml.Node | None, *names: str) -> yaml.Node | None:
    """The node under these keys, if there is one."""
    for name in names:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value == name), None)
    return node


def directory_sources(text: str) -> tuple[DirectorySource, ...]:
    """Every directory source, in the order of the text. An anchored one is found once."""
    root = compose(text)
    found = {source.start: source for source in _find(root, set())} if root else {}
    return tuple(found[start] for start in sorted(found))


def upload_directories(
    text: str, *, base: Path, root: Path, client: ApiClient, tell: Callable[[UploadedSource], None]
) -> str:
    """The text with each directory source replaced by its archive, which the API then holds.

    A folder is resolved from `base` (where the suite file is) and has to lie inside `root`.
    """
    sources = directory_sources(text)
    team = child(compose(text), "metadata", "team")
    if not sources or not isinstance(team, yaml.ScalarNode) or not _TEAM.fullmatch(team.value):
        return text  # a missing or wrong team is told by the API, together with every other fault
    folders = {source: _inside(source, base=base, root=root) for source in sources}
    digests: dict[Path, str] = {}
    for folder in folders.values():
        if folder not in digests:
            uploaded = _upload(folder, team=team.value, client=client)
            digests[folder] = uploaded.digest
            tell(uploaded)
    return replace_sources(text, {source: digests[folder] for source, folder in folders.items()})


def check_directories(text: str, *, base: Path, root: Path) -> None:
    """Raise CliError for a directory source that is no folder or lies outside of `root`."""
    for source in directory_sources(text):
        _inside(source, base=base, root=root)


def replace_sources(text: str, digests: dict[DirectorySource, str]) -> str:
    """Write archives where the directories were; the number of lines stays."""
    for source in sorted(digests, key=lambda source: source.start, reverse=True):
        lines = text[source.start : source.end].count("\n")
        archive = f'"archive": {{"digest": "{digests[source]}"}}' + "\n" * lines
        text = text[: source.start] + archive + text[source.end :]
    return text


def _find(node: yaml.Node, seen: set[int]) -> Iterator[DirectorySource]:
    if id(node) in seen:  # an alias leads to the same node
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _find(item, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "source" and isinstance(value, yaml.MappingNode):
                yield from _directories(value)
            yield from _find(value, seen)


def _directories(source: yaml.MappingNode) -> Iterator[DirectorySource]:
    for key, value in source.value:
        if key.value == "directory" and isinstance(value, yaml.ScalarNode) and value.value:
            yield DirectorySource(
                folder=value.value,
                line=key.start_mark.line + 1,
                start=key.start_mark.index,
                end=value.end_mark.index,
            )


def _inside(source: DirectorySource, *, base: Path, root: Path) -> Path:
    folder = (base / source.folder).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise CliError(
            f"line {source.line}: directory {source.folder!r} is outside of {root.resolve()}",
            hint="Name the outermost folder that may be uploaded with --source-root.",
        )
    if not folder.is_dir():
        raise CliError(f"line {source.line}: directory {source.folder!r} is no folder: {folder}")
    return folder


def _upload(folder: Path, *, team: str, client: ApiClient) -> UploadedSource:
    with packed(folder) as archive:
        announced = CreateSourceRequest(team=team, digest=archive.digest, size=archive.size)
        answer = client.create_source(announced)
        if not answer.exists:
            if not answer.upload_url:
                raise CliError("the API neither has the source nor tells where to upload it")
            client.upload(archive.file, url=answer.upload_url, headers=answer.upload_headers)
        return UploadedSource(folder=folder, digest=archive.digest, size=archive.size, reused=answer.exists)
