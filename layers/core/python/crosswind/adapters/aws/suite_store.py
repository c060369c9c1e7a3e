"""Stored suites, in the runs table."""

import re
from dataclasses import dataclass

from crosswind.adapters.aws.cursors import read_cursor, write_cursor
from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.keys import SUITE_PREFIX, suite_key, team_partition
from crosswind.adapters.aws.run_items import read_suite, suite_item
from crosswind.kernel.errors import NotFoundError
from crosswind.kernel.paging import Page
from crosswind.runs.ports import SuiteRecord

_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,62}")


@dataclass(frozen=True)
class DynamoSuiteStore:
    """SuiteStore on the runs table."""

    dynamo: Dynamo
    table: str

    def put(self, record: SuiteRecord) -> bool:
        return self.dynamo.put(self.table, suite_item(record)) is None

    def get(self, team: str, name: str) -> SuiteRecord:
        item = self.dynamo.get(self.table, suite_key(team, name))
        if item is None:
            raise NotFoundError(f"team {team} has no suite {name}")
        return read_suite(item)

    def delete(self, team: str, name: str) -> None:
        if self.dynamo.delete(self.table, suite_key(team, name)) is None:
            raise NotFoundError(f"team {team} has no suite {name}")

    def list_suites(self, team: str, *, limit: int, cursor: str | None) -> Page[SuiteRecord]:
        after = read_cursor(cursor, team=team, form=_NAME)
        query = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":pk": {"S": team_partition(team)}, ":prefix": {"S": SUITE_PREFIX}},
            "ConsistentRead": True,
            "Limit": limit + 1,
            **({"ExclusiveStartKey": suite_key(team, after[0])} if after else {}),
        }
        found: list[SuiteRecord] = []
        for page in self.dynamo.query(self.table, **query):
            found += map(read_suite, page["Items"])
            if len(found) > limit:
                return Page(tuple(found[:limit]), write_cursor(team=team, last=found[limit - 1].name))
        return Page(tuple(found), None)
