"""What lies in the two tables, as docs/data-model.md says it: keys, indexes, expiry, sizes."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.adapters.aws.attributes import UnknownSchemaError
from crosswind.adapters.aws.cursors import write_cursor
from crosswind.adapters.aws.document_store import DynamoDocumentStore
from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.adapters.aws.run_store import DynamoRunStore
from crosswind.adapters.aws.work_store import ADMISSIONS_AT_ONCE, DynamoWorkStore
from crosswind.contracts.requests import RunState
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.errors import InvalidInputError, TooLargeError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.runs.admission.ports import TeamSettings
from crosswind.runs.model import Case, WorkState
from crosswind.runs.ports import DocumentRecord, RunFilter
from tests.fakes import START, SettableClock, make_event, make_run, make_work
from tests.stores.embedded import Tables

RETENTION = timedelta(days=90)
RUN_1 = "run-00000000000000000000000001"
ITEM_LIMIT = 400 * 1024


@pytest.fixture
def runs(tables: Tables) -> DynamoRunStore:
    return DynamoRunStore(dynamo=tables.dynamo, table=tables.runs, clock=SettableClock(), retention=RETENTION)


@pytest.fixture
def work(tables: Tables) -> DynamoWorkStore:
    return DynamoWorkStore(
        dynamo=tables.dynamo, runs_table=tables.runs, queue_table=tables.queue, retention=RETENTION
    )


@pytest.fixture
def written(tables: Tables) -> Iterator[Callable[[], list[str]]]:
    """The DynamoDB operations since this was last asked, reads left out."""
    seen: list[str] = []

    def record(model: Any, **_: Any) -> None:
        if model.name not in {"GetItem", "Query", "Scan"}:
            seen.append(model.name)

    tables.client.meta.events.register("before-call.dynamodb", record)

    def take() -> list[str]:
        taken = seen.copy()
        seen.clear()
        return taken

    yield take
    tables.client.meta.events.unregister("before-call.dynamodb", record)


def keys(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["pk"]["S"], item["sk"]["S"]) for item in items]


def test_a_run_its_work_and_its_failures_share_a_partition(
    tables: Tables, runs: DynamoRunStore, work: DynamoWorkStore
) -> None:
    runs.create(make_run(), idempotency=None)
    work.save(None, make_work())
    runs.add_failures(RUN_1, "shard-00000", [])

    assert keys(tables.items(tables.runs)) == [
        (f"RUN#{RUN_1}", "FAILURES#shard-00000"),
        (f"RUN#{RUN_1}", "RUN"),
        (f"RUN#{RUN_1}", "WORK#shard-00000"),
    ]


def test_the_lists_of_the_queue_lie_in_partitions_of_their_own(tables: Tables, work: DynamoWorkStore) -> None:
    queue = DynamoQueueStore(dynamo=tables.dynamo, table=tables.queue)
    work.save(None, make_work(0))
    work.save(None, make_work(1, state=WorkState.ADMITTED))
    work.save(None, make_work(2, attempt=2, not_before=START + timedelta(seconds=8)))
    queue.save_team(TeamSettings("demo"))
    queue.pause_run(RUN_1, until=START)
    queue.want()
    queue.lead("a", now=START, duration=timedelta(seconds=20))
    queue.register_slots(2)

    assert keys(tables.items(tables.queue)) == [
        ("ACTIVE", f"{RUN_1}#shard-00001"),
        ("CAPACITY", "CAPACITY"),
        ("CAPACITY", f"PAUSED#{RUN_1}"),
        ("CAPACITY", "TEAM#demo"),
        (f"LANE#{RUN_1}", "LATER#2026-01-31T08:00:08.000Z#shard-00002"),
        (f"LANE#{RUN_1}", "READY#0999999000#2026-01-31T08:00:00.000Z#shard-00000"),
        ("LANES", RUN_1),
        ("SCHEDULER", "TERM"),
        ("SCHEDULER", "WAKEUPS"),
    ]


def test_a_shard_that_goes_well_costs_three_transactions_and_plain_writes_between(
    work: DynamoWorkStore, written: Callable[[], list[str]]
) -> None:
    waiting = work.save(None, make_work())
    admitted = work.save(waiting, replace(waiting, state=WorkState.ADMITTED))
    leased = work.save(admitted, replace(admitted, state=WorkState.LEASED, epoch=1))
    beaten = work.save(leased, replace(leased, progress=replace(leased.progress, tests_done=1)))
    done = work.save(beaten, replace(beaten, state=WorkState.DONE))
    work.save(done, replace(done, token=None))

    assert written() == [
        "TransactWriteItems",
        "UpdateItem",
        "TransactWriteItems",
        "PutItem",
        "PutItem",
        "TransactWriteItems",
        "PutItem",
    ]


def test_thirty_admissions_cost_one_transaction(
    tables: Tables, work: DynamoWorkStore, written: Callable[[], list[str]]
) -> None:
    queue = DynamoQueueStore(dynamo=tables.dynamo, table=tables.queue)
    term = queue.lead("a", now=START, duration=timedelta(seconds=20))
    assert term is not None
    waiting = [work.save(None, make_work(number)) for number in range(31)]
    written()

    work.admit_all([(one, replace(one, state=WorkState.ADMITTED)) for one in waiting], fence=term.fence)

    assert written() == ["TransactWriteItems", "TransactWriteItems"]


def test_admissions_before_the_fence_moved_are_told_and_the_rest_is_refused(
    tables: Tables, work: DynamoWorkStore
) -> None:
    queue = DynamoQueueStore(dynamo=tables.dynamo, table=tables.queue)
    term = queue.lead("a", now=START, duration=timedelta(seconds=20))
    assert term is not None
    waiting = [work.save(None, make_work(number)) for number in range(ADMISSIONS_AT_ONCE + 1)]
    pairs = [(one, replace(one, state=WorkState.ADMITTED)) for one in waiting]

    class Overtaken(Dynamo):
        def transact(self, actions: Sequence[Any]) -> None:
            super().transact(actions)
            assert queue.lead("b", now=START + timedelta(seconds=20), duration=timedelta(seconds=20))

    slow = replace(work, dynamo=Overtaken(tables.client, pause=lambda _: None))
    written = slow.admit_all(pairs, fence=term.fence)

    assert [one.key for one in written] == [one.key for one in waiting[:-1]]
    assert len(queue.active()) == ADMISSIONS_AT_ONCE
    with pytest.raises(WriteConflictError):
        work.admit_all(pairs[-1:], fence=term.fence)


def test_only_runs_are_in_the_index_by_team(
    tables: Tables, runs: DynamoRunStore, work: DynamoWorkStore
) -> None:
    runs.create(make_run(), idempotency=IdempotencyKey("demo", "k", "d"))
    work.save(None, make_work())
    runs.add_failures(RUN_1, "shard-00000", [])

    indexed = [item for item in tables.items(tables.runs) if "teamKey" in item]

    assert keys(indexed) == [(f"RUN#{RUN_1}", "RUN")]
    assert indexed[0]["createdKey"] == {"S": f"2026-01-31T08:00:00.000Z#{RUN_1}"}


def test_a_finished_run_leaves_the_index_of_unfinished_ones_and_gets_an_expiry(
    tables: Tables, runs: DynamoRunStore
) -> None:
    run, _ = runs.create(make_run(), idempotency=None)
    (stored,) = tables.items(tables.runs)
    assert (stored["unfinishedKey"]["S"], stored["runKey"]["S"]) == ("UNFINISHED", RUN_1)
    assert "expiresAt" not in stored

    runs.save(replace(run, state=RunState.FINISHED, finished_at=START))

    (stored,) = tables.items(tables.runs)
    assert "unfinishedKey" not in stored
    assert "runKey" not in stored
    assert stored["expiresAt"] == {"N": str(int((START + RETENTION).timestamp()))}


def test_work_outlives_the_record_of_its_run(tables: Tables, work: DynamoWorkStore) -> None:
    work.save(None, make_work())

    (stored,) = tables.items(tables.runs)

    assert int(stored["expiresAt"]["N"]) == int((START + RETENTION + timedelta(days=7)).timestamp())


def test_keys_and_preparations_expire_and_unsent_events_do_not(tables: Tables, runs: DynamoRunStore) -> None:
    run, _ = runs.create(make_run(), idempotency=IdempotencyKey("demo", "k", "d"))
    runs.remember_preparation("sha256:aa", discovery_key="d", until=START + timedelta(days=7))
    runs.finish(run, make_event())

    expiry = {item["pk"]["S"].split("#")[0]: item.get("expiresAt") for item in tables.items(tables.runs)}

    assert expiry["IDEMPOTENCY"] == {"N": str(int((START + timedelta(hours=24)).timestamp()))}
    assert expiry["PREPARATION"] == {"N": str(int((START + timedelta(days=7)).timestamp()))}
    assert expiry["OUTBOX"] is None


def test_nothing_in_the_queue_table_expires_but_the_pause_of_a_run(
    tables: Tables, work: DynamoWorkStore
) -> None:
    queue = DynamoQueueStore(dynamo=tables.dynamo, table=tables.queue)
    work.save(None, make_work())
    queue.lead("a", now=START, duration=timedelta(seconds=20))
    queue.pause_run(RUN_1, until=START)

    expiring = [item for item in tables.items(tables.queue) if "expiresAt" in item]
    assert keys(expiring) == [("CAPACITY", f"PAUSED#{RUN_1}")]


def test_a_field_of_a_later_edition_is_ignored(tables: Tables, runs: DynamoRunStore) -> None:
    run, _ = runs.create(make_run(), idempotency=None)
    (stored,) = tables.items(tables.runs)
    tables.client.put_item(TableName=tables.runs, Item={**stored, "colour": {"S": "green"}})

    assert runs.get(RUN_1) == run


def test_an_item_of_a_later_schema_is_not_read(tables: Tables, runs: DynamoRunStore) -> None:
    runs.create(make_run(), idempotency=None)
    (stored,) = tables.items(tables.runs)
    tables.client.put_item(TableName=tables.runs, Item={**stored, "schema": {"N": "2"}})

    with pytest.raises(UnknownSchemaError):
        runs.get(RUN_1)


def test_failures_are_cut_to_what_an_item_holds(tables: Tables, runs: DynamoRunStore) -> None:
    noise = random.Random(1)  # noqa: S311  # incompressible, not secret
    cases = [
        Case(
            id=f"id-{number}",
            test="api",
            variant="",
            name=f"test_{number}",
            status=CaseStatus.FAILED,
            duration_seconds=0.1,
            work_id="shard-00000",
            details=noise.randbytes(8 * 1024).hex(),
        )
        for number in range(100)
    ]

    runs.add_failures(RUN_1, "shard-00000", cases)

    (stored,) = tables.items(tables.runs)
    kept = runs.failures(RUN_1)
    assert len(stored["cases"]["B"]) < ITEM_LIMIT
    assert len(kept) >= 10
    assert kept == tuple(cases[: len(kept)])


def test_the_largest_suite_fits_and_one_that_does_not_is_refused(tables: Tables) -> None:
    suites = DynamoDocumentStore(dynamo=tables.dynamo, table=tables.runs)
    noise = random.Random(1)  # noqa: S311  # incompressible, not secret
    plain: dict[str, object] = {"text": json.dumps([f"tests/test_{number}.py" for number in range(40_000)])}
    dense: dict[str, object] = {"text": noise.randbytes(512 * 1024).hex()}
    record = DocumentRecord("demo", "shop", "sha256:aa", START, "ada", plain)

    assert len(str(plain)) > 900_000
    suites.put(record)
    assert suites.get("demo", "shop") == record

    with pytest.raises(TooLargeError):
        suites.put(replace(record, spec=dense))


def test_a_run_over_the_size_of_an_item_is_refused_as_too_large(runs: DynamoRunStore) -> None:
    run, _ = runs.create(make_run(), idempotency=None)

    with pytest.raises(TooLargeError):
        runs.save(replace(run, parameters={"text": "x" * ITEM_LIMIT}))


def test_a_cursor_with_a_foreign_sort_key_is_refused(runs: DynamoRunStore) -> None:
    for last in ("", "RUN", "2026-01-31", f"2026-01-31T08:00:00.000Z#{RUN_1}#x", "x" * 400):
        with pytest.raises(InvalidInputError):
            runs.list_runs(RunFilter("demo"), limit=1, cursor=write_cursor(team="demo", last=last))


def test_a_forged_cursor_reads_only_the_runs_of_its_own_team(runs: DynamoRunStore) -> None:
    runs.create(make_run(1, team="other"), idempotency=None)
    runs.create(make_run(2, team="demo"), idempotency=None)
    last = "2099-01-31T08:00:00.000Z#" + RUN_1

    page = runs.list_runs(RunFilter("demo"), limit=5, cursor=write_cursor(team="demo", last=last))

    assert {run.team for run in page.items} <= {"demo"}
