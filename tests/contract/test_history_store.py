"""HistoryStore and QuarantineStore: the fakes and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.adapters.aws.history_store import DynamoHistoryStore, DynamoQuarantineStore
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.history.model import (
    FlakyState,
    JobKey,
    Observation,
    Quarantine,
    QuarantineMode,
    TestHistory,
    Timing,
)
from crosswind.runs.history.observing import FORGET_AFTER
from crosswind.runs.history.ports import HistoryStore, QuarantineStore
from tests.fakes import START
from tests.fakes.history import MemoryHistoryStore, MemoryQuarantineStore
from tests.fakes.samples import run_id
from tests.stores.embedded import Tables

JOB = JobKey("demo", "shop", "api")
CHROME = replace(JOB, variant="browser=chrome,os=größe")
NEAR, FAR = "00" + "a" * 30, "ff" + "b" * 30


def seen(number: int = 1, outcome: str = "p", seconds: float = 1.0, **changes: Any) -> Observation:
    made = Observation(
        run_id=run_id(number),
        at=START + timedelta(hours=number),
        outcome=outcome,
        seconds=seconds,
        commit=f"{number:040x}",
        default_branch=True,
    )
    return replace(made, **changes)


class HistoryStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> HistoryStore: ...

    def record(self, store: HistoryStore, observation: Observation, *ids: str, job: JobKey = JOB) -> None:
        names = {NEAR: "t.py::near", FAR: "t.py::far"}
        told = {case_id: (names[case_id], observation) for case_id in ids or (NEAR,)}
        store.record(job, told, now=observation.at)

    def one(self, store: HistoryStore) -> TestHistory:
        (test,) = store.get(JOB, [NEAR]).values()
        return test

    def test_what_was_recorded_comes_back(self, store: HistoryStore) -> None:
        first, second = seen(1, "l", 0.25), seen(2, "f", 3.0, commit=None, default_branch=False)
        self.record(store, first, NEAR, FAR)
        self.record(store, second)

        assert self.one(store) == replace(
            self.one(store),
            id=NEAR,
            name="t.py::near",
            observations=(first, replace(second, seconds=None)),
            first_seen=first.at,
            state=FlakyState.FLAKY,
        )
        assert [test.id for test in store.of_job(JOB)] == [NEAR, FAR]

    def test_only_the_tests_asked_for_are_given(self, store: HistoryStore) -> None:
        self.record(store, seen(), NEAR, FAR)

        assert set(store.get(JOB, [FAR, "00" + "c" * 30, "77" + "c" * 30])) == {FAR}

    def test_a_run_told_twice_counts_once(self, store: HistoryStore) -> None:
        self.record(store, seen(1))
        self.record(store, seen(2, "f"))
        self.record(store, seen(1))

        assert [each.outcome for each in self.one(store).observations] == ["p", "f"]

    def test_a_rerun_replaces_what_the_run_had_seen(self, store: HistoryStore) -> None:
        self.record(store, seen(1, "f"))
        self.record(store, seen(2, "p"))
        self.record(store, seen(1, "l"))

        assert [each.outcome for each in self.one(store).observations] == ["l", "p"]

    def test_runs_are_kept_in_the_order_of_their_submission(self, store: HistoryStore) -> None:
        for number in (3, 1, 2):
            self.record(store, seen(number))

        assert [each.run_id for each in self.one(store).observations] == [run_id(1), run_id(2), run_id(3)]

    def test_variants_have_histories_of_their_own(self, store: HistoryStore) -> None:
        self.record(store, seen(1))
        self.record(store, seen(2, "f"), job=CHROME)

        assert [each.outcome for each in self.one(store).observations] == ["p"]
        assert store.jobs("demo", "shop") == (JOB, CHROME)

    def test_jobs_of_another_suite_or_team_are_not_listed(self, store: HistoryStore) -> None:
        self.record(store, seen(), job=replace(JOB, suite="shop2"))
        self.record(store, seen(), job=replace(JOB, team="other"))

        assert store.jobs("demo", "shop") == ()
        assert not store.timings(JOB)

    def test_a_timing_is_made_of_the_last_ten_passing_runs(self, store: HistoryStore) -> None:
        for number in range(1, 21):
            self.record(store, seen(number, "p", seconds=100.0 if number <= 10 else float(number - 10)))
        self.record(store, seen(21, "f", seconds=900.0))
        self.record(store, seen(21, "f"), FAR)

        assert store.timings(JOB) == {"t.py::near": Timing(seconds=5.5, spread_seconds=2.5, samples=10)}

    def test_a_test_that_no_run_tells_of_is_forgotten(self, store: HistoryStore) -> None:
        twin = "00" + "d" * 30
        store.record(JOB, {NEAR: ("near", seen(1)), twin: ("twin", seen(1))}, now=START)
        late = seen(2, at=START + timedelta(hours=1) + FORGET_AFTER)
        store.record(JOB, {twin: ("twin", late)}, now=late.at)

        assert [test.id for test in store.of_job(JOB)] == [twin]

    def test_tests_that_are_not_well_are_found_by_team_and_by_suite(self, store: HistoryStore) -> None:
        self.record(store, seen(1, "l"), NEAR)
        self.record(store, seen(1, "p"), FAR)
        self.record(store, seen(1, "l"), FAR, job=replace(CHROME, suite="web"))

        assert [(job, test.id) for job, test in store.unwell("demo", None)] == [
            (JOB, NEAR),
            (replace(CHROME, suite="web"), FAR),
        ]
        assert [test.id for _, test in store.unwell("demo", "shop")] == [NEAR]
        assert not list(store.unwell("other", None))
        assert not list(store.unwell("demo", "sho"))

    def test_a_test_that_is_well_again_is_no_longer_listed(self, store: HistoryStore) -> None:
        self.record(store, seen(1, "l"))
        self.record(store, seen(200))  # more than a week later

        assert not list(store.unwell("demo", "shop"))
        assert self.one(store).state is FlakyState.HEALTHY

    def test_nothing_told_changes_nothing(self, store: HistoryStore) -> None:
        store.record(JOB, {}, now=START)

        assert store.jobs("demo", "shop") == ()


class TestMemoryHistoryStore(HistoryStoreContract):
    @pytest.fixture
    def store(self) -> HistoryStore:
        return MemoryHistoryStore()


class TestDynamoHistoryStore(HistoryStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> HistoryStore:
        return DynamoHistoryStore(dynamo=tables.dynamo, table=tables.tests, pause=lambda _: None)


LOGIN = Quarantine(
    team="demo",
    suite="shop",
    test="api",
    name="t.py::test_login[ü]",
    mode=QuarantineMode.MUTE,
    owner="ada",
    reason="times out on Mondays",
    ticket=None,
    created_at=START,
    created_by="ada",
    expires_at=START + timedelta(days=14),
)


class QuarantineStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> QuarantineStore: ...

    def test_a_quarantine_comes_back_as_it_was(self, store: QuarantineStore) -> None:
        assert store.put(LOGIN)

        assert store.of_suite("demo", "shop") == (LOGIN,)

    def test_a_second_put_replaces(self, store: QuarantineStore) -> None:
        store.put(LOGIN)
        longer = replace(LOGIN, expires_at=START + timedelta(days=20), ticket="SHOP-1")

        assert not store.put(longer)

        assert store.of_suite("demo", "shop") == (longer,)

    def test_quarantines_are_listed_by_suite_and_by_team(self, store: QuarantineStore) -> None:
        other = replace(LOGIN, suite="shop2")
        store.put(other)
        store.put(LOGIN)
        store.put(replace(LOGIN, team="other"))

        assert store.of_suite("demo", "shop") == (LOGIN,)
        assert store.of_team("demo") == (LOGIN, other)

    def test_a_deleted_one_is_gone(self, store: QuarantineStore) -> None:
        store.put(LOGIN)
        store.delete("demo", "shop", "api", LOGIN.name)

        assert store.of_suite("demo", "shop") == ()
        with pytest.raises(NotFoundError):
            store.delete("demo", "shop", "api", LOGIN.name)


class TestMemoryQuarantineStore(QuarantineStoreContract):
    @pytest.fixture
    def store(self) -> QuarantineStore:
        return MemoryQuarantineStore()


class TestDynamoQuarantineStore(QuarantineStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> QuarantineStore:
        return DynamoQuarantineStore(dynamo=tables.dynamo, table=tables.tests)
