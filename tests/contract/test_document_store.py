"""DocumentStore: the fake and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from crosswind.adapters.aws.document_store import DynamoDocumentStore
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.runs.ports import DocumentRecord, DocumentStore
from tests.fakes import START, MemoryDocumentStore
from tests.stores.embedded import Tables

SHOP = DocumentRecord(
    team="demo",
    name="shop",
    digest="sha256:aa",
    updated_at=START,
    updated_by="ada",
    spec={"spec": {"stages": [{"name": "größe", "share": 1.0, "count": 1, "none": None}]}},
)


class DocumentStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> DocumentStore: ...

    def test_a_suite_comes_back_as_it_was(self, store: DocumentStore) -> None:
        assert store.put(SHOP)

        assert store.get("demo", "shop") == SHOP

    def test_a_second_put_replaces(self, store: DocumentStore) -> None:
        store.put(SHOP)
        newer = replace(SHOP, digest="sha256:bb", spec={})

        assert not store.put(newer)

        assert store.get("demo", "shop") == newer

    def test_a_suite_of_another_team_is_not_found(self, store: DocumentStore) -> None:
        store.put(SHOP)

        with pytest.raises(NotFoundError):
            store.get("other", "shop")

    def test_a_deleted_suite_is_gone(self, store: DocumentStore) -> None:
        store.put(SHOP)

        store.delete("demo", "shop")

        with pytest.raises(NotFoundError):
            store.get("demo", "shop")
        with pytest.raises(NotFoundError):
            store.delete("demo", "shop")

    def test_suites_are_listed_by_name_and_in_pages(self, store: DocumentStore) -> None:
        for name in ("web", "api", "shop"):
            store.put(replace(SHOP, name=name))
        store.put(replace(SHOP, team="other", name="alien"))

        first = store.list_documents("demo", limit=2, cursor=None)
        assert [suite.name for suite in first.items] == ["api", "shop"]
        assert first.cursor is not None

        second = store.list_documents("demo", limit=2, cursor=first.cursor)
        assert [suite.name for suite in second.items] == ["web"]
        assert second.cursor is None

    def test_a_full_last_page_has_no_cursor(self, store: DocumentStore) -> None:
        store.put(SHOP)

        assert store.list_documents("demo", limit=1, cursor=None).cursor is None

    def test_cursors_that_are_not_ours_are_refused(self, store: DocumentStore) -> None:
        for name in ("api", "shop"):
            store.put(replace(SHOP, name=name))
        cursor = store.list_documents("demo", limit=1, cursor=None).cursor
        assert cursor is not None

        with pytest.raises(InvalidInputError):
            store.list_documents("other", limit=1, cursor=cursor)
        with pytest.raises(InvalidInputError):
            store.list_documents("demo", limit=1, cursor="nonsense")


class TestMemoryDocumentStore(DocumentStoreContract):
    @pytest.fixture
    def store(self) -> DocumentStore:
        return MemoryDocumentStore()


class TestDynamoDocumentStore(DocumentStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> DocumentStore:
        return DynamoDocumentStore(dynamo=tables.dynamo, table=tables.runs)
