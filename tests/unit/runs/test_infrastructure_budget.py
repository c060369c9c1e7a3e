"""Each way in which infrastructure fails uses up its own budget, with a backoff, and never the tests' (principle 6)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.work import WorkOutcome
from crosswind.runs import protocol
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Lease, Work, WorkKey, WorkState
from crosswind.runs.usecases import documents
from tests.fakes import START, make_work
from tests.unit.runs.results_world import RUN, World, job, junit, started

CAUSES = (
    InfrastructureReason.LEASE_LOST,
    InfrastructureReason.EVICTED,
    InfrastructureReason.OOM_RUNNER,
    InfrastructureReason.IMAGE_PULL,
    InfrastructureReason.CAPACITY,
    InfrastructureReason.SPOT,
    InfrastructureReason.PLATFORM_TIMEOUT,
)
SOON = timedelta(seconds=60)


def leased(work: Work) -> Work:
    """The work as a runner holds it that has just claimed it."""
    lease = Lease("runner", START, START + timedelta(seconds=30))
    return replace(work, state=WorkState.LEASED, epoch=work.epoch + 1, lease=lease)


def fail(work: Work, reason: InfrastructureReason) -> Work:
    """The work after an attempt was lost for this reason, reported by its runner, or found by the watchdog."""
    if reason is InfrastructureReason.LEASE_LOST:
        lapsed = protocol.lapse(work, now=START + timedelta(seconds=30))
        assert lapsed is not None
        return lapsed.work
    return protocol.fail_attempt(work, epoch=work.epoch, reason=reason, detail="…", now=START).work


@pytest.mark.parametrize("reason", CAUSES)
def test_a_lost_attempt_waits_again_on_the_budget_for_infrastructure(reason: InfrastructureReason) -> None:
    work = fail(leased(make_work(infrastructure_retries=2)), reason)
    assert (work.state, work.attempt, work.commit) == (WorkState.WAITING, 2, None)
    assert [failure.reason for failure in work.failures] == [reason]
    assert work.not_before is not None
    assert work.not_before - work.failures[0].at <= SOON


@pytest.mark.parametrize("reason", CAUSES)
def test_each_further_loss_waits_longer_and_the_last_one_ends_as_infrastructure(
    reason: InfrastructureReason,
) -> None:
    work = make_work(infrastructure_retries=3)
    pauses = []
    for _ in range(3):
        work = fail(leased(work), reason)
        assert work.not_before is not None
        pauses.append(work.not_before - work.failures[-1].at)
    assert pauses[1] < pauses[2]
    work = fail(leased(work), reason)
    assert work.commit is not None
    assert work.commit.outcome is WorkOutcome.ERROR
    assert (work.commit.reason or "").startswith(f"{reason.value}: ")
    assert "the last of 4 attempts" in (work.commit.reason or "")


@pytest.mark.parametrize("reason", CAUSES)
def test_no_test_fails_and_none_is_tried_again_because_a_runner_was_lost(
    reason: InfrastructureReason,
) -> None:
    world = started(World(), "a", shards=1, test_retries=2)
    ticket = world.tickets()[0]
    before = documents.read_order_of(world.artifacts, ticket)
    waiting = make_work(key=WorkKey(RUN, ticket.work_id), order=ticket.order, infrastructure_retries=1)
    lost = fail(leased(waiting), reason)
    assert lost.order == waiting.order  # with the tests' budget as it was
    assert documents.read_order_of(world.artifacts, ticket).test_retries == before.test_retries == 2
    world.works.save(None, fail(leased(lost), reason))
    world.ingest_all()
    kind, sentence = world.verdict()
    assert kind is VerdictKind.ERROR
    assert reason.value in sentence
    assert world.runs.get(RUN).case_counts == {"missing": 1}


def test_a_test_that_ran_out_of_memory_is_the_tests_own_and_costs_infrastructure_nothing() -> None:
    world = started(World(), "a", shards=1)
    work = world.run_shard(0, junit("a"), exit_code=None, out_of_memory=True)
    world.ingest_all()
    kind, sentence = world.verdict()
    assert (kind, work.failures) == (VerdictKind.INCONCLUSIVE, ())
    assert "the tests ran out of memory" in sentence


def test_collection_errors_are_an_outcome_and_never_retried() -> None:
    world = World()
    world.submit(job())
    world.prepare(errors=("t.py: SyntaxError: invalid syntax",))
    world.plan(RUN)
    [work] = world.works.of_run(RUN)
    assert work.commit is not None
    assert (work.commit.outcome, work.attempt, work.failures) == (WorkOutcome.COMPLETED, 1, ())
    kind, sentence = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "SyntaxError" in sentence
