"""From pydantic's JSON Schema to the structural schemas that Kubernetes takes in CustomResourceDefinitions. Pure.

Kubernetes knows no references, no null, no alternatives of shapes, and nothing beside `properties` that adds further
ones. References are written out; alternatives of objects become one object with the properties of all; what cannot be
said is left open, for Crosswind's API checks every document whole. Defaults are left to the API as well: written into
stored objects they would stay when Crosswind changes them, and GitOps tools would see a difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Schema = Mapping[str, Any]

OPEN: Json = {"x-kubernetes-preserve-unknown-fields": True}
INT_OR_STRING: Json = {"x-kubernetes-int-or-string": True}
_KEPT = (
    "description",
    "enum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "type",
)
_OF_STRINGS = ("maxLength", "minLength", "pattern")
_SCALARS = frozenset({"string", "integer", "number", "boolean"})


class UnstructuralError(Exception):
    """A schema says something that no rule here turns into a structural one."""


def structural(schema: Schema) -> Json:
    """A whole schema with its `$defs`.

    Raises:
        UnstructuralError: It refers to what is not there, or has words that are not known here.
    """
    return _converted(schema, schema.get("$defs") or {}, ())


def _converted(schema: Schema, definitions: Schema, above: tuple[str, ...]) -> Json:
    reference = schema.get("$ref")
    if reference is not None:
        name = str(reference).removeprefix("#/$defs/")
        if name not in definitions:
            raise UnstructuralError(f"{reference} is not there")
        if name in above:  # it holds itself: Kubernetes has no words for that
            return dict(OPEN)
        said = {key: value for key, value in schema.items() if key == "description"}
        return _converted(definitions[name], definitions, (*above, name)) | said
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        return _alternatives(schema, variants, definitions, above)
    return _plain(schema, definitions, above)


def _alternatives(
    schema: Schema, variants: Sequence[Schema], definitions: Schema, above: tuple[str, ...]
) -> Json:
    said = {key: schema[key] for key in ("description",) if key in schema}
    made = [_converted(each, definitions, above) for each in variants if each.get("type") != "null"]
    if len(made) == 1:
        return made[0] | said
    types = {each.get("type") for each in made}
    if types == {"object"} and all("properties" in each for each in made):
        return _merged(made) | said
    if types == {"string"} and all("enum" in each for each in made):
        return {"type": "string", "enum": _unique(value for each in made for value in each["enum"])} | said
    if types == {"integer", "string"}:
        return dict(INT_OR_STRING) | said
    return dict(OPEN) | said


def _merged(objects: Sequence[Json]) -> Json:
    """One object for several: all their properties, and of those that are needed the ones that all need."""
    properties: Json = {}
    for name in _unique(name for each in objects for name in each["properties"]):
        shapes = [each["properties"][name] for each in objects if name in each["properties"]]
        properties[name] = _common(shapes)
    needed = set.intersection(*(set(each.get("required", ())) for each in objects))
    made: Json = {"type": "object", "properties": properties}
    if needed:
        made["required"] = [name for name in properties if name in needed]
    return made


def _common(shapes: Sequence[Json]) -> Json:
    """A property that several objects have."""
    bare = [{key: value for key, value in each.items() if key != "description"} for each in shapes]
    if all(each == bare[0] for each in bare):
        return shapes[0]
    if all(each.get("type") == "string" and "enum" in each for each in bare):
        return {"type": "string", "enum": _unique(value for each in bare for value in each["enum"])}
    types = {each.get("type") for each in bare}
    if len(types) == 1 and types <= _SCALARS:
        return {"type": next(iter(types))}
    return dict(OPEN)


def _plain(schema: Schema, definitions: Schema, above: tuple[str, ...]) -> Json:
    made: Json = {key: schema[key] for key in _KEPT if key in schema}
    if "const" in schema:
        made |= {"type": _type_of(schema["const"]), "enum": [schema["const"]]}
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if word in schema:  # JSON Schema has a number here, OpenAPI 3.0 a flag
            made |= {bound: schema[word], word: True}
    kind = made.get("type")
    if kind == "object":
        return made | _object(schema, definitions, above)
    if kind == "array":
        return made | {"items": _items(schema, definitions, above)}
    if kind in _SCALARS:
        return made if kind == "string" else {k: v for k, v in made.items() if k not in _OF_STRINGS}
    if kind is None:
        return {key: made[key] for key in ("description",) if key in made} | OPEN
    raise UnstructuralError(f"type {kind!r} is not known here")


def _object(schema: Schema, definitions: Schema, above: tuple[str, ...]) -> Json:
    if "properties" in schema:
        properties = {
            name: _converted(each, definitions, above) for name, each in schema["properties"].items()
        }
        return {"properties": properties} | ({"required": schema["required"]} if "required" in schema else {})
    named = schema.get("patternProperties")
    if named:  # what names must look like, Kubernetes cannot say
        return {
            "additionalProperties": _common([_value(each, definitions, above) for each in named.values()])
        }
    further = schema.get("additionalProperties")
    if isinstance(further, Mapping) and further:
        return {"additionalProperties": _value(further, definitions, above)}
    if further is False:  # an object without any property
        return {}
    return dict(OPEN)


def _items(schema: Schema, definitions: Schema, above: tuple[str, ...]) -> Json:
    if "items" in schema:
        return _value(schema["items"], definitions, above)
    shapes = [_value(each, definitions, above) for each in schema.get("prefixItems") or ()]
    return _common(shapes) if shapes else dict(OPEN)


def _value(schema: Schema, definitions: Schema, above: tuple[str, ...]) -> Json:
    """A value in a list or a map. Here null has a place of its own; a property that is null may as well be left out."""
    made = _converted(schema, definitions, above)
    null = any(each.get("type") == "null" for each in schema.get("anyOf") or ())
    return made | ({"nullable": True} if null and "type" in made else {})


def _type_of(value: object) -> str:
    return {str: "string", bool: "boolean", int: "integer", float: "number"}[type(value)]


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
