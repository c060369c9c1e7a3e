"""WatchStore and ConnectionStore in memory and in DynamoDB: who watches what, until when, and where it is behind."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.live_store import DynamoConnectionStore, DynamoWatchStore
from crosswind.contracts.actors import Actor
from crosswind.runs.live.model import Mark, Subscription, Way
from crosswind.runs.live.ports import ConnectionStore, WatchStore
from tests.fakes import START
from tests.fakes.live import MemoryConnectionStore, MemoryWatchStore
from tests.stores.embedded import Tables

LATER = START + timedelta(seconds=30)
ACTOR = Actor(subject="sam", issuer="https://issuer", teams=("demo",))


@dataclass(frozen=True)
class Stores:
    """Both."""

    watches: WatchStore
    connections: ConnectionStore

    def subscribe(self, connection: str = "c1", run_id: str = "run-1", **changes: object) -> Subscription:
        made = Subscription(
            run_id=run_id, connection=connection, work_id=None, log=True, from_offset=0, expires_at=LATER
        )
        made = replace(made, **changes)  # type: ignore[arg-type]  # fields by name
        self.connections.subscribe(made)
        return made


class LiveStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    def test_marks_of_several_watchers_stand_side_by_side(self, stores: Stores) -> None:
        assert stores.watches.read("run-1") == Mark()
        stores.watches.mark("run-1", "shard-00001", [(Way.PUSHED, LATER), (Way.POLLED, START)], now=START)
        stores.watches.mark("run-1", "events", [(Way.POLLED, LATER)], now=START)
        stores.watches.mark("run-2", "logs", [(Way.POLLED, LATER)], now=START)
        assert stores.watches.read("run-1") == Mark(
            {
                (Way.PUSHED, "shard-00001"): LATER,
                (Way.POLLED, "shard-00001"): START,
                (Way.POLLED, "events"): LATER,
            }
        )

    def test_a_later_mark_prolongs_an_earlier_one(self, stores: Stores) -> None:
        stores.watches.mark("run-1", "logs", [(Way.POLLED, START)], now=START)
        stores.watches.mark("run-1", "logs", [(Way.POLLED, LATER)], now=START)
        assert stores.watches.read("run-1").until == {(Way.POLLED, "logs"): LATER}

    def test_a_connection_is_its_actors_until_it_is_closed(self, stores: Stores) -> None:
        stores.connections.open("c1", ACTOR, expires_at=LATER)
        assert stores.connections.actor("c1") == ACTOR
        assert stores.connections.actor("c2") is None
        stores.subscribe("c1", "run-1")
        stores.subscribe("c1", "run-2")
        stores.subscribe("c2", "run-1")
        stores.connections.close("c1")
        assert stores.connections.actor("c1") is None
        assert [each.connection for each in stores.connections.subscriptions("run-1", now=START)] == ["c2"]
        assert stores.connections.subscriptions("run-2", now=START) == ()

    def test_subscriptions_end_by_time_or_by_word(self, stores: Stores) -> None:
        first = stores.subscribe(
            "c1", work_id="shard-00001", log=False, from_offset=7, expires_at=START + timedelta(seconds=1)
        )
        second = stores.subscribe("c2")
        assert stores.connections.subscriptions("run-1", now=START) == (first, second)
        assert stores.connections.subscriptions("run-1", now=START + timedelta(seconds=1)) == (second,)
        stores.connections.unsubscribe("c2", "run-1")
        assert stores.connections.subscriptions("run-1", now=START) == (first,)

    def test_where_a_connection_is_behind_stays_until_it_was_told(self, stores: Stores) -> None:
        held = stores.subscribe()
        stores.connections.fall_behind(held, "a", 10)
        stores.connections.fall_behind(held, "a", 20)
        stores.connections.fall_behind(held, "b", 5)
        stores.subscribe()  # renewed
        (found,) = stores.connections.subscriptions("run-1", now=START)
        assert found.behind == {"a": 10, "b": 5}
        stores.connections.catch_up(found, ["a"])
        (found,) = stores.connections.subscriptions("run-1", now=START)
        assert found.behind == {"b": 5}

    def test_a_subscription_that_is_gone_is_not_brought_back_by_being_behind(self, stores: Stores) -> None:
        held = stores.subscribe()
        stores.connections.unsubscribe("c1", "run-1")
        stores.connections.fall_behind(held, "a", 10)
        stores.connections.catch_up(held, ["a"])
        assert stores.connections.subscriptions("run-1", now=START) == ()


class TestMemoryLiveStore(LiveStoreContract):
    @pytest.fixture
    def stores(self) -> Stores:
        return Stores(MemoryWatchStore(), MemoryConnectionStore())


class TestDynamoLiveStore(LiveStoreContract):
    @pytest.fixture
    def stores(self, tables: Tables) -> Stores:
        return Stores(
            DynamoWatchStore(tables.dynamo, tables.live), DynamoConnectionStore(tables.dynamo, tables.live)
        )

    def test_a_mark_stays_small_however_many_shards_were_watched(self, tables: Tables) -> None:
        watches = DynamoWatchStore(tables.dynamo, tables.live)
        for number in range(150):
            now = START + timedelta(minutes=number)
            watches.mark("run-1", f"shard-{number:05d}", [(Way.POLLED, now + timedelta(minutes=1))], now=now)
        assert len(watches.read("run-1").until) <= 100
        assert (Way.POLLED, "shard-00149") in watches.read("run-1").until
