"""ScheduleStore, TriggerStore and Deployments: the fakes and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.run_store import DynamoRunStore
from crosswind.adapters.aws.schedule_store import (
    DynamoDeployments,
    DynamoScheduleStore,
    DynamoTriggerStore,
)
from crosswind.contracts.events import DeploymentRecorded, DomainEvent
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.schedules import EventType, FiringOutcome, MissedPolicy, Overlap
from crosswind.contracts.suites import Priority
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, InvalidInputError, WriteConflictError
from crosswind.runs.ports import RunStore
from crosswind.runs.schedules.model import Firing, Timing, Trigger, TriggerFiring
from crosswind.runs.schedules.ports import Deployments, ScheduleStore, TriggerStore
from tests.fakes import START, MemoryRunStore, SettableClock
from tests.fakes.schedules import (
    MemoryDeployments,
    MemoryScheduleStore,
    MemoryTriggerStore,
    make_schedule,
)
from tests.stores.embedded import Tables

HOUR = timedelta(hours=1)
FULL = make_schedule(
    timing=Timing(
        cron="0 8 ? * MON *",
        at=None,
        timezone="Europe/Berlin",
        start=START,
        expiry=START + 99 * HOUR,
        jitter=timedelta(minutes=10),
    ),
    overlap=Overlap.REPLACE,
    missed=MissedPolicy.RUN_ONCE,
    grace=HOUR,
    labels={"a": "b"},
    parameters={"n": 1, "share": 1.0, "yes": True, "text": "größe"},
    priority=Priority.P0,
    paused_at=START,
    paused_by="ada",
    last_run="run-1",
    firings=(
        Firing(START, START, FiringOutcome.FIRED, run_id="run-1"),
        Firing(START, START, FiringOutcome.MISSED, reason="late"),
    ),
)
TRIGGER = Trigger(
    team="demo",
    name="smoke-it",
    event=EventType.RUN_FINISHED,
    suite="smoke",
    owner="ada",
    updated_at=START,
    of_suite="shop",
    of_verdicts=(VerdictKind.PASSED,),
    parameters={"n": 1},
    priority=Priority.P2,
    paused=True,
    allow_repeat=True,
)


class ScheduleStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> ScheduleStore: ...

    def test_a_schedule_comes_back_as_it_was(self, store: ScheduleStore) -> None:
        saved = store.save(FULL)
        assert saved == replace(FULL, version=1)
        assert store.find("demo", "hourly") == saved
        assert store.find("other", "hourly") is None

    def test_a_second_writer_loses(self, store: ScheduleStore) -> None:
        saved = store.save(FULL)
        store.save(replace(saved, owner="bob"))
        for stale in (saved, FULL):
            with pytest.raises(WriteConflictError):
                store.save(stale)

    def test_what_is_due_comes_earliest_first_and_what_is_not_does_not(self, store: ScheduleStore) -> None:
        store.save(make_schedule(name="later", due=START + HOUR))
        store.save(make_schedule(name="now", due=START))
        store.save(make_schedule(name="another", team="other", due=START - HOUR))
        store.save(make_schedule(name="never", due=None))
        assert [each.name for each in store.due(until=START + timedelta(seconds=1))] == ["another", "now"]
        moved = store.find("demo", "now")
        assert moved is not None
        store.save(replace(moved, due=None))
        assert [each.name for each in store.due(until=START + 9 * HOUR)] == ["another", "later"]

    def test_a_deleted_schedule_is_gone_and_no_longer_due(self, store: ScheduleStore) -> None:
        store.save(make_schedule())
        assert store.delete("demo", "hourly")
        assert not store.delete("demo", "hourly")
        assert list(store.due(until=START + HOUR)) == []

    def test_schedules_are_counted_and_listed_by_name_in_pages(self, store: ScheduleStore) -> None:
        for name in ("c", "a", "b"):
            store.save(make_schedule(name=name))
        store.save(make_schedule(name="x", team="other"))
        assert (store.count("demo", at_most=9), store.count("demo", at_most=2)) == (3, 2)
        first = store.list_schedules("demo", limit=2, cursor=None)
        rest = store.list_schedules("demo", limit=2, cursor=first.cursor)
        assert [each.name for each in (*first.items, *rest.items)] == ["a", "b", "c"]
        assert rest.cursor is None
        with pytest.raises(InvalidInputError):
            store.list_schedules("other", limit=2, cursor=first.cursor)


class TestMemoryScheduleStore(ScheduleStoreContract):
    @pytest.fixture
    def store(self) -> ScheduleStore:
        return MemoryScheduleStore()


class TestDynamoScheduleStore(ScheduleStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> ScheduleStore:
        return DynamoScheduleStore(dynamo=tables.dynamo, table=tables.runs)

    def test_a_due_schedule_is_no_unfinished_run(self, tables: Tables, store: ScheduleStore) -> None:
        """Both lie in one sparse index, under keys of their own."""
        store.save(make_schedule())
        runs = DynamoRunStore(tables.dynamo, tables.runs, SettableClock(), retention=HOUR)
        assert list(runs.unfinished()) == []


class TriggerStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> TriggerStore: ...

    def test_a_trigger_comes_back_as_it_was(self, store: TriggerStore) -> None:
        assert store.put(TRIGGER)
        assert not store.put(TRIGGER)
        assert store.find("demo", "smoke-it") == TRIGGER
        assert store.find("other", "smoke-it") is None

    def test_the_last_firing_is_noted_and_nothing_is_noted_of_one_that_is_gone(
        self, store: TriggerStore
    ) -> None:
        firing = TriggerFiring("evt-1", START, FiringOutcome.FIRED, run_id="run-1")
        store.note("demo", "smoke-it", firing)
        assert store.find("demo", "smoke-it") is None
        store.put(TRIGGER)
        store.note("demo", "smoke-it", firing)
        assert store.find("demo", "smoke-it") == replace(TRIGGER, last=firing)

    def test_a_teams_triggers_are_read_by_name(self, store: TriggerStore) -> None:
        for name in ("c", "a", "b"):
            store.put(replace(TRIGGER, name=name))
        store.put(replace(TRIGGER, team="other"))
        assert [each.name for each in store.of_team("demo")] == ["a", "b", "c"]
        first = store.list_triggers("demo", limit=1, cursor=None)
        assert [each.name for each in first.items] == ["a"]
        assert first.cursor is not None
        assert store.delete("demo", "a")
        assert not store.delete("demo", "a")


class TestMemoryTriggerStore(TriggerStoreContract):
    @pytest.fixture
    def store(self) -> TriggerStore:
        return MemoryTriggerStore()


class TestDynamoTriggerStore(TriggerStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> TriggerStore:
        return DynamoTriggerStore(dynamo=tables.dynamo, table=tables.runs)


class DeploymentsContract(ABC):
    @abstractmethod
    @pytest.fixture
    def runs(self) -> RunStore: ...

    @abstractmethod
    @pytest.fixture
    def deployments(self) -> Deployments: ...

    def test_a_deployments_event_lies_in_the_outbox_once(
        self, runs: RunStore, deployments: Deployments
    ) -> None:
        event = self.event("1")
        assert deployments.record(event)
        assert list(runs.unsent_events()) == [event]
        runs.mark_sent(event.id)
        assert not deployments.record(event)
        assert list(runs.unsent_events()) == []

    def test_an_id_of_another_deployment_is_a_conflict(self, deployments: Deployments) -> None:
        event = self.event("1")
        assert deployments.record(event)
        with pytest.raises(ConflictError):
            deployments.record(self.event("2"))
        assert not deployments.record(event)

    @staticmethod
    def event(version: str) -> DomainEvent:
        return DomainEvent(
            id="deploy-1",
            type="platform.deployment.recorded.v1",
            occurred_at=to_iso(START),
            team="demo",
            detail=DeploymentRecorded(
                team="demo", service="shop", environment="staging", version=version, actor="ada"
            ),
        )


class TestMemoryDeployments(DeploymentsContract):
    @pytest.fixture
    def runs(self) -> MemoryRunStore:
        return MemoryRunStore()

    @pytest.fixture
    def deployments(self, runs: MemoryRunStore) -> Deployments:
        return MemoryDeployments(runs.outbox)


class TestDynamoDeployments(DeploymentsContract):
    @pytest.fixture
    def runs(self, tables: Tables) -> RunStore:
        return DynamoRunStore(tables.dynamo, tables.runs, SettableClock(), retention=HOUR)

    @pytest.fixture
    def deployments(self, tables: Tables) -> Deployments:
        return DynamoDeployments(tables.dynamo, tables.runs, SettableClock(), retention=HOUR)
