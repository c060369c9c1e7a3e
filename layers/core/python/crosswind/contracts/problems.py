"""RFC 9457 problem details: the one shape of every error that the API answers."""

from pydantic import Field

from crosswind.contracts.base import WireModel

PROBLEM_TYPE_BASE = "https://crosswind.dev/problems/"
PROBLEM_MEDIA_TYPE = "application/problem+json"


class FieldProblem(WireModel):
    """One fault of the input."""

    path: str = Field(description="Dotted path with indexes, such as spec.stages[0].name.")
    message: str
    expected: str | None = None
    line: int | None = Field(default=None, description="1-based line in the submitted text, where known.")


class Problem(WireModel):
    """What went wrong, for people and programs."""

    type: str = Field(description="A URI that names the kind of problem.")
    title: str
    status: int
    detail: str
    instance: str | None = Field(default=None, description="The request's path.")
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] | None = None
