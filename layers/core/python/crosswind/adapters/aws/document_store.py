"""Documents that are stored under a name in the runs table: a team's suites and frameworks, and clusters."""

import re
from dataclasses import dataclass

from crosswind.adapters.aws.cursors import read_cursor, write_cursor
from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.keys import (
    CLUSTER_PREFIX,
    FRAMEWORK_PREFIX,
    SUITE_PREFIX,
    document_key,
    team_partition,
)
from crosswind.adapters.aws.run_items import document_item, read_document
from crosswind.kernel.errors import NotFoundError
from crosswind.kernel.paging import Page
from crosswind.runs.ports import NOBODYS, DocumentRecord

_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,62}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is stored: a word for people, and the start of its keys."""

    noun: str
    prefix: str


SUITES = Kind("suite", SUITE_PREFIX)
FRAMEWORKS = Kind("framework", FRAMEWORK_PREFIX)
CLUSTERS = Kind("cluster", CLUSTER_PREFIX)


@dataclass(frozen=True)
class DynamoDocumentStore:
    """DocumentStore on the runs table."""

    dynamo: Dynamo
    table: str
    kind: Kind = SUITES

    def put(self, record: DocumentRecord) -> bool:
        item = document_item(record, noun=self.kind.noun, prefix=self.kind.prefix)
        return self.dynamo.put(self.table, item) is None

    def get(self, team: str, name: str) -> DocumentRecord:
        item = self.dynamo.get(self.table, document_key(self.kind.prefix, team, name))
        if item is None:
            raise NotFoundError(self._missing(team, name))
        return read_document(item)

    def delete(self, team: str, name: str) -> None:
        if self.dynamo.delete(self.table, document_key(self.kind.prefix, team, name)) is None:
            raise NotFoundError(self._missing(team, name))

    def list_documents(self, team: str, *, limit: int, cursor: str | None) -> Page[DocumentRecord]:
        after = read_cursor(cursor, team=team, form=_NAME)
        prefix = self.kind.prefix
        query = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":pk": {"S": team_partition(team)}, ":prefix": {"S": prefix}},
            "ConsistentRead": True,
            "Limit": limit + 1,
            **({"ExclusiveStartKey": document_key(prefix, team, after[0])} if after else {}),
        }
        found: list[DocumentRecord] = []
        for page in self.dynamo.query(self.table, **query):
            found += map(read_document, page["Items"])
            if len(found) > limit:
                return Page(tuple(found[:limit]), write_cursor(team=team, last=found[limit - 1].name))
        return Page(tuple(found), None)

    def _missing(self, team: str, name: str) -> str:
        owner = "there is" if team == NOBODYS else f"team {team} has"
        return f"{owner} no {self.kind.noun} {name}"
