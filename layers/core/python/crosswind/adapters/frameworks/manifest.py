"""Runs any framework that its manifest describes (crosswind.contracts.frameworks): no line of Python for a further tool.

Tests are handed over as arguments of their own or as lines of a file, never as a part of a command line, so that a test's name
is never read by a shell.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

from crosswind.adapters.frameworks.base import (
    MAX_DISCOVERY_BYTES,
    MAX_ERROR_CHARACTERS,
    Collected,
    Invocation,
    Launch,
    read_left,
    shell,
)
from crosswind.adapters.frameworks.lines import LineProgress
from crosswind.adapters.reports.anyformat import AnyReportReader
from crosswind.contracts.frameworks import (
    PLACEHOLDER,
    DiscoverySpec,
    Escape,
    FrameworkSpec,
    Listing,
    SelectionSpec,
)
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.frameworks.catalogue import group_separator
from crosswind.runs.frameworks.groups import group_of
from crosswind.runs.identity import name_of
from crosswind.runs.reports import ReportedCase, ReportFault, ReportItem, cut

_LISTING = "listing.out"  # with an extension: some tools add theirs where there is none
_SELECTION = "selection"
_LISTING_VARIABLE = "CROSSWIND_LISTING"  # a name of its own, so that no shell reads the path
_MOST_FILES = 100_000
_MOST_ERRORS = 20
_MATCH_SECONDS = 10.0  # of one line
_PASSED_OVER = frozenset({"node_modules", "__pycache__"})  # beside folders whose names begin with a point
_FAILED = frozenset({CaseStatus.FAILED, CaseStatus.ERROR})


class ManifestAdapter:
    """FrameworkAdapter of one manifest."""

    def __init__(self, spec: FrameworkSpec, *, match_seconds: float = _MATCH_SECONDS) -> None:
        self._spec = spec
        self._match_seconds = match_seconds

    def discovery(self, invocation: Invocation, *, folder: Path) -> Launch | None:
        """The listing's command; None where there is none, or only files are looked for."""
        spec = self._spec.discovery
        if spec is None or spec.read is Listing.FILES:
            return None
        words = {"listing": str(folder / _LISTING), "folder": str(folder)}
        given = _filled(spec.args, words)
        args = given if spec.command else self._arguments(invocation, given)
        env = {name: _fill(value, words) for name, value in spec.env.items()}
        command = spec.command or self._command(invocation)
        if spec.stdout:
            env[_LISTING_VARIABLE] = words["listing"]
            return Launch(argv=("sh", "-c", f'{command} "$@" > "${_LISTING_VARIABLE}"', "sh", *args), env=env)
        return Launch(argv=shell(command, args), env=env)

    def collected(self, folder: Path, *, work: Path, end: int | None) -> Collected | None:
        """The tests that were listed, each once, in their order."""
        spec = self._spec.discovery
        if spec is None:
            return Collected(test_ids=None)
        if spec.read is Listing.FILES:
            return Collected(test_ids=_files(work, spec.files, strip=spec.strip))
        data = read_left(folder / _LISTING, limit=MAX_DISCOVERY_BYTES)
        if data is None or end not in spec.exits:
            return None
        try:
            tests, errors = self._read(spec, data, work=work)
        except (ValueError, RecursionError, TimeoutError) as error:
            return Collected(
                test_ids=None,
                errors=(f"The listing of the tests cannot be read: {error}"[:MAX_ERROR_CHARACTERS],),
            )
        stripped = (test.removeprefix(f"{work}/").removeprefix(spec.strip) for test in tests)
        return Collected(test_ids=tuple(dict.fromkeys(stripped)), errors=tuple(errors))

    def run(
        self,
        invocation: Invocation,
        *,
        folder: Path,
        selection: Sequence[str] | None,
        shard_index: int,
        shard_count: int,
    ) -> Launch:
        """The author's command with what the manifest adds, and the selection."""
        spec = self._spec.run
        words = {
            "folder": str(folder),
            "shard": str(shard_index + 1),
            "index": str(shard_index),
            "shards": str(shard_count),
        }
        env = {name: _fill(value, words) for name, value in spec.env.items()}
        env["CROSSWIND_SHARD_INDEX"] = str(shard_index)
        env["CROSSWIND_SHARD_COUNT"] = str(shard_count)
        chosen: tuple[str, ...] = ()
        if selection is not None and self._spec.selection is not None:
            chosen, selected = _selected(self._spec.selection, selection, folder=folder)
            env |= selected
        args = self._arguments(invocation, (*_filled(spec.args, words), *chosen))
        return Launch(
            argv=shell(self._command(invocation), args),
            env=env,
            reports=tuple(folder / name for name in spec.reports),
            progress=self._progress(selection),
        )

    def _progress(self, selection: Sequence[str] | None) -> LineProgress | None:
        spec = self._spec.progress
        if spec is None:
            return None
        return LineProgress(spec, planned=selection, separator=self._spec.identity.separator)

    def pull(
        self,
        invocation: Invocation,  # noqa: ARG002  # the port's words
        *,
        folder: Path,  # noqa: ARG002
        channel: Path,  # noqa: ARG002
        tests: Sequence[str],  # noqa: ARG002
        shard_index: int,  # noqa: ARG002
        shard_count: int,  # noqa: ARG002
    ) -> Launch | None:
        """It cannot: a process that takes further tests while it runs needs an adapter of its own."""
        return None

    def again(self, folder: Path, *, selection: Sequence[str] | None, work: Path) -> tuple[str, ...] | None:
        """Tests, or their groups, that the reports call failed; everything where no report can be read."""
        if selection is None or self._spec.selection is None:
            return None
        failed: dict[str, None] = {}
        read = 0
        for item in self._reported(folder, work):
            if isinstance(item, ReportFault):
                return None
            read += 1
            if isinstance(item, ReportedCase) and item.status in _FAILED:
                failed[name_of(item, self._spec.identity, folder=str(work))] = None
        wanted = self._planned(failed, selection)
        return wanted or None if read else None

    def remarks(self, folder: Path) -> tuple[str, ...]:  # noqa: ARG002  # the port's words
        """None: what was selected and left no record is told as missing."""
        return ()

    def _arguments(self, invocation: Invocation, added: tuple[str, ...]) -> tuple[str, ...]:
        return (*added, *invocation.args) if self._spec.options_first else (*invocation.args, *added)

    def _command(self, invocation: Invocation) -> str:
        command = invocation.command or self._spec.command
        if command is None:
            raise ValueError("the framework has no command of its own: the test job needs one")
        return command

    def _read(self, spec: DiscoverySpec, data: bytes, *, work: Path) -> tuple[Iterable[str], Iterable[str]]:
        """Tests, and errors of their collection. Raises ValueError, RecursionError, TimeoutError."""
        match spec.read:
            case Listing.JSON:
                return _json_texts(data, spec.path or ""), ()
            case Listing.REPORT:
                return self._read_report(data, work=work)
            case _:
                return _lines(data.decode(errors="replace"), spec.pattern, seconds=self._match_seconds), ()

    def _read_report(self, data: bytes, *, work: Path) -> tuple[list[str], list[str]]:
        tests: list[str] = []
        errors: list[str] = []
        for item in AnyReportReader().read(BytesIO(data), name=_LISTING):
            if isinstance(item, ReportedCase):
                tests.append(name_of(item, self._spec.identity, folder=str(work)))
            elif isinstance(item, ReportFault) and len(errors) < _MOST_ERRORS:
                errors.append(cut(str(item), limit=MAX_ERROR_CHARACTERS))
        return tests, errors

    def _reported(self, folder: Path, work: Path) -> Iterable[ReportItem]:
        for top, globs in ((folder, self._spec.run.reports), (work, self._spec.reports)):
            for pattern in globs:
                for path in sorted(top.glob(pattern)):
                    data = read_left(_inside(top, path), limit=MAX_DISCOVERY_BYTES)
                    if data is not None:
                        yield from AnyReportReader().read(BytesIO(data), name=path.name)

    def _planned(self, names: Iterable[str], selection: Sequence[str]) -> tuple[str, ...]:
        """Of the names, those that were selected, or their groups."""
        separator = group_separator(self._spec)
        chosen = frozenset(selection)
        if separator is None:
            return tuple(name for name in names if name in chosen)
        groups = (group_of(name, chosen, separator) for name in names)
        return tuple(dict.fromkeys(group for group in groups if group is not None))


def _inside(top: Path, path: Path) -> Path:
    """Where a link of the author's leads, if that is inside too; else the path itself, which is not read then."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):
        return path
    return resolved if resolved.is_relative_to(top) else path


def _fill(text: str, words: Mapping[str, str]) -> str:
    """The words that stand in braces, put in at once: what a value holds is not looked at again."""
    return PLACEHOLDER.sub(lambda found: words.get(found.group(1), found.group()), text)


def _filled(texts: Iterable[str], words: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_fill(text, words) for text in texts)


def _selected(
    spec: SelectionSpec, tests: Sequence[str], *, folder: Path
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Arguments and environment that select the tests."""
    escaped = [_escaped(test, spec.escape) for test in tests]
    path = folder / _SELECTION
    lines = (_fill(spec.line, {"test": test}) for test in tests if "\n" not in test)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    words = {"selection": str(path), "tests": spec.separator.join(escaped)}
    each = (_fill(text, {"test": test}) for test in escaped for text in spec.each)
    env = {name: _fill(value, words) for name, value in spec.env.items()}
    return (*_filled(spec.args, words), *each), env


def _escaped(test: str, escape: Escape) -> str:
    special = {Escape.NONE: "", Escape.REGEX: r"\^$.|?*+()[]{}", Escape.GLOB: "\\*?[]{}!"}[escape]
    return "".join(f"\\{character}" if character in special else character for character in test)


def _files(work: Path, globs: Sequence[str], *, strip: str) -> tuple[str, ...]:
    found: set[str] = set()
    for pattern in globs:
        for path in work.glob(pattern):
            name = path.relative_to(work).as_posix()
            hidden = any(
                part in _PASSED_OVER or part.startswith(".") for part in PurePosixPath(name).parts[:-1]
            )
            if not hidden and path.is_file() and len(found) < _MOST_FILES:
                found.add(name.removeprefix(strip))
    return tuple(sorted(found))


def _lines(text: str, pattern: str | None, *, seconds: float) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if pattern is None:
        return lines
    import regex  # noqa: PLC0415  # it has a time limit; only listings with a pattern need it

    expression = regex.compile(pattern)
    found = (expression.search(line, timeout=seconds) for line in lines)
    return [
        str(match.group("test") if "test" in expression.groupindex else match.group())
        for match in found
        if match
    ]


def _json_texts(data: bytes, path: str) -> list[str]:
    import jsonpath  # noqa: PLC0415  # only listings in JSON need it

    return [text for text in jsonpath.findall(path, json.loads(data)) if isinstance(text, str)]
