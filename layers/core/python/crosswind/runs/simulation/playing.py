"""Plays one planned job through admission and pulling, event by event. Pure.

`admit` and `WorkList.next_batch` are the functions that the scheduler and the runners call; only time, machines and
tests are made up. A machine is launched in the moment of its shard's admission.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import OrderRef, PullList, WorkKind
from crosswind.runs import layout
from crosswind.runs.admission.model import Capacity, Queue, QueueEntry, Usage
from crosswind.runs.admission.policy import admit
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.planning.splitting import Share
from crosswind.runs.pulling.model import PullHead
from crosswind.runs.pulling.worklist import WorkList
from crosswind.runs.simulation.worlds import World

RUN_ID = "run-" + "0" * 26
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Played:
    """How a job went. `starts` is when each machine, by its index, could begin; `ends` when it was done."""

    makespan: float
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    launched: float  # when the last machine was launched
    batches: int = 0


class Source(Protocol):
    """Where a runner gets its next tests from."""

    def next_tests(self, shard: int) -> Sequence[str] | None:
        """The tests that it runs next; None when there are none left for it."""
        ...


class FixedLists:
    """Each shard has a list of its own, and gets it at once."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._left: list[Sequence[str] | None] = [share.test_ids for share in shares]

    def next_tests(self, shard: int) -> Sequence[str] | None:
        """All of it, once."""
        tests, self._left[shard] = self._left[shard], None
        return tests


class PulledList:
    """Shards lease batches of one list, as WorkList deals them out."""

    def __init__(self, pull_list: PullList, holders: Sequence[Work]) -> None:
        self._list = WorkList.of(pull_list)
        self._heads = [
            PullHead(run_id=RUN_ID, pull_id=pull_list.pull_id, stripe=stripe)
            for stripe in range(pull_list.stripes)
        ]
        self._holders = holders

    def next_tests(self, shard: int) -> Sequence[str] | None:
        """The tests of the next batch."""
        leased = self._list.next_batch(self._heads, self._holders[shard])
        if leased is None:
            return None
        head, batch = leased
        self._heads[head.stripe] = head
        return self._list.test_ids(batch)


def play(
    world: World, source: Source, entries: Sequence[QueueEntry], capacity: Capacity, *, lease_seconds: float
) -> Played:
    """Admit the entries, start a machine for each, let them run until nothing is left."""
    runners = _Runners(world, source, lease_seconds)
    indices = {entry.key: index for index, entry in enumerate(entries)}
    waiting = {entry.key: entry for entry in entries}
    active: dict[WorkKey, QueueEntry] = {}
    account = None
    time = 0.0
    while waiting or active:
        look_again = None
        if waiting:
            usage = Usage(active=tuple(active.values()), account=account)
            now = _EPOCH + timedelta(seconds=time)
            decided = admit(Queue.of(waiting.values()), usage, capacity, now)
            account = decided.account or account
            for decision in decided.admitted:
                key = decision.entry.key
                active[key] = waiting.pop(key)
                runners.launch(indices[key], key, at=time)
            if waiting and decided.again_at is not None:
                look_again = (decided.again_at - _EPOCH).total_seconds()
        ended = runners.run(until=look_again)
        if ended is not None:
            key, time = ended
            del active[key]
        elif look_again is not None:
            time = look_again
        else:
            raise AssertionError("work waits, and nothing that runs or passes lets it in")
    return runners.played()


class _Runners:
    """Machines at work. Each event is a machine that asks for its next tests."""

    def __init__(self, world: World, source: Source, lease_seconds: float) -> None:
        self._world = world
        self._source = source
        self._lease_seconds = lease_seconds
        self._asking: list[tuple[float, int, WorkKey]] = []
        self._starts: dict[int, float] = {}
        self._ends: dict[int, float] = {}
        self._launched = 0.0
        self._batches = 0

    def launch(self, shard: int, key: WorkKey, *, at: float) -> None:
        """Start a machine for a shard."""
        start = at + self._world.delays[shard % len(self._world.delays)]
        self._starts[shard] = start
        self._launched = max(self._launched, at)
        heapq.heappush(self._asking, (start, shard, key))

    def run(self, *, until: float | None) -> tuple[WorkKey, float] | None:
        """Let them run to the next end of a shard: which one, and when. None where there is none before `until`."""
        while self._asking and (until is None or self._asking[0][0] <= until):
            time, shard, key = heapq.heappop(self._asking)
            tests = self._source.next_tests(shard)
            if tests is None:
                self._ends[shard] = time
                return key, time
            speed = self._world.speeds[shard % len(self._world.speeds)]
            taken = sum(self._world.seconds[test] for test in tests) / speed
            self._batches += 1
            heapq.heappush(self._asking, (time + self._lease_seconds + taken, shard, key))
        return None

    def played(self) -> Played:
        """How it went."""
        shards = sorted(self._starts)
        return Played(
            makespan=max(self._ends.values(), default=0.0),
            starts=tuple(self._starts[shard] for shard in shards),
            ends=tuple(self._ends[shard] for shard in shards),
            launched=self._launched,
            batches=self._batches,
        )


def entry_of(index: int, estimate: float, *, concurrency: int) -> QueueEntry:
    """A shard of the simulated run in the queue."""
    return QueueEntry(
        key=WorkKey(RUN_ID, layout.shard_work_id(index)),
        team="simulated",
        suite="simulated",
        priority=Priority.P1,
        concurrency=concurrency,
        enqueued_at=_EPOCH,
        estimate_seconds=estimate,
    )


def holder_of(entry: QueueEntry) -> Work:
    """The shard's work as its runner holds it."""
    return Work(
        key=entry.key,
        kind=WorkKind.SHARD,
        team=entry.team,
        suite=entry.suite,
        test="simulated",
        priority=entry.priority,
        stage=0,
        concurrency=entry.concurrency,
        infrastructure_retries=0,
        queue_seconds=3600,
        estimate_seconds=entry.estimate_seconds,
        order=OrderRef(key="-", offset=0, length=1),
        state=WorkState.LEASED,
        version=1,
        epoch=1,
        attempt=1,
        token=None,
        enqueued_at=entry.enqueued_at,
    )
