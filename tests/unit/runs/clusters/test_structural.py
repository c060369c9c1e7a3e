"""pydantic's JSON Schema becomes what Kubernetes takes."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints

from crosswind.runs.clusters.bundle.definitions import definitions
from crosswind.runs.clusters.bundle.structural import OPEN, UnstructuralError, structural


class _Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class _Leaf(BaseModel):
    """A leaf."""

    size: Annotated[float, Field(gt=0, le=100)] = 1.0


class _Http(BaseModel):
    type: Literal["http"] = "http"
    url: str
    limit: int = 3


class _Tcp(BaseModel):
    type: Literal["tcp"] = "tcp"
    port: int
    limit: Annotated[int, Field(ge=1)] = 3


class _Tree(BaseModel):
    name: Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=9)]
    count: int | Literal["auto"] = "auto"
    colour: _Colour | None = None
    leaf: Annotated[_Leaf, Field(description="Its own leaf.")] = _Leaf()
    probes: list[Annotated[_Http | _Tcp, Field(discriminator="type")]] = []
    labels: dict[Annotated[str, StringConstraints(pattern="^[a-z]+$")], str] = {}
    free: dict[str, Any] = {}
    value: str | int | float | bool | None = None
    span: tuple[float | None, float | None] | None = None


class _Knot(BaseModel):
    inner: "_Knot | None" = None


def _of(model: type[BaseModel]) -> dict[str, Any]:
    return structural(model.model_json_schema())


def test_shapes_are_written_out() -> None:
    properties = _of(_Tree)["properties"]
    assert properties["name"] == {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9}
    assert properties["count"] == {"x-kubernetes-int-or-string": True}
    assert properties["colour"] == {"type": "string", "enum": ["red", "blue"]}
    assert properties["leaf"] == {
        "type": "object",
        "description": "Its own leaf.",
        "properties": {"size": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 100}},
    }
    assert properties["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert properties["free"] == {"type": "object"} | OPEN
    assert properties["value"] == OPEN
    assert properties["span"]["items"] == {"type": "number", "nullable": True}
    assert "nullable" not in properties["colour"]  # to leave it out says the same


def test_alternatives_of_objects_become_one_object() -> None:
    probe = _of(_Tree)["properties"]["probes"]["items"]
    assert probe["properties"]["type"] == {"type": "string", "enum": ["http", "tcp"]}
    assert probe["properties"]["limit"] == {"type": "integer"}  # what they differ in is left to the API
    assert set(probe["properties"]) == {"type", "url", "limit", "port"}
    assert "required" not in probe  # neither needs all of them


def test_what_holds_itself_is_left_open() -> None:
    assert _of(_Knot)["properties"]["inner"] == OPEN


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/Nobody"}, {"type": "tuple"}])
def test_what_nobody_knows_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(UnstructuralError):
        structural(schema)


def test_definitions_have_only_words_that_kubernetes_knows() -> None:
    refused = {"$ref", "$defs", "anyOf", "oneOf", "const", "default", "title", "discriminator", "uniqueItems"}
    refused |= {"patternProperties", "propertyNames", "prefixItems", "examples"}

    def check(schema: dict[str, Any], path: str) -> None:
        assert not refused & set(schema), path
        assert not {"properties", "additionalProperties"} <= set(schema), path
        if "type" not in schema:
            assert {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"} & set(schema), path
        for name, each in schema.get("properties", {}).items():
            check(each, f"{path}.{name}")
        for part in ("items", "additionalProperties"):
            if part in schema:
                check(schema[part], f"{path}.{part}")

    made = definitions()
    assert [each["spec"]["names"]["kind"] for each in made] == [
        "TestSuite",
        "TestRun",
        "TestSchedule",
        "ChaosExperiment",
    ]
    for each in made:
        (version,) = each["spec"]["versions"]
        assert version["subresources"] == {"status": {}}
        check(version["schema"]["openAPIV3Schema"], each["metadata"]["name"])
