"""PodStore in memory and in DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.pod_store import DynamoPodStore
from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.pods import PodState
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.model import Caretaker, PodRecord
from crosswind.runs.pods.naming import carrier_of
from crosswind.runs.pods.ports import PodStore
from tests.fakes import START, make_work
from tests.fakes.pods import MemoryPodStore
from tests.stores.embedded import Tables

WORK = make_work()
RECORD = PodRecord(
    carrier=carrier_of(WORK, number=2),
    team="demo",
    cluster="main",
    namespace="crosswind-demo",
    image="crosswind/pytest:1",
    capacity=CapacityKind.SPOT,
    placement="Spot: because.",
    asked=Size(1000, 2304),
    launched_at=START,
    tried=(CapacityKind.FARGATE,),
    state=PodState.FAILED,
    reason="spot",
    detail="reclaimed",
    provisioned=Size(1000, 3072),
    node="n1",
    instance_type="m7i.large",
    zone="eu-central-1a",
    scheduled_at=START + timedelta(seconds=1),
    started_at=START + timedelta(seconds=2),
    finished_at=START + timedelta(seconds=3),
)


class PodStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def pods(self) -> PodStore: ...

    def test_a_caretaker_is_kept_by_cluster_and_the_last_word_counts(self, pods: PodStore) -> None:
        assert pods.caretaker("main") is None
        told = Caretaker(cluster="main", until=START, jobs=3)
        pods.put_caretaker(told)
        pods.put_caretaker(later := replace(told, until=START + timedelta(seconds=10), jobs=0))
        assert pods.caretaker("main") == later
        assert pods.caretaker("other") is None

    def test_what_is_known_of_a_pod_does_not_undo_the_one_that_took_its_place(self, pods: PodStore) -> None:
        assert pods.put(RECORD)
        assert not pods.put(replace(RECORD, carrier=carrier_of(WORK, number=1), node="old"))
        assert pods.put(replace(RECORD, node="n2"))
        (kept,) = pods.of_run(WORK.key.run_id)
        assert (kept.carrier.number, kept.node) == (2, "n2")

    def test_everything_of_a_record_comes_back(self, pods: PodStore) -> None:
        assert not [field.name for field in fields(RECORD) if not getattr(RECORD, field.name)]

        pods.put(RECORD)

        assert list(pods.get_many([carrier_of(WORK)])) == [RECORD]

    def test_a_launch_is_kept_once(self, pods: PodStore) -> None:
        launched = replace(RECORD, state=PodState.LAUNCHED)

        assert pods.put_new(launched)
        assert not pods.put_new(replace(launched, placement="another"))

        assert list(pods.get_many([RECORD.carrier])) == [launched]

    def test_a_refused_launch_and_an_earlier_number_give_way(self, pods: PodStore) -> None:
        pods.put_new(replace(RECORD, state=PodState.REFUSED))
        launched = replace(RECORD, state=PodState.LAUNCHED)
        assert pods.put_new(launched)

        following = replace(launched, carrier=carrier_of(WORK, number=3))
        assert pods.put_new(following)

        assert list(pods.get_many([RECORD.carrier])) == [following]

    def test_a_runs_pods_come_by_work_and_attempt(self, pods: PodStore) -> None:
        again = replace(RECORD, carrier=carrier_of(replace(WORK, attempt=2, epoch=1)))
        other = replace(RECORD, carrier=carrier_of(make_work(1)))
        for record in (other, again, RECORD):
            pods.put(record)

        assert list(pods.of_run(WORK.key.run_id)) == [RECORD, again, other]
        assert list(pods.of_run("run-other")) == []


class TestMemoryPodStore(PodStoreContract):
    @pytest.fixture
    def pods(self) -> PodStore:
        return MemoryPodStore()


class TestDynamoPodStore(PodStoreContract):
    @pytest.fixture
    def pods(self, tables: Tables) -> PodStore:
        return DynamoPodStore(tables.dynamo, tables.runs, timedelta(days=90))
