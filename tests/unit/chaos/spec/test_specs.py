"""An experiment's text becomes a ChaosExperiment, or every fault of it at once."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.chaos.specs import (
    bind_parameters,
    parse_document,
    parse_experiment,
    put_in,
    spec_digest,
    to_document,
)
from crosswind.chaos.stepping import steps
from crosswind.contracts.chaos.probes import HttpProbe
from crosswind.contracts.chaos.spec import ChaosExperiment
from crosswind.kernel.errors import InvalidInputError, TooLargeError
from tests.unit.chaos.spec.samples import (
    OFFLINE,
    SERVER,
    any_experiment,
    any_fault,
    any_probe,
    faults_of,
)

PARAMETERS = {
    "latency": {"type": "integer", "default": 800, "enum": [200, 800]},
    "path": {"default": "products"},
}


def test_json_and_yaml_of_an_experiment_are_the_same() -> None:
    document = any_experiment()
    read = parse_document(document, rules=SERVER)
    assert parse_experiment(json.dumps(document), rules=SERVER) == read
    assert parse_experiment(yaml.safe_dump(document), rules=SERVER) == read
    assert parse_document(to_document(read), rules=SERVER) == read


def test_the_documents_example_is_valid() -> None:
    text = (Path(__file__).parents[4] / "docs/experiments.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    assert parse_experiment(example, rules=SERVER).metadata.name == "payment-slow"


def test_every_fault_is_told_at_once_with_its_path_line_and_what_was_expected() -> None:
    text = """apiVersion: crosswind.dev/v1
kind: ChaosExperiment
metadata: {name: Slow Payment, team: demo}
spec:
  enviroment: local
  environment: local
  hypothesis:
    title: orders go on
    probes:
      - {name: answers, type: http, url: "http://169.254.169.254/latest/meta-data"}
      - {name: answers, type: htttp}
  faults:
    - name: slow
      provider: toxiproxy
      action: latensy
      target: {}
      duration: 10d
      after: [fast]
    - name: pods
      provider: litmus
      action: pod-delete
      target: {labels: {app: checkout}}
      duration: 1m
  ladder: [{percent: 50}, {percent: 25}]
  blastRadius: {maxTargets: 0}
  schedule: {cron: "61 * * * *", timezone: Mars/Olympus}
  parameters: {latency: {type: integer, default: fast}}
"""
    found = faults_of(text)
    lines = {path: fault.line for path, fault in found.items()}
    assert lines == {
        "metadata.name": 3,
        "spec.enviroment": 5,
        "spec.hypothesis.probes[0].url": 10,
        "spec.hypothesis.probes[1]": 11,
        "spec.faults[0].action": 15,
        "spec.faults[0].target": 16,
        "spec.faults[0].duration": 17,
        "spec.faults[0].after[0]": 18,
        "spec.faults[1].provider": 20,
        "spec.ladder[1].percent": 24,
        "spec.blastRadius.maxTargets": 25,
        "spec.schedule.cron": 26,
        "spec.schedule.timezone": 26,
        "spec.parameters.latency.default": 27,
    }
    assert "did you mean `environment`" in found["spec.enviroment"].message
    assert "did you mean `latency`" in found["spec.faults[0].action"].message
    assert "not built yet" in found["spec.faults[1].provider"].message
    assert "`http`" in (found["spec.hypothesis.probes[1]"].expected or "")


def test_the_digest_is_of_the_content_and_not_of_how_it_is_written() -> None:
    plain = parse_document(any_experiment(), rules=OFFLINE).spec
    written_out = parse_document(any_experiment(recovery="2m", risk="medium", ladder=[]), rules=OFFLINE).spec
    other = parse_document(any_experiment(recovery="3m"), rules=OFFLINE).spec
    assert spec_digest(plain) == spec_digest(written_out)
    assert spec_digest(plain) != spec_digest(other)


def test_an_expression_alone_becomes_the_value_and_inside_a_text_a_part_of_it() -> None:
    spec = _parametrised().spec
    made = put_in(spec, bind_parameters(spec, {"latency": 200}), team="demo", rules=SERVER)
    assert made.faults[0].parameters == {"latency": 200}
    assert made.hypothesis.probes[0] == HttpProbe(
        name="answers", type="http", url="http://127.0.0.1:8001/products"
    )
    assert put_in(made, {}, team="demo", rules=SERVER) == made


def test_a_value_that_nobody_reviewed_is_refused() -> None:
    spec = _parametrised().spec
    with pytest.raises(InvalidInputError) as caught:
        bind_parameters(spec, {"latency": 80_000, "path": "admin", "most": 1})
    assert {fault.path for fault in caught.value.errors} == {
        "parameters.latency",
        "parameters.path",
        "parameters.most",
    }
    assert bind_parameters(spec, {"path": "products"}) == {"latency": 800, "path": "products"}


def test_a_parameter_without_a_default_is_refused() -> None:
    found = faults_of(any_experiment(parameters={"latency": {"type": "integer"}}))
    assert "is required" in found["spec.parameters.latency.default"].message


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (
            {"faults": [any_fault(parameters={"latency": "${{ parameters.late }}"})]},
            "spec.faults[0].parameters.latency",
        ),
        (
            {"faults": [any_fault(parameters={"latency": "${{ matrix.path }}"})]},
            "spec.faults[0].parameters.latency",
        ),
        (
            {"faults": [any_fault(parameters={"${{ parameters.path }}": 1})]},
            "spec.faults[0].parameters.${{ parameters.path }}",
        ),
        ({"faults": [any_fault(duration="${{ parameters.path }}")]}, "spec.faults[0].duration"),
        (
            {
                "hypothesis": {
                    "title": "x",
                    "probes": [
                        {
                            "name": "a",
                            "type": "command",
                            "command": ["sh", "-c", "echo ${{ parameters.path }}"],
                        }
                    ],
                }
            },
            "spec.hypothesis.probes[0].command[2]",
        ),
    ],
)
def test_an_expression_is_refused_where_it_means_nothing_or_would_become_code(
    change: dict[str, Any], path: str
) -> None:
    assert path in faults_of(any_experiment(parameters=PARAMETERS, **change))


def test_what_is_found_in_the_filled_spec_is_told_at_the_place_of_the_expression() -> None:
    document = any_experiment(
        parameters={"host": {"default": "169.254.169.254"}},
        hypothesis={"title": "x", "probes": [any_probe(url="http://${{ parameters.host }}/")]},
    )
    assert "link-local" in faults_of(document)["spec.hypothesis.probes[0].url"].message


def test_another_value_of_the_enum_is_asked_by_the_rules_again() -> None:
    document = any_experiment(
        parameters={"host": {"default": "127.0.0.1:8001", "enum": ["127.0.0.1:8001", "127.0.0.1:4566"]}},
        hypothesis={"title": "x", "probes": [any_probe(url="http://${{ parameters.host }}/")]},
    )
    spec = parse_document(document, rules=SERVER).spec
    with pytest.raises(InvalidInputError) as caught:
        put_in(spec, bind_parameters(spec, {"host": "127.0.0.1:4566"}), team="demo", rules=SERVER)
    assert "control plane" in caught.value.errors[0].message


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=60))
def test_a_value_is_put_in_once_and_stays_what_it_is(value: str) -> None:
    document = any_experiment(
        parameters={"text": {"default": value}},
        hypothesis={"title": "x", "probes": [any_probe(method="POST", body="<${{ parameters.text }}>")]},
    )
    if "${{" in value:
        assert "spec.parameters.text" in faults_of(document)
        return
    spec = parse_document(document, rules=SERVER).spec
    (probe,) = put_in(spec, bind_parameters(spec, {}), team="demo", rules=SERVER).hypothesis.probes
    assert isinstance(probe, HttpProbe)
    assert probe.body == f"<{value}>"


def test_a_text_of_more_than_a_mebibyte_is_refused() -> None:
    with pytest.raises(TooLargeError):
        parse_experiment("#" * (1024 * 1024 + 1), rules=OFFLINE)


def test_an_experiment_too_large_for_its_record_is_refused() -> None:
    probes = [any_probe(f"p{index}", method="POST", body="x" * 9000) for index in range(20)]
    assert "bytes" in faults_of(any_experiment(hypothesis={"title": "x", "probes": probes}))["spec"].message


def test_three_rungs_of_two_waves_are_six_steps() -> None:
    spec = parse_document(
        any_experiment(
            faults=[
                any_fault(),
                any_fault("down", action="down", parameters={}, after=["slow"], duration="10s"),
            ],
            ladder=[{"percent": 1}, {"percent": 5}, {"percent": 25}],
        ),
        rules=SERVER,
    ).spec
    made = [(step.number, step.rung, step.wave, step.percent, step.hold_seconds) for step in steps(spec)]
    assert made[:3] == [(1, 1, 1, 1.0, 30), (2, 1, 2, 1.0, 10), (3, 2, 1, 5.0, 30)]
    assert len(made) == 6


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 400)
    | st.floats(allow_nan=False)
    | st.sampled_from(
        ["", "1s", "90d", "*", "http://10.0.0.1/", "${{ parameters.x }}", "fis", "percent", "\x1b[2J", "é"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "percent", "names", "x", "${{"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*any_experiment()["spec"], "ladder", "abortOn", "schedule", "parameters", "timeout"]
)


@settings(max_examples=300)
@given(changes=st.dictionaries(FIELDS, VALUES, max_size=4), part=st.dictionaries(FIELDS, VALUES, max_size=3))
def test_whatever_stands_in_a_spec_it_is_read_or_refused_with_faults(
    changes: dict[str, Any], part: dict[str, Any]
) -> None:
    document = any_experiment(**changes)
    faults = document["spec"]["faults"]
    if isinstance(faults, list) and faults and isinstance(faults[0], dict):
        faults[0] |= part
    with suppress(InvalidInputError):
        assert steps(parse_document(document, rules=SERVER).spec)


@settings(max_examples=200)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_brings_the_parser_down(text: str | bytes) -> None:
    with suppress(InvalidInputError, TooLargeError):
        parse_experiment(text, rules=SERVER)


def _parametrised() -> ChaosExperiment:
    return parse_document(
        any_experiment(
            parameters=PARAMETERS,
            hypothesis={
                "title": "orders go on",
                "probes": [any_probe(url="http://127.0.0.1:8001/${{ parameters.path }}")],
            },
            faults=[any_fault(parameters={"latency": "${{ parameters.latency }}"})],
        ),
        rules=SERVER,
    )
