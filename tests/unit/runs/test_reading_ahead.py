"""Reading many shards' cases: in order, a bounded number ahead, large ones streamed."""

import os
from threading import Lock
from typing import BinaryIO

import pytest

from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.model import Case
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading_ahead import AHEAD, SMALL_BYTES, reading_ahead
from tests.fakes import MemoryObjectStore


class CountingStore(MemoryObjectStore):
    """Counts what was fetched whole, and what was streamed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.streamed: list[str] = []
        self._lock = Lock()

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        with self._lock:
            self.fetched.append(key)
        return super().get(key, limit_bytes=limit_bytes)

    def open(self, key: str) -> BinaryIO:
        self.streamed.append(key)
        return super().open(key)


def stored(count: int) -> tuple[CountingStore, list[str]]:
    store = CountingStore()
    keys = [f"shard-{number}" for number in range(count)]
    for key in keys:
        documents.write_cases(store, key, [any_case(f"{key}-a"), any_case(f"{key}-b")])
    return store, keys


def any_case(identity: str, *, details: str | None = None) -> Case:
    return Case(
        id=identity,
        test="unit",
        variant="",
        name=identity,
        status=CaseStatus.PASSED,
        duration_seconds=0.0,
        work_id="shard-00000",
        details=details,
    )


def test_cases_come_in_the_order_asked() -> None:
    store, keys = stored(100)
    with reading_ahead(store, keys) as ahead:
        found = [case.id for key in keys for case in ahead.cases(key)]
    assert found == [f"{key}-{part}" for key in keys for part in "ab"]
    assert sorted(store.fetched) == sorted(keys)
    assert store.streamed == []


def test_no_more_than_a_bounded_number_is_held_ahead() -> None:
    store, keys = stored(100)
    with reading_ahead(store, keys) as ahead:
        for taken, key in enumerate(keys, start=1):
            list(ahead.cases(key))
            assert len(store.fetched) <= taken + AHEAD


def test_a_large_object_is_streamed() -> None:
    store, keys = stored(2)
    noise = os.urandom(2 * SMALL_BYTES).hex()  # random digits pack to half of their number
    documents.write_cases(store, keys[0], [any_case("large", details=noise)])
    with reading_ahead(store, keys) as ahead:
        assert [case.id for case in ahead.cases(keys[0])] == ["large"]
        assert len(list(ahead.cases(keys[1]))) == 2
    assert store.streamed == [keys[0]]


def test_an_object_that_is_gone_is_told_at_its_turn() -> None:
    store, keys = stored(3)
    del store.objects[keys[1]]
    with reading_ahead(store, keys) as ahead:
        assert list(ahead.cases(keys[0]))
        with pytest.raises(NotFoundError):
            list(ahead.cases(keys[1]))
        assert list(ahead.cases(keys[2]))
