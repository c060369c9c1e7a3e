"""Writes the API's description (OpenAPI 3.1) and the JSON Schemas of suites and experiments, from the contracts.

`python -m crosswind.edge.openapi docs/api` writes them there, and into `edge/documents`, from where the API serves them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

import crosswind
from crosswind.chaos.spec_rules_faults import NOT_BUILT as PROVIDERS_NOT_BUILT
from crosswind.contracts.api import ROUTES, Query, Route
from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.spec import ChaosExperiment
from crosswind.contracts.frameworks import FrameworkManifest
from crosswind.contracts.problems import PROBLEM_MEDIA_TYPE, Problem
from crosswind.contracts.suites import NOT_BUILT, TestSuite
from crosswind.edge.documents import EXPERIMENT_SCHEMA, FOLDER, FRAMEWORK_SCHEMA, OPENAPI, SUITE_SCHEMA

_REFERENCES = "#/components/schemas/{model}"
_PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "There is no valid token.",
    "403": "Your roles do not allow it, or you are not in the team.",
    "404": "There is no such thing, or none that you may know of.",
    "409": "The present state does not allow it.",
    "413": "Too large.",
    "422": "The input has faults; `errors` lists all of them.",
    "429": "Too many requests, or the queue is full; see Retry-After.",
    "500": "Something went wrong on our side.",
    "503": "A part behind the API did not answer; try again.",
    "504": "It took longer than 29 seconds.",
}
_PUBLIC_PROBLEMS = ("429", "500", "504")


def openapi() -> dict[str, Any]:
    """The whole API."""
    models: list[type[WireModel]] = [Problem, TestSuite, ChaosExperiment]
    for route in ROUTES:
        models += [model for model in (route.request, route.answer) if model is not None]
    _, schemas = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], by_alias=True, ref_template=_REFERENCES
    )
    definitions: dict[str, Any] = schemas["$defs"]
    _mark_not_built(definitions)
    _mark_providers_not_built(definitions)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crosswind",
            "version": crosswind.__version__,
            "description": "Submit test suites, follow their runs, read verdicts, results, artifacts and logs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of a configured OIDC issuer.",
                }
            },
            "responses": {f"Problem{status}": _problem(text) for status, text in _PROBLEMS.items()},
        },
    }


def suite_schema() -> dict[str, Any]:
    """The suite, for editors."""
    schema = TestSuite.model_json_schema(by_alias=True)
    _mark_not_built(schema["$defs"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://crosswind.dev/schemas/test-suite.json",
        **schema,
    }


def experiment_schema() -> dict[str, Any]:
    """The experiment, for editors."""
    schema = ChaosExperiment.model_json_schema(by_alias=True)
    _mark_providers_not_built(schema["$defs"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://crosswind.dev/schemas/chaos-experiment.json",
        **schema,
    }


def framework_schema() -> dict[str, Any]:
    """The manifest of a framework, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://crosswind.dev/schemas/framework.json",
        **FrameworkManifest.model_json_schema(by_alias=True),
    }


def render(document: dict[str, Any]) -> str:
    """The text of a document: the same for the same contracts."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rendered() -> dict[str, str]:
    """Every document by its file name."""
    return {
        OPENAPI: render(openapi()),
        SUITE_SCHEMA: render(suite_schema()),
        EXPERIMENT_SCHEMA: render(experiment_schema()),
        FRAMEWORK_SCHEMA: render(framework_schema()),
    }


def _operation(route: Route) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    parameters += [_parameter(query, "query") for query in route.query]
    parameters += [_parameter(header, "header") for header in route.headers]
    operation: dict[str, Any] = {
        "operationId": route.function,
        "summary": route.summary,
        "tags": [route.area],
        "responses": {str(route.status): _success(route), **_problem_references(route)},
    }
    if parameters:
        operation["parameters"] = parameters
    body = _body(route)
    if body:
        operation["requestBody"] = body
    if route.public:
        operation["security"] = []
    return operation


def _parameter(query: Query, place: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": query.type}
    if query.enum:
        schema["enum"] = list(query.enum)
    return {"name": query.name, "in": place, "description": query.description, "schema": schema}


def _body(route: Route) -> dict[str, Any] | None:
    if route.request is not None:
        return {"required": True, "content": {"application/json": {"schema": _reference(route.request)}}}
    if route.raw_request:
        document = {"schema": _reference(_document(route))}
        return {"required": True, "content": {"application/yaml": document, "application/json": document}}
    return None


def _document(route: Route) -> type[WireModel]:
    """What a raw body holds."""
    if route.area == "chaos":
        return ChaosExperiment
    return FrameworkManifest if route.function == "put_framework" else TestSuite


def _success(route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": _reference(route.answer)}}
    elif route.public:
        answer["content"] = {"application/json": {"schema": {"type": "object"}}}
    return answer


def _problem_references(route: Route) -> dict[str, Any]:
    statuses = _PUBLIC_PROBLEMS if route.public else tuple(_PROBLEMS)
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": _reference(Problem)}}}


def _reference(model: type[WireModel]) -> dict[str, str]:
    return {"$ref": _REFERENCES.format(model=model.__name__)}


def _mark_not_built(definitions: dict[str, Any]) -> None:
    for model, field in (("SuiteSpec", "notify"),):
        definitions[model]["properties"][field] |= {
            "description": f"Refused for now: {NOT_BUILT[field]}.",
            "deprecated": True,
            "x-crosswind-not-built": True,
        }


def _mark_providers_not_built(definitions: dict[str, Any]) -> None:
    reasons = {provider.value: reason for provider, reason in PROVIDERS_NOT_BUILT.items()}
    definitions["ProviderName"] |= {"x-crosswind-not-built": reasons}


def main(folders: list[str]) -> None:
    """Write the documents."""
    for folder in (FOLDER, *(Path(each) for each in folders)):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in rendered().items():
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
