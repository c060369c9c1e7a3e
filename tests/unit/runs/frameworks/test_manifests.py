"""Manifests and their rules. Input: YAML. Output: a manifest, or every fault with its line."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.frameworks import FrameworkManifest
from crosswind.kernel.errors import InvalidInputError, TooLargeError
from crosswind.runs.frameworks.catalogue import builtin, builtin_manifest, builtin_names, spec_of
from crosswind.runs.frameworks.manifests import parse_manifest, parse_manifest_document, to_document

GOOD: dict[str, Any] = {
    "apiVersion": "crosswind.dev/v1",
    "kind": "Framework",
    "metadata": {"name": "ava", "team": "web"},
    "spec": {
        "command": "npx ava",
        "discovery": {"read": "lines", "args": ["--list"], "stdout": True},
        "selection": {"args": ["--match={tests}"]},
        "run": {"args": ["--tap={folder}/ava.tap"], "reports": ["ava.tap"]},
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good manifest with another value, or none, at a place of its spec."""
    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(GOOD))
    *outer, last = path.split(".")
    here = document["spec"]
    for part in outer:
        here = here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return document


def faults(document: dict[str, Any]) -> dict[str, str]:
    """Faults by their place."""
    with pytest.raises(InvalidInputError) as refused:
        parse_manifest(yaml.safe_dump(document))
    return {fault.path: fault.message for fault in refused.value.errors}


@pytest.mark.parametrize("name", builtin_names())
def test_every_built_in_manifest_keeps_the_rules_of_a_teams_own(name: str) -> None:
    manifest = builtin_manifest(name)
    assert manifest is not None
    document = to_document(manifest)

    own = parse_manifest_document({**document, "metadata": {"name": f"my-{name}", "team": "web"}})

    assert own.spec == manifest.spec
    assert manifest.metadata.name == name
    assert manifest.spec.description


def test_a_manifest_comes_back_as_it_was_written() -> None:
    manifest = parse_manifest(yaml.safe_dump(GOOD))

    assert to_document(manifest) == GOOD
    assert parse_manifest_document(to_document(manifest)) == manifest


@pytest.mark.parametrize(
    ("path", "value", "place", "words"),
    [
        ("run.args", ["{floder}/x"], "spec.run.args[0]", "{floder} stands for nothing"),
        ("selection.args", ["{test}"], "spec.selection.args[0]", "{test} stands for nothing"),
        ("selection.each", ["{tests}"], "spec.selection.each[0]", "{tests} stands for nothing"),
        ("run.reports", None, "spec.run.reports", "no report cannot pass"),
        ("run.reports", ["/etc/passwd"], "spec.run.reports[0]", "out of the working directory"),
        ("artifacts", ["../x"], "spec.artifacts[0]", "out of the working directory"),
        ("selection", None, "spec.selection", "so that some of them can be selected"),
        ("discovery", None, "spec.discovery", "so that some of them can be selected"),
        ("discovery.stdout", None, "spec.discovery", "nothing tells the command where to list"),
        ("discovery.args", ["{listing}"], "spec.discovery", "told twice"),
        ("discovery.read", "json", "spec.discovery.path", "is required"),
        ("discovery.read", "files", "spec.discovery.files", "is required"),
        ("discovery.pattern", "(", "spec.discovery.pattern", "no regular expression"),
        ("command", None, "spec.command", "is required to list tests"),
        ("comand", "x", "spec.comand", "did you mean `command`"),
    ],
)
def test_a_fault_names_its_place(path: str, value: Any, place: str, words: str) -> None:
    found = faults(changed(path, value))

    assert words in found[place]


def test_the_names_of_built_in_frameworks_are_taken_and_a_team_is_needed() -> None:
    found = faults({**GOOD, "metadata": {"name": "pytest"}})

    assert set(found) == {"metadata.name", "metadata.team"}


def test_a_fault_has_its_line() -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_manifest(
            "apiVersion: crosswind.dev/v1\nkind: Framework\nmetadata: {name: a, team: b}\nspec:\n  rum: {}\n"
        )

    assert {fault.line for fault in refused.value.errors} == {4, 5}


def test_a_manifest_has_a_size() -> None:
    with pytest.raises(TooLargeError):
        parse_manifest("# " + "x" * 70_000)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_whatever_a_document_holds_it_is_a_manifest_or_refused(value: Any) -> None:
    for document in (
        {"spec": value},
        {**GOOD, "spec": {"discovery": value, "run": value, "selection": value}},
    ):
        with pytest.raises(InvalidInputError):
            parse_manifest_document(document)


def test_a_jobs_own_manifest_comes_before_a_built_in_one() -> None:
    own = FrameworkManifest.model_validate(GOOD).spec

    assert spec_of("pytest", own) is own
    assert spec_of("pytest", None) == builtin("pytest")
    with pytest.raises(LookupError):
        spec_of("cobol", None)
