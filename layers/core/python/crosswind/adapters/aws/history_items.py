"""The tests' history as items of the tests table, and back.

A page holds the tests of a job whose ids begin with the same two digits. What all of them share, the runs that they were
seen in, is written once, and a test refers to it by position: equal lists of numbers pack to almost nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import (
    SCHEMA,
    Item,
    Values,
    from_item,
    iso,
    moment,
    pack,
    to_item,
    unpack,
)
from crosswind.adapters.aws.keys import history_page_key, job_key, quarantine_key, unwell_key
from crosswind.adapters.aws.run_items import PACKED_LIMIT
from crosswind.adapters.aws.work_items import expires_at
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.runs.history.model import (
    Alarm,
    FlakyState,
    JobKey,
    Monitor,
    Observation,
    Quarantine,
    QuarantineMode,
    TestHistory,
    Timing,
)
from crosswind.runs.history.observing import FORGET_AFTER, OBSERVATIONS, shortened, timing

QUARANTINES_SHOWN = timedelta(days=30)  # an expired one is listed for so long
_FEWEST = 5  # observations that a page keeps of each test, though it be full


def page_of(case_id: str) -> str:
    """The page that a test lies on."""
    return case_id[:2]


def page_item(job: JobKey, page: str, tests: Sequence[TestHistory], *, version: int, now: datetime) -> Item:
    """The stored form of a page, with as many observations of each test as fit."""
    return history_page_key(job, page) | to_item(
        {
            "schema": SCHEMA,
            "version": version,
            "expiresAt": expires_at(now + FORGET_AFTER),
            "packed": pack_tests(tests),
        }
    )


def unwell_item(job: JobKey, page: str, tests: Sequence[TestHistory], *, now: datetime) -> Item:
    """Copies of the tests of a page that are not well, where one query finds those of a whole team."""
    return unwell_key(job, page) | _named(job, now) | to_item({"packed": pack_tests(tests)})


def job_item(job: JobKey, *, now: datetime) -> Item:
    """The stored form of a job that has a history."""
    return job_key(job) | _named(job, now)


def read_job(item: Item) -> JobKey:
    """The job that an item names."""
    values = from_item(item)
    return JobKey(team=values["team"], suite=values["suite"], test=values["test"], variant=values["variant"])


def read_tests(item: Item) -> tuple[TestHistory, ...]:
    """The tests of a page, or those of it that are not well, by id."""
    return unpack_tests(from_item(item)["packed"])


def pack_tests(tests: Sequence[TestHistory], *, limit: int = PACKED_LIMIT) -> bytes:
    """Tests in at most `limit` bytes: of too many, first only the newest runs are kept, then only the latest tests."""
    keep = OBSERVATIONS + 1  # the last may be one that was skipped
    packed = pack(_document(tests))
    while len(packed) > limit and keep > _FEWEST:
        keep = max(keep // 2, _FEWEST)
        packed = pack(_document([shortened(test, keep=keep) for test in tests]))
    while len(packed) > limit:
        tests = sorted(tests, key=_last_seen)[len(tests) // 2 :]
        packed = pack(_document([shortened(test, keep=_FEWEST) for test in tests]))
    return packed


def unpack_tests(packed: bytes) -> tuple[TestHistory, ...]:
    """What `pack_tests` kept, by id."""
    document = unpack(packed)
    runs = _Runs(document["runs"])
    return tuple(_read_test(row, runs) for row in document["tests"])


def read_version(item: Item) -> int:
    """The version of a page."""
    version: int = from_item(item)["version"]
    return version


def read_timings(item: Item) -> Iterator[tuple[str, Timing]]:
    """Name and timing of each test of a page that has passed: without making the rest, which planning does not need."""
    for row in unpack(from_item(item)["packed"])["tests"]:
        if row["ms"]:
            yield row["name"], timing([each / 1000 for each in row["ms"]])


def quarantine_item(quarantine: Quarantine) -> Item:
    """The stored form of a quarantine."""
    place = quarantine_key(quarantine.team, quarantine.suite, quarantine.test, quarantine.name)
    return place | to_item(
        {
            "schema": SCHEMA,
            "expiresAt": expires_at(quarantine.expires_at + QUARANTINES_SHOWN),
            "team": quarantine.team,
            "suite": quarantine.suite,
            "test": quarantine.test,
            "name": quarantine.name,
            "mode": quarantine.mode.value,
            "owner": quarantine.owner,
            "reason": quarantine.reason,
            "ticket": quarantine.ticket,
            "createdAt": to_iso(quarantine.created_at),
            "createdBy": quarantine.created_by,
            "until": to_iso(quarantine.expires_at),
        }
    )


def read_quarantine(item: Item) -> Quarantine:
    """The quarantine that an item holds."""
    values = from_item(item)
    return Quarantine(
        team=values["team"],
        suite=values["suite"],
        test=values["test"],
        name=values["name"],
        mode=QuarantineMode(values["mode"]),
        owner=values["owner"],
        reason=values["reason"],
        ticket=values.get("ticket"),
        created_at=from_iso(values["createdAt"]),
        created_by=values["createdBy"],
        expires_at=from_iso(values["until"]),
    )


def _named(job: JobKey, now: datetime) -> Item:
    return to_item(
        {
            "schema": SCHEMA,
            "expiresAt": expires_at(now + FORGET_AFTER),
            "team": job.team,
            "suite": job.suite,
            "test": job.test,
            "variant": job.variant,
        }
    )


def _last_seen(test: TestHistory) -> datetime:
    return test.observations[-1].at


def _document(tests: Iterable[TestHistory]) -> dict[str, Any]:
    ordered = sorted(tests, key=lambda test: test.id)
    runs: dict[str, Observation] = {}
    for test in ordered:
        for each in test.observations:
            runs.setdefault(each.run_id, each)
    positions = {run_id: position for position, run_id in enumerate(runs)}
    return {
        "runs": [_run_row(each) for each in runs.values()],
        "tests": [_test_row(test, positions) for test in ordered],
    }


def _run_row(observation: Observation) -> list[Any]:
    return [
        observation.run_id,
        to_iso(observation.at),
        observation.commit,
        observation.default_branch,
        observation.counted,
    ]


class _Runs:
    """The runs of a page. Observations that differ in nothing are one value: most tests of a page share theirs."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = [(row[0], from_iso(row[1]), row[2], row[3], row[4]) for row in rows]
        self._made: dict[tuple[int, str], Observation] = {}

    def seen(self, position: int, outcome: str, seconds: float | None) -> Observation:
        """What a test was in a run."""
        if seconds is not None:
            return self._make(position, outcome, seconds)
        made = self._made.get((position, outcome))
        if made is None:
            made = self._made[position, outcome] = self._make(position, outcome, None)
        return made

    def _make(self, position: int, outcome: str, seconds: float | None) -> Observation:
        run_id, at, commit, default_branch, counted = self._rows[position]
        return Observation(run_id, at, outcome, seconds, commit, default_branch, counted)


def _test_row(test: TestHistory, positions: dict[str, int]) -> dict[str, Any]:
    timed = [each for each in test.observations if each.seconds is not None]
    row: dict[str, Any] = {
        "id": test.id,
        "name": test.name,
        "first": to_iso(test.first_seen),
        "outcomes": "".join(each.outcome for each in test.observations),
        "runs": [positions[each.run_id] for each in test.observations],
        "timed": [positions[each.run_id] for each in timed],
        "ms": [round(1000 * (each.seconds or 0.0)) for each in timed],
    }
    if test.first_failed_run:
        row["failedSince"] = test.first_failed_run
    if test.state is not FlakyState.HEALTHY:
        row |= {"state": test.state.value, "reason": test.reason, "since": iso(test.since)}
    if test.alarms:
        row["alarms"] = [
            [alarm.monitor.value, to_iso(alarm.since), to_iso(alarm.last_at), alarm.reason, alarm.clean_runs]
            for alarm in test.alarms
        ]
    return row


def _read_test(row: Values, runs: _Runs) -> TestHistory:
    seconds = {position: ms / 1000 for position, ms in zip(row["timed"], row["ms"], strict=True)}
    return TestHistory(
        id=row["id"],
        name=row["name"],
        observations=tuple(
            runs.seen(position, outcome, seconds.get(position))
            for position, outcome in zip(row["runs"], row["outcomes"], strict=True)
        ),
        first_seen=from_iso(row["first"]),
        first_failed_run=row.get("failedSince"),
        state=FlakyState(row.get("state", FlakyState.HEALTHY)),
        reason=row.get("reason"),
        since=moment(row.get("since")),
        alarms=tuple(_read_alarm(each) for each in row.get("alarms", ())),
    )


def _read_alarm(row: Sequence[Any]) -> Alarm:
    monitor, since, last_at, reason, clean_runs = row
    return Alarm(
        monitor=Monitor(monitor),
        since=from_iso(since),
        last_at=from_iso(last_at),
        reason=reason,
        clean_runs=clean_runs,
    )
