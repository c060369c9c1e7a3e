"""The barrier's rules: when all begin, when none does, and who may not."""

from datetime import timedelta

from crosswind.runs.load.barrier import HEARD_OF, LATE, LEAD, Barrier, Ready, Start, Stop, decide, may_begin
from tests.fakes import START

WORKERS = ("shard-00000", "shard-00001", "shard-00002")
WITHIN = timedelta(seconds=120)


def barrier(*ready: int, ago: float = 0.0) -> Barrier:
    words = {WORKERS[n]: Ready(WORKERS[n], 1, START - timedelta(seconds=ago)) for n in ready}
    return Barrier("run-1", "load-shard-00000", START - timedelta(seconds=ago), words)


def test_all_ready_begin_together_a_little_later() -> None:
    assert decide(barrier(0, 1, 2), WORKERS, within=WITHIN, now=START) == Start(
        START + LEAD, dict.fromkeys(WORKERS, 1)
    )


def test_one_worker_alone_waits_for_nobody() -> None:
    alone = decide(barrier(0), WORKERS[:1], within=WITHIN, now=START)

    assert alone == Start(START, {WORKERS[0]: 1})


def test_one_that_is_not_ready_is_waited_for_and_then_all_stop_with_the_reason() -> None:
    waiting = barrier(0, 1)

    assert decide(waiting, WORKERS, within=WITHIN, now=START) is None
    later = START + WITHIN
    fresh = {name: Ready(name, 1, later) for name in WORKERS[:2]}
    stopped = decide(Barrier("r", "g", START, fresh), WORKERS, within=WITHIN, now=later)
    assert stopped == Stop("2 of 3 workers were ready within 120 s", later)


def test_one_that_has_not_been_heard_of_is_not_ready() -> None:
    silent = barrier(0, 1, 2, ago=HEARD_OF.total_seconds() + 1)

    assert decide(silent, WORKERS, within=WITHIN, now=START) is None
    assert isinstance(decide(silent, WORKERS, within=timedelta(seconds=5), now=START), Stop)


def test_what_is_decided_stays_and_nothing_is_decided_before_anybody_is_there() -> None:
    assert decide(Barrier("r", "g"), WORKERS, within=WITHIN, now=START) is None
    decided = Barrier("r", "g", START, barrier(0, 1, 2).ready, Stop("no", START))
    assert decide(decided, WORKERS, within=WITHIN, now=START) is None


def test_who_may_begin() -> None:
    start = Start(START, {"shard-00000": 3})

    assert may_begin(start, "shard-00000", epoch=3, now=START + LATE) is None
    assert "began without it" in str(may_begin(start, "shard-00000", epoch=4, now=START))
    assert "began without it" in str(may_begin(start, "shard-00001", epoch=3, now=START))
    late = START + LATE + timedelta(seconds=2)
    assert may_begin(start, "shard-00000", epoch=3, now=late) == "it saw the start 3.0 s too late"
