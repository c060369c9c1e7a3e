"""Reasons of the platform's own failures, and how long the next attempt waits."""

from datetime import timedelta

import pytest

from crosswind.runs.infrastructure import (
    LONGEST_BACKOFF,
    InfrastructureReason,
    backoff,
    meaning,
    reason_in,
)
from crosswind.runs.model import WorkKey

KEY = WorkKey("run-1", "shard-00001")


@pytest.mark.parametrize("reason", InfrastructureReason)
def test_every_reason_has_a_meaning_for_people(reason: InfrastructureReason) -> None:
    assert meaning(reason)


def test_a_stored_reason_is_recognised_by_its_code() -> None:
    assert reason_in("lease_lost: runner r sent no heartbeat") is InfrastructureReason.LEASE_LOST
    assert reason_in("queue_timeout") is InfrastructureReason.QUEUE_TIMEOUT
    assert reason_in("something that a newer edition knows: …") is None
    assert reason_in(None) is None


def test_work_that_lost_one_runner_goes_to_another_at_once() -> None:
    assert backoff(InfrastructureReason.LEASE_LOST, KEY, attempt=1, earlier=0) == timedelta()


@pytest.mark.parametrize(
    "reason", [InfrastructureReason.CAPACITY, InfrastructureReason.IMAGE_PULL, "unknown"]
)
def test_what_needs_time_to_mend_gets_it_from_the_first_loss(reason: str) -> None:
    assert timedelta(seconds=1) <= backoff(reason, KEY, attempt=1, earlier=0) <= timedelta(seconds=2)


def test_a_backoff_grows_to_its_bound() -> None:
    waits = [backoff(InfrastructureReason.LEASE_LOST, KEY, attempt=n + 1, earlier=n) for n in range(1, 40)]

    for doublings, wait in enumerate(waits):
        longest = min(timedelta(seconds=2 * 2 ** min(doublings, 16)), LONGEST_BACKOFF)
        assert longest / 2 <= wait <= longest


def test_every_writer_computes_the_same_backoff_and_shards_spread() -> None:
    def wait(number: int) -> timedelta:
        key = WorkKey("run-1", f"shard-{number:05d}")
        return backoff(InfrastructureReason.CAPACITY, key, attempt=3, earlier=2)

    assert wait(1) == wait(1)
    assert len({wait(number) for number in range(200)}) == 200
