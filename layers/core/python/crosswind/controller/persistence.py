"""What kopf remembers of an object: the generation that was handled, and where a handler that failed stands."""

from collections.abc import Iterable
from typing import Any

import kopf

from crosswind.contracts.custom_resources import GROUP

FINALIZER = f"{GROUP}/controller"
_PREFIX = f"controller.{GROUP}"


class HandledGeneration(kopf.AnnotationsDiffBaseStorage):
    """An object's essence is its generation: a copy of the spec would not fit into the annotations of a large suite."""

    def __init__(self) -> None:
        super().__init__(prefix=_PREFIX, key="handled", v1=False)

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:  # noqa: ARG002  # kopf's signature
        return kopf.BodyEssence({"spec": {"generation": body.metadata.get("generation")}})


def configure(settings: kopf.OperatorSettings) -> None:
    """Annotations only: the kinds' schemas have no place for kopf's own status."""
    settings.persistence.finalizer = FINALIZER
    settings.persistence.diffbase_storage = HandledGeneration()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=_PREFIX, v1=False)
