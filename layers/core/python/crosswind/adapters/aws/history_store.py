"""The tests' history and their quarantine, in the tests table.

A job's tests lie on 256 pages by the first two digits of their ids: a run of 100,000 tests changes 256 items, and a run
of ten at most ten. Each page is changed by compare-and-set, so that runs that end together lose nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crosswind.adapters.aws import history_items as items
from crosswind.adapters.aws.attributes import Item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    JOB_PREFIX,
    PAGE_PREFIX,
    UNWELL_PREFIX,
    history_page_key,
    history_partition,
    jobs_partition,
    quarantine_key,
    quarantine_partition,
    unwell_key,
)
from crosswind.kernel.errors import NotFoundError, WriteConflictError
from crosswind.kernel.retry import Pause, jittered_pause, retry_conflicts
from crosswind.runs.history.model import FlakyState, JobKey, Observation, Quarantine, TestHistory, Timing
from crosswind.runs.history.observing import is_forgotten, observe

Seen = Mapping[str, tuple[str, Observation]]


@dataclass(frozen=True)
class DynamoHistoryStore:
    """HistoryStore on the tests table."""

    dynamo: Dynamo
    table: str
    pause: Pause = jittered_pause

    def timings(self, job: JobKey) -> Mapping[str, Timing]:
        return {name: timing for item in self._pages(job) for name, timing in items.read_timings(item)}

    def of_job(self, job: JobKey) -> Iterator[TestHistory]:
        for item in self._pages(job):
            yield from items.read_tests(item)

    def get(self, job: JobKey, case_ids: Sequence[str]) -> Mapping[str, TestHistory]:
        wanted = set(case_ids)
        pages = sorted({items.page_of(case_id) for case_id in wanted})
        found = self.dynamo.get_many(self.table, [history_page_key(job, page) for page in pages])
        return {test.id: test for item in found for test in items.read_tests(item) if test.id in wanted}

    def jobs(self, team: str, suite: str) -> tuple[JobKey, ...]:
        return tuple(sorted(map(items.read_job, self._lines(jobs_partition(team), f"{JOB_PREFIX}{suite}#"))))

    def unwell(self, team: str, suite: str | None) -> Iterator[tuple[JobKey, TestHistory]]:
        prefix = f"{UNWELL_PREFIX}{suite}#" if suite else UNWELL_PREFIX
        for item in self._lines(jobs_partition(team), prefix):
            job = items.read_job(item)
            for test in items.read_tests(item):
                yield job, test

    def record(self, job: JobKey, seen: Seen, *, now: datetime) -> None:
        if not seen:
            return
        self.dynamo.put(self.table, items.job_item(job, now=now))
        by_page: dict[str, dict[str, tuple[str, Observation]]] = defaultdict(dict)
        for case_id, told in seen.items():
            by_page[items.page_of(case_id)][case_id] = told
        pages = sorted(by_page)
        stored = self.dynamo.get_many(self.table, [history_page_key(job, page) for page in pages])
        known = {item["sk"]["S"].removeprefix(PAGE_PREFIX): item for item in stored}
        for page in pages:
            self._change(job, page, by_page[page], known.get(page), now=now)

    def _change(self, job: JobKey, page: str, seen: Seen, stored: Item | None, *, now: datetime) -> None:
        """Change a page by compare-and-set. `stored` was read together with the other pages."""
        try:
            self._try(job, page, seen, stored, now=now)
        except WriteConflictError:
            place = history_page_key(job, page)
            retry_conflicts(
                lambda: self._try(job, page, seen, self.dynamo.get(self.table, place), now=now),
                pause=self.pause,
            )

    def _try(self, job: JobKey, page: str, seen: Seen, stored: Item | None, *, now: datetime) -> None:
        before = items.read_tests(stored) if stored else ()
        tests = _observed(before, seen, now=now)
        if tests != before:
            version = items.read_version(stored) if stored else None
            self._write(job, page, before, tests, version=version, now=now)

    def _write(
        self,
        job: JobKey,
        page: str,
        before: Sequence[TestHistory],
        tests: Sequence[TestHistory],
        *,
        version: int | None,
        now: datetime,
    ) -> None:
        """Write a page; where its tests that are not well change, their copies go with it in one transaction."""
        item = items.page_item(job, page, tests, version=(version or 0) + 1, now=now)
        unwell = [test for test in tests if test.state is not FlakyState.HEALTHY]
        lost = WriteConflictError(f"page {page} of {job} was changed by another writer")
        if unwell == [test for test in before if test.state is not FlakyState.HEALTHY]:
            try:
                self.dynamo.put(self.table, item, **expect(version))
            except ConditionFailedError as error:
                raise lost from error
            return
        copies: dict[str, Any] = (
            {"Put": {"TableName": self.table, "Item": items.unwell_item(job, page, unwell, now=now)}}
            if unwell
            else {"Delete": {"TableName": self.table, "Key": unwell_key(job, page)}}
        )
        try:
            self.dynamo.transact(
                [{"Put": {"TableName": self.table, "Item": item, **expect(version)}}, copies]
            )
        except TransactionFailedError as error:
            raise lost from error

    def _pages(self, job: JobKey) -> Iterator[Item]:
        return self._lines(history_partition(job), PAGE_PREFIX)

    def _lines(self, partition: str, prefix: str) -> Iterator[Item]:
        return _query(self.dynamo, self.table, partition, prefix, consistent=False)


def _observed(before: Sequence[TestHistory], seen: Seen, *, now: datetime) -> tuple[TestHistory, ...]:
    tests = {test.id: test for test in before}
    for case_id, (name, observation) in seen.items():
        tests[case_id] = observe(
            tests.get(case_id), case_id=case_id, name=name, observation=observation, now=now
        )
    kept = (test for test in tests.values() if not is_forgotten(test, now=now))
    return tuple(sorted(kept, key=lambda test: test.id))


@dataclass(frozen=True)
class DynamoQuarantineStore:
    """QuarantineStore on the tests table."""

    dynamo: Dynamo
    table: str

    def put(self, quarantine: Quarantine) -> bool:
        return self.dynamo.put(self.table, items.quarantine_item(quarantine)) is None

    def delete(self, team: str, suite: str, test: str, name: str) -> None:
        if self.dynamo.delete(self.table, quarantine_key(team, suite, test, name)) is None:
            raise NotFoundError(f"test {name!r} of job {test} in suite {suite} is not in quarantine")

    def of_suite(self, team: str, suite: str) -> tuple[Quarantine, ...]:
        return self._read(team, f"{suite}#")

    def of_team(self, team: str) -> tuple[Quarantine, ...]:
        return self._read(team, "")

    def _read(self, team: str, prefix: str) -> tuple[Quarantine, ...]:
        found = _query(self.dynamo, self.table, quarantine_partition(team), prefix, consistent=True)
        return tuple(
            sorted(map(items.read_quarantine, found), key=lambda each: (each.suite, each.test, each.name))
        )


def _query(dynamo: Dynamo, table: str, partition: str, prefix: str, *, consistent: bool) -> Iterator[Item]:
    condition = "pk = :pk" + (" AND begins_with(sk, :prefix)" if prefix else "")
    values = {":pk": {"S": partition}} | ({":prefix": {"S": prefix}} if prefix else {})
    query = {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ConsistentRead": consistent,
    }
    for page in dynamo.query(table, **query):
        yield from page["Items"]
