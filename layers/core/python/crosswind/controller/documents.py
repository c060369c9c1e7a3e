"""Suites, schedules and experiments: the document that the API keeps of an object, and what its status tells. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.definitions import PutExperimentAnswer
from crosswind.contracts.custom_resources import GROUP, VERSION, ConditionType
from crosswind.contracts.requests import PutSuiteAnswer
from crosswind.contracts.schedules import PutScheduleAnswer
from crosswind.controller.judging import ACCEPTED, Json, Judgement, status_of, with_condition
from crosswind.kernel import json
from crosswind.kernel.clock import to_iso


@dataclass(frozen=True, slots=True)
class Kept:
    """What the API keeps now."""

    digest: str
    updated_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKind:
    """A kind whose objects the API keeps as documents."""

    plural: str
    document: str
    """What the API calls the kind."""

    path: str
    answer: type[WireModel]
    kept: Callable[[Any], Kept]

    def path_of(self, name: str) -> str:
        """Where the document is."""
        return f"{self.path}/{quote(name, safe='')}"


def _kept_schedule(answer: PutScheduleAnswer) -> Kept:
    spec = answer.schedule.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Kept(json.digest(spec), answer.schedule.updated_at)


SUITES = StoredKind(
    plural="testsuites",
    document="TestSuite",
    path="/api/v1/suites",
    answer=PutSuiteAnswer,
    kept=lambda answer: Kept(answer.digest),
)
SCHEDULES = StoredKind(
    plural="testschedules",
    document="Schedule",
    path="/api/v1/schedules",
    answer=PutScheduleAnswer,
    kept=_kept_schedule,
)
EXPERIMENTS = StoredKind(
    plural="chaosexperiments",
    document="ChaosExperiment",
    path="/api/v1/experiments",
    answer=PutExperimentAnswer,
    kept=lambda answer: Kept(answer.experiment.digest, answer.experiment.updated_at),
)
STORED_KINDS = (SUITES, SCHEDULES, EXPERIMENTS)


def document_of(kind: str, *, name: str, team: str, spec: Mapping[str, Any]) -> Json:
    """The API's document of an object. The team is that of its namespace, never anything that the object says."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "metadata": {"name": name, "team": team},
        "spec": dict(spec),
    }


def accepted_status(
    kept: Kept, conditions: Sequence[Mapping[str, Any]], *, generation: int, now: datetime
) -> Json:
    """The API has this generation."""
    return {
        "observedGeneration": generation,
        "digest": kept.digest,
        "updatedAt": kept.updated_at or to_iso(now),
        "conditions": with_condition(
            conditions, ConditionType.ACCEPTED, ACCEPTED, generation=generation, now=now
        ),
    }


def refused_status(
    judgement: Judgement, conditions: Sequence[Mapping[str, Any]], *, generation: int, now: datetime
) -> Json:
    """The API does not have it. What it keeps of an earlier generation stands, and so does its digest."""
    return {
        "conditions": with_condition(
            conditions, ConditionType.ACCEPTED, judgement, generation=generation, now=now
        ),
    }


def may_be_kept(status: Mapping[str, Any]) -> bool:
    """Whether the API may keep something of this object. What it refused each time is somebody else's, if it is there at all."""
    refused = status_of(status.get("conditions") or (), ConditionType.ACCEPTED) == "False"
    return bool(status.get("digest")) or not refused
