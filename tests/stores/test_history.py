"""The tests table: few calls, pages that stay small, and writers that meet."""

import json
from dataclasses import replace
from typing import Any

import pytest

from crosswind.adapters.aws.attributes import from_item, unpack
from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.history_items import QUARANTINES_SHOWN, pack_tests, unpack_tests
from crosswind.adapters.aws.history_store import DynamoHistoryStore, DynamoQuarantineStore
from crosswind.adapters.aws.keys import quarantine_key
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.history.model import JobKey, Observation
from crosswind.runs.history.observing import FORGET_AFTER, NAME_CHARACTERS, OBSERVATIONS
from tests.fakes import START
from tests.stores.embedded import Tables
from tests.unit.runs.history.samples import quarantine, runs, seen, told

JOB = JobKey("demo", "shop", "api", "browser=chrome")
ID = "00" + "a" * 30
SAME_PAGE = "00" + "b" * 30


class CountingClient:
    """Counts calls by operation. `before_put` runs once, in front of the next write of a page."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: dict[str, int] = {}
        self.before_put: Any = None

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            if self.before_put and name == "put_item" and "packed" in given["Item"]:
                first, self.before_put = self.before_put, None
                first()
            return getattr(self._client, name)(**given)

        return call


@pytest.fixture
def client(tables: Tables) -> CountingClient:
    return CountingClient(tables.client)


@pytest.fixture
def store(tables: Tables, client: CountingClient) -> DynamoHistoryStore:
    dynamo = Dynamo(client, pause=lambda _: None)  # type: ignore[arg-type]  # counts in front of the real one
    return DynamoHistoryStore(dynamo=dynamo, table=tables.tests, pause=lambda _: None)


def tell(store: DynamoHistoryStore, observation: Observation, *ids: str) -> None:
    store.record(JOB, {case_id: (case_id[:4], observation) for case_id in ids}, now=observation.at)


def test_tests_of_one_page_are_one_write(store: DynamoHistoryStore, client: CountingClient) -> None:
    tell(store, seen(1, "p"), *(f"00{number:030x}" for number in range(300)))
    assert client.calls == {"put_item": 2, "batch_get_item": 1}  # the job's line, and the page


def test_a_run_told_again_writes_no_page(store: DynamoHistoryStore, client: CountingClient) -> None:
    tell(store, seen(1, "p"), ID)
    client.calls.clear()
    tell(store, seen(1, "p"), ID)
    assert client.calls == {"put_item": 1, "batch_get_item": 1}  # the job's line, which says that it lives


def test_runs_that_end_together_lose_nothing(store: DynamoHistoryStore, client: CountingClient) -> None:
    tell(store, seen(1, "p"), ID)
    client.before_put = lambda: tell(store, seen(2, "f"), ID, SAME_PAGE)
    tell(store, seen(3, "p"), ID)
    found = store.get(JOB, [ID, SAME_PAGE])
    assert [each.outcome for each in found[ID].observations] == ["p", "f", "p"]
    assert SAME_PAGE in found


def test_tests_that_are_not_well_change_with_their_page(
    store: DynamoHistoryStore, client: CountingClient
) -> None:
    tell(store, seen(1, "p"), ID)
    client.before_put = lambda: tell(store, seen(2, "l"), ID)
    tell(store, seen(3, "p"), ID)
    ((_, copy),) = store.unwell("demo", "shop")
    assert copy == store.get(JOB, [ID])[ID]
    assert client.calls["transact_write_items"] == 2


def test_a_writer_that_always_loses_says_so(store: DynamoHistoryStore, client: CountingClient) -> None:
    def interfere() -> None:
        number = interfered.pop()
        tell(store, seen(number, "p"), ID)
        client.before_put = interfere

    interfered = list(range(2, 40))
    client.before_put = interfere
    with pytest.raises(WriteConflictError, match="page 00 of"):
        tell(store, seen(1, "p"), ID)


def test_pages_and_lines_go_when_no_run_tells_of_their_tests(
    store: DynamoHistoryStore, tables: Tables
) -> None:
    tell(store, seen(1, "l"), ID)
    expiries = {item["expiresAt"]["N"] for item in tables.items(tables.tests)}
    assert expiries == {str(int((seen(1, "l").at + FORGET_AFTER).timestamp()))}


def test_what_a_page_stores_of_a_test_is_small(store: DynamoHistoryStore, tables: Tables) -> None:
    ids = [f"00{number:030x}" for number in range(390)]  # as many as of 100,000 tests lie on one page
    for observation in runs("p" * OBSERVATIONS):
        tell(store, observation, *ids)
    (page,) = [item for item in tables.items(tables.tests) if item["sk"]["S"] == "PAGE#00"]
    assert len(page["packed"]["B"]) / len(ids) < 100


def test_a_page_that_would_not_fit_keeps_fewer_runs_and_then_fewer_tests() -> None:
    many = [told(runs("pfplpf" * 8, first=number)) for number in range(100)]
    tests = [replace(each, id=f"{number:032x}") for number, each in enumerate(many)]
    whole = pack_tests(tests)
    shorter = unpack_tests(pack_tests(tests, limit=len(whole) - 1))
    assert [test.id for test in shorter] == [test.id for test in tests]
    assert {len(test.observations) for test in shorter} == {25}
    fewer = pack_tests(tests, limit=1_000)
    assert len(fewer) <= 1_000
    assert unpack_tests(fewer)[-1].id == tests[-1].id  # the one that was seen last
    assert len(unpack_tests(fewer)) < len(tests)


def test_an_item_names_its_schema_and_its_version(store: DynamoHistoryStore, tables: Tables) -> None:
    for number in (1, 2):
        tell(store, seen(number, "p"), ID)
    (page,) = [from_item(item) for item in tables.items(tables.tests) if item["sk"]["S"] == "PAGE#00"]
    assert (page["schema"], page["version"]) == (1, 2)
    assert page["pk"].startswith("HISTORY#demo#shop#api#")
    assert json.dumps(unpack(page["packed"]))


def test_a_variant_and_a_name_of_any_length_are_stored(store: DynamoHistoryStore, tables: Tables) -> None:
    job = JobKey("demo", "shop", "api", "ü" * 3_000)
    store.record(job, {ID: ("n" * 5_000, seen(1, "p"))}, now=START)
    (test,) = store.of_job(job)
    assert len(test.name) == NAME_CHARACTERS
    assert store.jobs("demo", "shop") == (job,)
    quarantines = DynamoQuarantineStore(dynamo=tables.dynamo, table=tables.tests)
    quarantines.put(quarantine(name="ü" * 2_000))
    assert quarantines.of_suite("demo", "shop")[0].name == "ü" * 2_000


def test_an_expired_quarantine_is_shown_for_some_weeks(tables: Tables) -> None:
    held = quarantine()
    DynamoQuarantineStore(dynamo=tables.dynamo, table=tables.tests).put(held)
    place = quarantine_key(held.team, held.suite, held.test, held.name)
    item = from_item(tables.dynamo.get(tables.tests, place) or {})
    assert item["expiresAt"] == int((held.expires_at + QUARANTINES_SHOWN).timestamp())
