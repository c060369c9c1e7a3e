"""The base of every wire model: frozen, camelCase outside, snake_case inside, unknown fields refused."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """A value that crosses a process boundary. Dump it with `to_wire`."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        serialize_by_alias=True,
        validate_default=True,
    )

    def to_wire(self) -> str:
        """Compact JSON with camelCase names, without fields that are None."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
