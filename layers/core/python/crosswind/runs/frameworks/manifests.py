"""From a manifest's text to a Framework, or to every fault at once."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from crosswind.contracts import spec_text
from crosswind.contracts.documents import Fault, document_of, model_of, read_bounded
from crosswind.contracts.faults import Path
from crosswind.contracts.frameworks import (
    MANIFEST_ADAPTER,
    MAX_MANIFEST_BYTES,
    PLACEHOLDER,
    FrameworkManifest,
    Listing,
)
from crosswind.contracts.spec_text import Document
from crosswind.runs.frameworks.catalogue import builtin_names

_RUN_WORDS = frozenset({"folder", "shard", "shards", "index"})
_WORDS: Mapping[tuple[str, ...], frozenset[str]] = {
    ("discovery", "args"): frozenset({"listing", "folder"}),
    ("discovery", "env"): frozenset({"listing", "folder"}),
    ("run", "args"): _RUN_WORDS,
    ("run", "env"): _RUN_WORDS,
    ("selection", "args"): frozenset({"selection", "tests"}),
    ("selection", "each"): frozenset({"test"}),
    ("selection", "env"): frozenset({"selection", "tests"}),
    ("selection", "line"): frozenset({"test"}),
}
_NEEDED = {Listing.LINES: None, Listing.REPORT: None, Listing.JSON: "path", Listing.FILES: "files"}


def parse_manifest(text: str | bytes) -> FrameworkManifest:
    """Parse YAML or JSON.

    Raises:
        InvalidInputError: With every fault.
        TooLargeError: The text is over 64 KiB.
    """
    return _parse(read_bounded(text, noun="manifest", most_bytes=MAX_MANIFEST_BYTES))


def parse_manifest_document(document: Mapping[str, Any]) -> FrameworkManifest:
    """The same for a document that was parsed already; faults then have no lines."""
    value = dict(document)
    spec_text.check_value(value)
    return _parse(Document(value))


def to_document(manifest: FrameworkManifest) -> dict[str, Any]:
    """The manifest as the document that `parse_manifest_document` reads."""
    return document_of(manifest)


def _parse(document: Document) -> FrameworkManifest:
    return model_of(document, FrameworkManifest, noun="manifest", ruled=_faults(document.value))


def _faults(document: object) -> Iterator[Fault]:
    metadata, spec = (_mapping(_mapping(document).get(name)) for name in ("metadata", "spec"))
    if metadata.get("name") in builtin_names():
        yield ("metadata", "name"), "a built-in framework has this name", "another name"
    if not metadata.get("team"):
        yield ("metadata", "team"), "is required", "the team whose suites may use it"
    yield from _words(spec)
    yield from _patterns(spec)
    yield from _progress(spec)
    for path in (("run", "reports"), ("reports",), ("artifacts",), ("discovery", "files")):
        yield from _globs(spec, path)
    if spec.get("adapter", MANIFEST_ADAPTER) == MANIFEST_ADAPTER:
        yield from _manifest_rules(spec)


def _manifest_rules(spec: Mapping[str, Any]) -> Iterator[Fault]:
    """What a framework needs that no Python adapter looks after."""
    discovery, run = _mapping(spec.get("discovery")), _mapping(spec.get("run"))
    if not run.get("reports") and not spec.get("reports"):
        yield (
            ("spec", "run", "reports"),
            "what leaves no report cannot pass",
            "report files in {folder}, or `spec.reports` in the working directory",
        )
    if bool(discovery) != bool(_mapping(spec.get("selection"))):
        missing = "selection" if discovery else "discovery"
        yield ("spec", missing), "tests are listed so that some of them can be selected", "both, or neither"
    needed = _NEEDED.get(discovery.get("read", ""))
    if needed is not None and not discovery.get(needed):
        yield ("spec", "discovery", needed), f"is required by `read: {discovery['read']}`", None
    given = (discovery.get("args"), discovery.get("env"))
    listing = any("{listing}" in str(value) for value in given)
    if discovery and discovery.get("read") != Listing.FILES and listing == bool(discovery.get("stdout")):
        yield (
            ("spec", "discovery"),
            "the command is told twice where to list"
            if listing
            else "nothing tells the command where to list",
            "{listing} in an argument or variable, or `stdout: true`",
        )
    if (
        discovery.get("read") != Listing.FILES
        and discovery
        and not (spec.get("command") or discovery.get("command"))
    ):
        yield ("spec", "command"), "is required to list tests", "the shell line that runs the tests"


def _words(spec: Mapping[str, Any]) -> Iterator[Fault]:
    for path, known in _WORDS.items():
        for place, text in _texts(_at(spec, path), ("spec", *path)):
            for word in PLACEHOLDER.findall(text):
                if word not in known:
                    listed = ", ".join(f"{{{each}}}" for each in sorted(known))
                    yield place, f"{{{word}}} stands for nothing here", listed


def _patterns(spec: Mapping[str, Any]) -> Iterator[Fault]:
    pattern = _at(spec, ("discovery", "pattern"))
    if isinstance(pattern, str):
        try:
            re.compile(pattern)
        except (re.error, OverflowError) as error:
            yield ("spec", "discovery", "pattern"), f"is no regular expression: {error}", None


def _progress(spec: Mapping[str, Any]) -> Iterator[Fault]:
    for kind in ("started", "passed", "failed", "skipped"):
        for place, text in _texts(_at(spec, ("progress", kind)), ("spec", "progress", kind)):
            if text.count("{name}") != 1:
                yield (
                    place,
                    "does not say where the test's name stands",
                    "{name} once, such as `✓ {name} ({})`",
                )
            if "}{" in text:
                yield place, "has two fields beside each other", "text between them"


def _globs(spec: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Fault]:
    for place, text in _texts(_at(spec, path), ("spec", *path)):
        if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
            yield place, "leads out of the working directory", "a relative glob without `..`"


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        yield from (((*path, name), text) for name, text in value.items() if isinstance(text, str))
    elif isinstance(value, list):
        yield from (((*path, index), text) for index, text in enumerate(value) if isinstance(text, str))


def _at(spec: Mapping[str, Any], path: tuple[str, ...]) -> object:
    here: object = spec
    for part in path:
        here = _mapping(here).get(part)
    return here


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
