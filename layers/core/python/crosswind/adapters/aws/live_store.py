"""Who watches what, in the live table. Items end by themselves: everything in it is news of the next two hours.

Two kinds of partition: `RUN#<run>` holds the run's mark and its subscriptions, so that a runner reads one small item and
the fan-out makes one query; `CONNECTION#<id>` holds whose a connection is and what it subscribed to, to end it with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, from_item, to_item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo
from crosswind.adapters.aws.keys import Key, key
from crosswind.contracts.actors import Actor
from crosswind.runs.live.model import CONNECTION_LASTS, Mark, Subscription, Way

_MARK = "MARK"
_SUBSCRIPTION = "SUBSCRIPTION#"
_ACTOR = "ACTOR"
_RUN = "RUN#"
_EXPIRES = "expiresAt"
_MOST_TARGETS = 100
"""Of a mark: more are pruned of those that are over, so that the item stays a small read."""

_LEFT_STANDING = timedelta(minutes=10)  # DynamoDB expires items late; nothing relies on it


@dataclass(frozen=True)
class DynamoWatchStore:
    """WatchStore on the live table."""

    dynamo: Dynamo
    table: str

    def mark(self, run_id: str, target: str, ways: Sequence[tuple[Way, datetime]], *, now: datetime) -> None:
        names = {f"#t{number}": f"{way.value}:{target}" for number, (way, _) in enumerate(ways)}
        values = {f":t{number}": _number(end) for number, (_, end) in enumerate(ways)}
        item = self.dynamo.update(
            self.table,
            _mark_key(run_id),
            "SET #schema = :schema, #ttl = :ttl, " + ", ".join(f"#t{n} = :t{n}" for n in range(len(ways))),
            ExpressionAttributeNames={"#schema": "schema", "#ttl": _EXPIRES, **names},
            ExpressionAttributeValues={
                ":schema": {"N": str(SCHEMA)},
                ":ttl": _number(max(end for _, end in ways) + _LEFT_STANDING),
                **values,
            },
        )
        if len(item) > _MOST_TARGETS:
            self._prune(run_id, item, now=now)

    def read(self, run_id: str) -> Mark:
        item = self.dynamo.glance(self.table, _mark_key(run_id))
        return Mark(dict(_targets(item))) if item else Mark()

    def _prune(self, run_id: str, item: Item, *, now: datetime) -> None:
        over = [f"{way.value}:{target}" for (way, target), end in _targets(item) if end <= now]
        if over:
            names = {f"#t{number}": name for number, name in enumerate(over)}
            self.dynamo.update(
                self.table,
                _mark_key(run_id),
                "REMOVE " + ", ".join(names),
                ExpressionAttributeNames=names,
            )


@dataclass(frozen=True)
class DynamoConnectionStore:
    """ConnectionStore on the live table."""

    dynamo: Dynamo
    table: str

    def open(self, connection: str, actor: Actor, *, expires_at: datetime) -> None:
        item = to_item({"schema": SCHEMA, "actor": actor.to_wire()})
        self.dynamo.put(
            self.table, {**_connection_key(connection, _ACTOR), **item, _EXPIRES: _number(expires_at)}
        )

    def actor(self, connection: str) -> Actor | None:
        item = self.dynamo.get(self.table, _connection_key(connection, _ACTOR))
        return None if item is None else Actor.model_validate_json(from_item(item)["actor"])

    def subscribe(self, subscription: Subscription) -> None:
        until = _number(subscription.expires_at)
        item = to_item({"schema": SCHEMA, "runId": subscription.run_id})
        place = _connection_key(subscription.connection, f"{_RUN}{subscription.run_id}")
        kept = _number(subscription.expires_at + CONNECTION_LASTS)
        self.dynamo.put(self.table, {**place, **item, _EXPIRES: kept})
        changes: dict[str, Any] = {
            "schema": {"N": str(SCHEMA)},
            "log": {"BOOL": subscription.log},
            "fromOffset": {"N": str(subscription.from_offset)},
            "until": until,
            _EXPIRES: _number(subscription.expires_at + _LEFT_STANDING),
            "workId": {"S": subscription.work_id or ""},
        }
        names = {f"#{name}": name for name in changes}
        self.dynamo.update(
            self.table,
            _subscription_key(subscription.run_id, subscription.connection),
            "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={f":{name}": value for name, value in changes.items()},
        )

    def unsubscribe(self, connection: str, run_id: str) -> None:
        self.dynamo.delete(self.table, _subscription_key(run_id, connection))
        self.dynamo.delete(self.table, _connection_key(connection, f"{_RUN}{run_id}"))

    def close(self, connection: str) -> None:
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": _connection_key(connection, _ACTOR)["pk"]},
            ConsistentRead=True,
        )
        for item in [item for page in pages for item in page["Items"]]:
            run = item.get("runId", {}).get("S")
            if run:
                self.dynamo.delete(self.table, _subscription_key(run, connection))
            self.dynamo.delete(self.table, {"pk": item["pk"], "sk": item["sk"]})

    def subscriptions(self, run_id: str, *, now: datetime) -> tuple[Subscription, ...]:
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": f"{_RUN}{run_id}"}, ":prefix": {"S": _SUBSCRIPTION}},
        )
        found = (_subscription(run_id, item) for page in pages for item in page["Items"])
        return tuple(each for each in found if each.expires_at > now)

    def fall_behind(self, subscription: Subscription, stream: str, offset: int) -> None:
        name = {"#behind": f"behind:{stream}"}
        try:
            self.dynamo.update(
                self.table,
                _subscription_key(subscription.run_id, subscription.connection),
                "SET #behind = :offset",
                ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#behind)",
                ExpressionAttributeNames=name,
                ExpressionAttributeValues={":offset": {"N": str(offset)}},
            )
        except ConditionFailedError:
            return  # behind from earlier on, or gone

    def catch_up(self, subscription: Subscription, streams: Sequence[str]) -> None:
        names = {f"#b{number}": f"behind:{stream}" for number, stream in enumerate(streams)}
        try:
            self.dynamo.update(
                self.table,
                _subscription_key(subscription.run_id, subscription.connection),
                "REMOVE " + ", ".join(names),
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeNames=names,
            )
        except ConditionFailedError:
            return


def _mark_key(run_id: str) -> Key:
    return key(f"{_RUN}{run_id}", _MARK)


def _subscription_key(run_id: str, connection: str) -> Key:
    return key(f"{_RUN}{run_id}", f"{_SUBSCRIPTION}{connection}")


def _connection_key(connection: str, what: str) -> Key:
    return key(f"CONNECTION#{connection}", what)


def _number(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value["N"]), tz=UTC)


def _targets(item: Item) -> Iterator[tuple[tuple[Way, str], datetime]]:
    for name, value in item.items():
        way, colon, target = name.partition(":")
        if colon and way in set(Way):
            yield (Way(way), target), _moment(value)


def _subscription(run_id: str, item: Item) -> Subscription:
    behind = {
        name.partition(":")[2]: int(value["N"]) for name, value in item.items() if name.startswith("behind:")
    }
    return Subscription(
        run_id=run_id,
        connection=item["sk"]["S"].removeprefix(_SUBSCRIPTION),
        work_id=item["workId"]["S"] or None,
        log=item["log"]["BOOL"],
        from_offset=int(item["fromOffset"]["N"]),
        expires_at=_moment(item["until"]),
        behind=behind,
    )
