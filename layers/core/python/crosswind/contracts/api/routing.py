"""What a route of the HTTP API is, and the query parameters that many of them share."""

from dataclasses import dataclass
from enum import StrEnum

from crosswind.contracts.base import WireModel


class Method(StrEnum):
    """HTTP methods in use."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter."""

    name: str
    description: str
    type: str = "string"
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `function` is the module `functions/<area>/<function>.py` that answers it."""

    method: Method
    path: str
    area: str
    function: str
    summary: str
    answer: type[WireModel] | None
    status: int = 200
    request: type[WireModel] | None = None
    raw_request: bool = False  # the body is a suite as YAML or JSON text
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    public: bool = False


CURSOR = (
    Query("limit", "Items per page, 1 to 200; 50 unless told.", "integer"),
    Query("cursor", "`nextCursor` of the page before."),
)
TEAM = Query("team", "The team; needed when you are in more than one.")
