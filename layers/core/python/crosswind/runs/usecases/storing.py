"""What putting a document under its name has in common, whatever its kind."""

from crosswind.contracts.actors import Actor
from crosswind.kernel import json
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.runs.ports import DocumentRecord


def name_differs(kind: str, given: str, address: str) -> InvalidInputError:
    """The fault of a document that was put under another name than its own."""
    fault = FieldError("metadata.name", f"is `{given}`", expected=f"`{address}`, as in the address")
    return InvalidInputError(f"the {kind} has another name than its address", [fault])


def record_of(
    document: dict[str, object], *, team: str, name: str, actor: Actor, clock: Clock
) -> DocumentRecord:
    """The document as it is stored now, by this actor."""
    return DocumentRecord(
        team=team,
        name=name,
        digest=json.digest(document),
        updated_at=clock.now(),
        updated_by=actor.subject,
        spec=document,
    )
