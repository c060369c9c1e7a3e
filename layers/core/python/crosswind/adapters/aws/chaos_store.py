"""Definitions of experiments with their revisions, in the chaos table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, to_item
from crosswind.adapters.aws.chaos_items import (
    experiment_item,
    read_experiment,
    read_revision,
    revision_item,
)
from crosswind.adapters.aws.chaos_keys import (
    DUE,
    DUE_KEY,
    EXPERIMENT_PREFIX,
    experiment_key,
    revision_key,
    revisions_partition,
    waiting_key,
)
from crosswind.adapters.aws.cursors import read_cursor, write_cursor
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import UNFINISHED, event_key, key, team_partition
from crosswind.chaos.model import Experiment, Revision
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import NotFoundError, WriteConflictError
from crosswind.kernel.paging import Page

_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,62}")


@dataclass(frozen=True)
class DynamoExperimentStore:
    """ExperimentStore on the chaos table: a definition, its newest revision and its event in one transaction."""

    dynamo: Dynamo
    table: str

    def find(self, team: str, name: str) -> Experiment | None:
        item = self.dynamo.get(self.table, experiment_key(team, name))
        return read_experiment(item) if item else None

    def save(self, experiment: Experiment, *, event: DomainEvent | None = None) -> Experiment:
        saved = replace(experiment, version=experiment.version + 1)
        puts: list[dict[str, Any]] = [
            {"Item": experiment_item(saved), **expect(experiment.version or None)},
            {"Item": revision_item(saved)},
        ]
        if event is not None:
            unsent = event_key(event.id) | to_item({"schema": SCHEMA, "event": event.to_wire()})
            puts.append({"Item": unsent})
        try:
            self.dynamo.transact([{"Put": {"TableName": self.table, **each}} for each in puts])
        except TransactionFailedError as lost:
            raise WriteConflictError(f"experiment {experiment.name} was changed by another writer") from lost
        return saved

    def revision(self, team: str, name: str, number: int) -> Revision:
        item = self.dynamo.get(self.table, revision_key(team, name, number))
        if item is None:
            raise NotFoundError(f"there is no revision {number} of experiment {name} in team {team}")
        return read_revision(item)

    def last_revision(self, team: str, name: str) -> int:
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": revisions_partition(team, name)}},
            ProjectionExpression="sk",
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=1,
        )
        return next((int(item["sk"]["S"]) for page in pages for item in page["Items"]), 0)

    def approved(self, team: str, name: str) -> Revision | None:
        experiment = self.find(team, name)
        if experiment is None or experiment.revision.state is not RevisionState.APPROVED:
            return None
        return experiment.revision

    def delete(self, team: str, name: str, *, version: int) -> None:
        place = experiment_key(team, name)
        try:
            self.dynamo.delete(self.table, place, **expect(version))
        except ConditionFailedError as lost:
            if self.dynamo.get(self.table, place) is None:
                raise NotFoundError(f"there is no experiment {name} in team {team}") from lost
            raise WriteConflictError(f"experiment {name} was changed by another writer") from lost

    def list_experiments(self, team: str, *, limit: int, cursor: str | None) -> Page[Experiment]:
        after = read_cursor(cursor, team=team, form=_NAME)
        query: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {
                ":pk": {"S": team_partition(team)},
                ":prefix": {"S": EXPERIMENT_PREFIX},
            },
            "ConsistentRead": True,
            "Limit": limit + 1,
        }
        if after is not None:
            query["ExclusiveStartKey"] = key(team_partition(team), EXPERIMENT_PREFIX + after[0])
        found: list[Experiment] = []
        for page in self.dynamo.query(self.table, **query):
            found += map(read_experiment, page["Items"])
            if len(found) > limit:
                return Page(tuple(found[:limit]), write_cursor(team=team, last=found[limit - 1].name))
        return Page(tuple(found), None)

    def waiting_for(self, event_type: str) -> Iterator[Experiment]:
        pages = self.dynamo.query(
            self.table,
            IndexName=UNFINISHED,
            KeyConditionExpression="unfinishedKey = :key",
            ExpressionAttributeValues={":key": {"S": waiting_key(event_type)}},
        )
        for page in pages:
            yield from map(read_experiment, page["Items"])

    def due(self, *, until: datetime) -> Iterator[Experiment]:
        behind = f"{to_iso(until)}~"  # every name of this moment lies before it
        pages = self.dynamo.query(
            self.table,
            IndexName=DUE,
            KeyConditionExpression="dueKey = :key AND dueAt < :until",
            ExpressionAttributeValues={":key": {"S": DUE_KEY}, ":until": {"S": behind}},
        )
        for page in pages:
            yield from map(read_experiment, page["Items"])
