"""Requests made of a command's options: what is wrong with them is told as the API would tell it, before it is asked."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from crosswind.contracts.base import WireModel
from crosswind.contracts.faults import field_errors
from crosswind.kernel.errors import InvalidInputError

Request = TypeVar("Request", bound=WireModel)


def request_of(model: type[Request], values: Mapping[str, object]) -> Request:
    """The request. What is not among `values` is not set. Raises InvalidInputError that names each wrong option's field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = tuple(field_errors(error, values).values())
        raise InvalidInputError("the options have faults", faults) from error
