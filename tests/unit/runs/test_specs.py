"""A suite's text becomes a TestSuite, or every fault of it at once."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.contracts.suites import TestSuite
from crosswind.kernel.errors import FieldError, InvalidInputError, TooLargeError
from crosswind.runs.resolving import bind_parameters, expand, left_out, stand_ins
from crosswind.runs.spec_rules import Rules
from crosswind.runs.specs import parse_document, parse_suite, to_document
from tests.unit.runs.suites_samples import any_job, any_suite

EXAMPLES = Path(__file__).parents[3] / "examples"


def faults_of(document: Any) -> dict[str, FieldError]:
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    with pytest.raises(InvalidInputError) as caught:
        parse_suite(text)
    return {fault.path: fault for fault in caught.value.errors}


@pytest.mark.parametrize("name", ["shop", "third-party"])
def test_the_examples_are_valid(name: str) -> None:
    suite = parse_suite((EXAMPLES / name / "suite.yaml").read_bytes(), rules=Rules(directories=True))
    assert expand(suite, bind_parameters(suite, {}))


def test_json_and_yaml_of_a_suite_are_the_same() -> None:
    suite = any_suite(any_job(env={"A": "é \U0001f600"}))
    assert parse_suite(json.dumps(suite)) == parse_suite(yaml.safe_dump(suite)) == parse_document(suite)
    assert parse_document(to_document(parse_document(suite))) == parse_document(suite)


def test_faults_of_form_and_of_rules_are_told_together_with_their_lines() -> None:
    found = faults_of("""apiVersion: crosswind.dev/v1
kind: TestSuite
metadata: {name: Bad Name, team: demo}
spec:
  stages:
    - name: one
      tests:
        - name: job
          framework: cobol
          source: {directory: ., git: {uri: "https://example.com/x.git"}}
          services: [{name: db}]
          shrads: 3
          env: {A: 1, AWS_X: "${{ parameters.p }}"}
""")
    test = "spec.stages[0].tests[0]"
    assert {path: fault.line for path, fault in found.items()} == {
        "metadata.name": 3,
        f"{test}.framework": 9,
        f"{test}.source": 10,
        f"{test}.services[0].image": 11,
        f"{test}.shrads": 12,
        f"{test}.env.A": 13,
        f"{test}.env.AWS_X": 13,
    }
    assert "did you mean `shards`" in found[f"{test}.shrads"].message
    assert "pytest" in (found[f"{test}.framework"].expected or "")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"framework": "command", "reports": ["r"]}, "command"),
        ({"framework": "command", "command": "true"}, "reports"),
        (
            {"framework": "command", "command": "x", "reports": ["r"], "retries": {"tests": 1}},
            "retries.tests",
        ),
        ({"source": {}}, "source"),
        ({"source": {"directory": "."}}, "source.directory"),
        ({"source": {"git": {"uri": "file:///etc"}}}, "source.git.uri"),
        ({"source": {"git": {"uri": "ext::sh -c id"}}}, "source.git.uri"),
        ({"source": {"git": {"uri": "ssh://-oProxyCommand=x/y"}}}, "source.git.uri"),
        ({"source": {"git": {"uri": "https://me:secret@example.com/x"}}}, "source.git.uri"),
        ({"source": {"git": {"uri": "https://example.com/x", "ref": "--upload-pack=x"}}}, "source.git.ref"),
        ({"source": {"git": {"uri": "https://example.com/x", "paths": ["../y"]}}}, "source.git.paths[0]"),
        ({"reports": ["../../etc/*.xml"]}, "reports[0]"),
        ({"artifacts": ["/etc/passwd"]}, "artifacts[0]"),
        ({"env": {"CROSSWIND_X": "1"}}, "env.CROSSWIND_X"),
        ({"env": {"A": "1"}, "secretRefs": {"A": "b"}}, "secretRefs.A"),
        ({"args": ["${{ matrix.os }}"]}, "args[0]"),
        ({"args": ["${{ os.environ }}"]}, "args[0]"),
        ({"command": "pytest ${{"}, "command"),
        ({"shards": {"count": 1001}}, "shards.count"),
        ({"timeout": "13h"}, "timeout"),
        ({"timeout": "0s"}, "timeout"),
        ({"matrix": {"os": ["a", "a"]}}, "matrix.os[1]"),
        ({"matrix": {"os": "${{ split(parameters.systems) }}"}}, "matrix.os"),
        ({"matrix": {"os": "linux"}}, "matrix.os"),
        ({"shards": {"count": 4, "targetTime": "5m"}}, "shards.targetTime"),
        ({"shards": {"count": 4, "maxParallel": 5}}, "shards.maxParallel"),
        ({"shards": {"targetTime": "0s"}}, "shards.targetTime"),
        (
            {
                "framework": "command",
                "command": "x",
                "reports": ["r"],
                "shards": {"distribution": "pull"},
            },
            "shards.distribution",
        ),
    ],
)
def test_a_rule_that_is_broken_names_its_place(changes: dict[str, Any], path: str) -> None:
    assert set(faults_of(any_suite(any_job(**changes)))) == {f"spec.stages[0].tests[0].{path}"}


@pytest.mark.parametrize(
    ("stages", "path", "expected"),
    [
        ([{"name": {"a": "b"}, "tests": [any_job()]}], "spec.stages[0].name", "text"),
        ([{"name": "one", "tests": [any_job(name={"a": "b"})]}], "spec.stages[0].tests[0].name", "text"),
        (
            [{"name": "one", "tests": [any_job(env={"A": {"b": "c"}})]}],
            "spec.stages[0].tests[0].env.A",
            "text",
        ),
        ([{"name": "one", "tests": ["api"]}], "spec.stages[0].tests[0]", "a mapping"),
        (["one"], "spec.stages[0]", "a mapping"),
        ({"one": []}, "spec.stages", "a list"),
        ([], "spec.stages", "at least 1 items"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_at_its_own_place_only(
    stages: object, path: str, expected: str
) -> None:
    """A list is not called too short because an item of it is wrong, and no rule is tried on what is no job."""
    document = any_suite()
    document["spec"]["stages"] = stages
    found = faults_of(document)
    assert list(found) == [path]
    assert expected in (found[path].expected or "")


def test_rules_of_the_whole_suite_are_checked() -> None:
    assert set(faults_of(any_suite(any_job(), any_job()))) == {"spec.stages[0].tests[1].name"}
    assert set(faults_of(any_suite(timeout="25h", notify=[{"x": 1}]))) == {"spec.timeout", "spec.notify"}
    wide = any_job(matrix={"a": list(range(35)), "b": list(range(35))})
    assert set(faults_of(any_suite(wide))) == {"spec.stages"}
    wrong = {"n": {"type": "integer", "default": "1"}, "e": {"enum": ["a"], "default": "b"}}
    assert set(faults_of(any_suite(parameters=wrong))) == {
        "spec.parameters.n.default",
        "spec.parameters.e.default",
    }


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        "- " * 100_000,
        BOMB,
        "a: &a [*a]",
        "a: 1\na: 2",
        '{"a": 1, "a": 2}',
        "!!python/object/apply:os.system ['id']",
        "a: !!binary aGk=",
        "<<: {a: 1}",
        "--- {}\n--- {}",
        "a: \x00",
        '"\\ud800"',
        '{"a": "\\ud800"}',
        '{"a": 1e999}',
        '{"a": NaN}',
        b"\xff\xfe\x00",
        "? [a]\n: b",
    ],
)
def test_hostile_text_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidInputError):
        parse_suite(text)


def test_ten_megabytes_are_too_large() -> None:
    with pytest.raises(TooLargeError):
        parse_suite("x" * 10_000_000)


@given(st.text() | st.binary())
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_suite_or_a_stated_fault(text: str | bytes) -> None:
    with suppress(InvalidInputError, TooLargeError):
        assert isinstance(parse_suite(text), TestSuite)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
)
_PLACES = st.sampled_from(
    ["metadata", "spec", "spec.timeout", "spec.parameters", "spec.stages", "spec.gates", "spec.priority"]
)


@given(place=_PLACES, value=_TREES)
@settings(max_examples=200, deadline=None)
def test_any_value_at_any_place_gives_a_suite_or_stated_faults(place: str, value: Any) -> None:
    document: dict[str, Any] = any_suite()
    *parents, last = place.split(".")
    parent = document[parents[0]] if parents else document
    parent[last] = value
    with suppress(InvalidInputError):
        assert isinstance(parse_document(document), TestSuite)


@given(
    field=st.sampled_from(["source", "env", "matrix", "shards", "args", "timeout", "retries"]), value=_TREES
)
@settings(max_examples=200, deadline=None)
def test_any_value_in_a_job_gives_a_suite_or_stated_faults(field: str, value: Any) -> None:
    with suppress(InvalidInputError):
        assert isinstance(parse_document(any_suite(any_job(**{field: value}))), TestSuite)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (
            {"gates": {"budgets": [{"metric": "tests.duration.p95", "max": "2s", "test": "nope"}]}},
            "gates.budgets[0].test",
        ),
        (
            {"gates": {"budgets": [{"metric": "run.duration", "max": "2s", "test": "api"}]}},
            "gates.budgets[0].test",
        ),
        ({"gates": {"budgets": [{"metric": "run.duration", "max": "99h"}]}}, "gates.budgets[0].max"),
        ({"gates": {"budgets": [{"metric": "speed", "max": "1s"}]}}, "gates.budgets[0].metric"),
        ({"gates": {"maxFailurePercent": 101}}, "gates.maxFailurePercent"),
    ],
)
def test_gates_are_checked_against_the_suite(changes: dict[str, Any], path: str) -> None:
    assert set(faults_of(any_suite(any_job(name="api"), **changes))) == {f"spec.{path}"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"when": "failed"}, "when"),
        ({"when": "sometimes"}, "when"),
        ({"condition": "${{ parameters.full }}"}, "condition"),
        ({"condition": "full"}, "condition"),
    ],
)
def test_conditions_of_stages_are_checked(changes: dict[str, Any], path: str) -> None:
    suite = any_suite()
    suite["spec"]["stages"] = [{"name": "one", "tests": [any_job()], **changes}]
    assert set(faults_of(suite)) == {f"spec.stages[0].{path}"}


def test_a_formula_gives_a_matrix_its_values() -> None:
    suite = parse_document(
        any_suite(
            any_job(matrix={"browser": "${{ split(parameters.browsers) }}", "users": [1, 2]}),
            parameters={"browsers": {"default": "chrome,firefox"}},
        )
    )
    jobs = expand(suite, bind_parameters(suite, {}))
    assert [job.variant for job in jobs] == [
        "browser=chrome,users=1",
        "browser=chrome,users=2",
        "browser=firefox,users=1",
        "browser=firefox,users=2",
    ]
    assert [(job.matrix_index, job.matrix_count) for job in jobs] == [(0, 4), (1, 4), (2, 4), (3, 4)]


def test_a_formula_that_gives_no_matrix_names_its_place() -> None:
    suite = parse_document(
        any_suite(
            any_job(matrix={"n": "${{ json(parameters.list) }}"}), parameters={"list": {"type": "string"}}
        )
    )
    with pytest.raises(InvalidInputError) as caught:
        expand(suite, bind_parameters(suite, {"list": "{}"}))
    assert [fault.path for fault in caught.value.errors] == ["spec.stages[0].tests[0].matrix.n"]
    guessed = stand_ins(suite)
    assert len(expand(suite, bind_parameters(suite, guessed), guessed=guessed)) == 1


def test_too_many_jobs_from_a_formula_are_refused() -> None:
    suite = parse_document(any_suite(any_job(matrix={"a": "${{ range(100) }}", "b": "${{ range(11) }}"})))
    with pytest.raises(InvalidInputError) as caught:
        expand(suite, {})
    assert [fault.expected for fault in caught.value.errors] == ["at most 1000"]


def test_a_condition_over_parameters_leaves_a_stage_out() -> None:
    document = any_suite(any_job(), parameters={"full": {"type": "boolean", "default": False}})
    document["spec"]["stages"].append(
        {"name": "load", "condition": "${{ parameters.full == true }}", "tests": [any_job(name="load")]}
    )
    suite = parse_document(document)
    assert left_out(suite, {"full": True}) == (None, None)
    assert left_out(suite, {"full": False}) == (
        None,
        "its condition ${{ parameters.full == true }} does not hold",
    )
