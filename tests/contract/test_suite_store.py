"""SuiteStore: the fake and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from crosswind.adapters.aws.suite_store import DynamoSuiteStore
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.runs.ports import SuiteRecord, SuiteStore
from tests.fakes import START, MemorySuiteStore
from tests.stores.embedded import Tables

SHOP = SuiteRecord(
    team="demo",
    name="shop",
    digest="sha256:aa",
    updated_at=START,
    updated_by="ada",
    spec={"spec": {"stages": [{"name": "größe", "share": 1.0, "count": 1, "none": None}]}},
)


class SuiteStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> SuiteStore: ...

    def test_a_suite_comes_back_as_it_was(self, store: SuiteStore) -> None:
        assert store.put(SHOP)

        assert store.get("demo", "shop") == SHOP

    def test_a_second_put_replaces(self, store: SuiteStore) -> None:
        store.put(SHOP)
        newer = replace(SHOP, digest="sha256:bb", spec={})

        assert not store.put(newer)

        assert store.get("demo", "shop") == newer

    def test_a_suite_of_another_team_is_not_found(self, store: SuiteStore) -> None:
        store.put(SHOP)

        with pytest.raises(NotFoundError):
            store.get("other", "shop")

    def test_a_deleted_suite_is_gone(self, store: SuiteStore) -> None:
        store.put(SHOP)

        store.delete("demo", "shop")

        with pytest.raises(NotFoundError):
            store.get("demo", "shop")
        with pytest.raises(NotFoundError):
            store.delete("demo", "shop")

    def test_suites_are_listed_by_name_and_in_pages(self, store: SuiteStore) -> None:
        for name in ("web", "api", "shop"):
            store.put(replace(SHOP, name=name))
        store.put(replace(SHOP, team="other", name="alien"))

        first = store.list_suites("demo", limit=2, cursor=None)
        assert [suite.name for suite in first.items] == ["api", "shop"]
        assert first.cursor is not None

        second = store.list_suites("demo", limit=2, cursor=first.cursor)
        assert [suite.name for suite in second.items] == ["web"]
        assert second.cursor is None

    def test_a_full_last_page_has_no_cursor(self, store: SuiteStore) -> None:
        store.put(SHOP)

        assert store.list_suites("demo", limit=1, cursor=None).cursor is None

    def test_cursors_that_are_not_ours_are_refused(self, store: SuiteStore) -> None:
        for name in ("api", "shop"):
            store.put(replace(SHOP, name=name))
        cursor = store.list_suites("demo", limit=1, cursor=None).cursor
        assert cursor is not None

        with pytest.raises(InvalidInputError):
            store.list_suites("other", limit=1, cursor=cursor)
        with pytest.raises(InvalidInputError):
            store.list_suites("demo", limit=1, cursor="nonsense")


class TestMemorySuiteStore(SuiteStoreContract):
    @pytest.fixture
    def store(self) -> SuiteStore:
        return MemorySuiteStore()


class TestDynamoSuiteStore(SuiteStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> SuiteStore:
        return DynamoSuiteStore(dynamo=tables.dynamo, table=tables.runs)
