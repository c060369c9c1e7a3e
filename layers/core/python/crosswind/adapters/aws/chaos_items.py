"""Definitions and their revisions as DynamoDB items, and back. Explicit: a field that is not named here is not stored."""

import json
from typing import Any

from crosswind.adapters.aws.attributes import (
    SCHEMA,
    Item,
    Values,
    from_item,
    iso,
    moment,
    pack,
    to_item,
    unpack,
)
from crosswind.adapters.aws.chaos_keys import (
    DUE_KEY,
    due_order,
    experiment_key,
    revision_key,
    waiting_key,
)
from crosswind.adapters.aws.run_items import PACKED_LIMIT
from crosswind.chaos.model import Approval, Experiment, Revision
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.kernel.errors import TooLargeError


def experiment_item(experiment: Experiment) -> Item:
    """The stored form of a definition. Only one that starts by itself is in the sparse indexes."""
    team, name, revision = experiment.team, experiment.name, experiment.revision
    due = None if experiment.paused else experiment.next_start
    awaited = _awaited(experiment)
    return experiment_key(team, name) | to_item(
        {
            "schema": SCHEMA,
            "dueKey": DUE_KEY if due else None,
            "dueAt": due_order(due, team, name) if due else None,
            "unfinishedKey": waiting_key(awaited) if awaited else None,
            "runKey": f"{team}#{name}" if awaited else None,
            "team": team,
            "name": name,
            "version": experiment.version,
            "createdBy": experiment.created_by,
            "createdAt": to_iso(experiment.created_at),
            "labels": experiment.labels,
            "nextStart": iso(experiment.next_start),
            "paused": experiment.paused,
            "startParameters": json.dumps(dict(experiment.start_parameters)),
            "revision": _revision_values(revision),
        }
    )


def read_experiment(item: Item) -> Experiment:
    """The definition that an item holds."""
    values = from_item(item)
    return Experiment(
        team=values["team"],
        name=values["name"],
        version=values["version"],
        created_by=values["createdBy"],
        created_at=from_iso(values["createdAt"]),
        revision=_read_revision(values["revision"]),
        labels=values["labels"],
        next_start=moment(values.get("nextStart")),
        paused=values["paused"],
        start_parameters=json.loads(values["startParameters"]),
    )


def revision_item(experiment: Experiment) -> Item:
    """The stored form of a definition's newest revision under its number."""
    place = revision_key(experiment.team, experiment.name, experiment.revision.number)
    return place | to_item({"schema": SCHEMA, **_revision_values(experiment.revision)})


def read_revision(item: Item) -> Revision:
    """The revision that an item holds."""
    return _read_revision(from_item(item))


def packed(value: Any, what: str) -> bytes:
    """JSON under gzip. Raises TooLargeError where it does not fit into an item."""
    data = pack(value)
    if len(data) > PACKED_LIMIT:
        raise TooLargeError(f"{what} takes {len(data)} bytes; at most {PACKED_LIMIT} can be kept")
    return data


def packed_spec(spec: ExperimentSpec) -> bytes:
    """The stored form of a spec."""
    return packed(json.loads(spec.to_wire()), "the spec")


def read_spec(data: bytes) -> ExperimentSpec:
    """What `packed_spec` packed."""
    return ExperimentSpec.model_validate(unpack(data))


def _awaited(experiment: Experiment) -> str | None:
    revision = experiment.revision
    when = revision.spec.schedule
    if experiment.paused or revision.state is not RevisionState.APPROVED or when is None:
        return None
    return when.on_event.type if when.on_event else None


def _revision_values(revision: Revision) -> dict[str, Any]:
    # The approvals of one revision are of nearly the same targets, which may be thousands: each is kept once.
    known = sorted({each for approval in revision.approvals for each in approval.target_ids})
    places = {each: place for place, each in enumerate(known)}
    return {
        "number": revision.number,
        "state": revision.state.value,
        "spec": packed_spec(revision.spec),
        "specDigest": revision.spec_digest,
        "editedBy": list(revision.edited_by),
        "updatedAt": to_iso(revision.updated_at),
        "submittedBy": revision.submitted_by,
        "submittedAt": iso(revision.submitted_at),
        "targets": packed(known, "the list of approved targets"),
        "approvals": [_approval_values(each, places) for each in revision.approvals],
        "changesRequested": revision.changes_requested,
        "changesRequestedBy": revision.changes_requested_by,
    }


def _read_revision(values: Values) -> Revision:
    known = unpack(values["targets"])
    return Revision(
        number=values["number"],
        state=RevisionState(values["state"]),
        spec=read_spec(values["spec"]),
        spec_digest=values["specDigest"],
        edited_by=tuple(values["editedBy"]),
        updated_at=from_iso(values["updatedAt"]),
        submitted_by=values.get("submittedBy"),
        submitted_at=moment(values.get("submittedAt")),
        approvals=tuple(_read_approval(each, known) for each in values["approvals"]),
        changes_requested=values.get("changesRequested"),
        changes_requested_by=values.get("changesRequestedBy"),
    )


def _approval_values(approval: Approval, places: dict[str, int]) -> dict[str, Any]:
    return {
        "by": approval.by,
        "at": to_iso(approval.at),
        "expiresAt": to_iso(approval.expires_at),
        "digest": approval.digest,
        "targets": pack([places[each] for each in approval.target_ids]),
        "comment": approval.comment,
    }


def _read_approval(values: Values, known: list[str]) -> Approval:
    return Approval(
        by=values["by"],
        at=from_iso(values["at"]),
        expires_at=from_iso(values["expiresAt"]),
        digest=values["digest"],
        target_ids=tuple(known[place] for place in unpack(values["targets"])),
        comment=values.get("comment"),
    )
