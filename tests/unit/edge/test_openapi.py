"""The published documents follow the contracts."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from crosswind.chaos import templating
from crosswind.contracts.api import ROUTES
from crosswind.edge import openapi
from crosswind.edge.documents import FOLDER, OPENAPI

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("folder", [ROOT / "docs/api", FOLDER], ids=["docs", "served"])
@pytest.mark.parametrize("name", openapi.rendered())
def test_the_stored_document_is_current(folder: Path, name: str) -> None:
    stored = (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else ""
    assert stored == openapi.rendered()[name], f"{folder / name} is stale: run `make docs`"


def test_every_route_is_described_with_its_problems() -> None:
    document = openapi.openapi()
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert str(route.status) in operation["responses"]
        assert ("401" in operation["responses"]) is not route.public


def test_every_reference_leads_somewhere() -> None:
    text = openapi.rendered()[OPENAPI]
    document = openapi.openapi()
    names = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(document["components"]["schemas"])


@pytest.mark.parametrize("name", ["shop", "third-party"])
def test_the_suite_schema_accepts_the_examples_and_marks_what_is_not_built(name: str) -> None:
    schema = openapi.suite_schema()
    suite = yaml.safe_load((ROOT / "examples" / name / "suite.yaml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(suite)
    assert schema["$defs"]["SuiteSpec"]["properties"]["notify"]["x-crosswind-not-built"] is True


@pytest.mark.parametrize("chosen", templating.templates(), ids=lambda each: each.name)
def test_the_experiment_schema_accepts_the_templates_and_marks_providers_that_are_not_built(
    chosen: templating.Template,
) -> None:
    schema = openapi.experiment_schema()
    jsonschema.Draft202012Validator(schema).validate(templating.shown(chosen))
    assert set(schema["$defs"]["ProviderName"]["x-crosswind-not-built"]) == {"litmus", "gremlin", "istio"}


def test_experiments_are_sent_as_their_own_document() -> None:
    bodies = {
        route.function: openapi.openapi()["paths"][route.path][route.method.lower()]["requestBody"]["content"]
        for route in ROUTES
        if route.raw_request
    }
    for function, model in (("put_experiment", "ChaosExperiment"), ("put_suite", "TestSuite")):
        assert bodies[function]["application/yaml"]["schema"] == {"$ref": f"#/components/schemas/{model}"}
