"""PlanRun over in-memory stores: from what the preparations found to tickets, orders, and a plan that stays."""

from dataclasses import replace
from typing import Any

import pytest

from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import Discovery, ShardOrder, WorkOutcome
from crosswind.runs.model import WorkKey
from crosswind.runs.preparing import base_key
from crosswind.runs.usecases import documents
from tests.fakes.time import START
from tests.unit.runs.results_world import ARCHIVE, ORDER, RUN, World, job, junit, started


@pytest.fixture
def world() -> World:
    return World()


def test_tickets_point_at_the_orders_of_the_shards(world: World) -> None:
    started(world, "a", "b", "c")
    orders = []
    for ticket in world.tickets():
        data = world.artifacts.get_range(
            ticket.order.key, offset=ticket.order.offset, length=ticket.order.length
        )
        orders.append(ShardOrder.model_validate_json(data))
    assert [order.selection for order in orders] == [("t.py::a",), ("t.py::b", "t.py::c")]
    assert [(order.shard_index, order.shard_count) for order in orders] == [(0, 2), (1, 2)]


def test_a_job_whose_tests_are_not_known_runs_whole(world: World) -> None:
    world.submit(job(framework="command", shards="auto", prepare_work_id=None, discovery_key="d.json"))
    documents.write(world.artifacts, "d.json", Discovery(preparation="key", archive=ARCHIVE))
    assert world.plan(RUN).outcome is PlanOutcome.PROCEED
    world.run_shard(0, junit("x"))
    world.ingest_all()
    assert world.verdict()[0] is VerdictKind.PASSED


def test_the_stored_plan_is_used_again_by_a_recovery(world: World) -> None:
    started(world, "a", "b")
    before = dict(world.artifacts.objects)
    world.works.items.clear()  # a second planning would now find no preparation
    assert world.plan(RUN).outcome is PlanOutcome.PROCEED
    assert world.artifacts.objects == before


def test_a_good_preparation_is_remembered_and_its_work_noted_as_read(world: World) -> None:
    started(world, "a")
    assert world.runs.preparation(base_key(ORDER)) == "work/prepare-00000/discovery.json"
    work = world.works.get(WorkKey(RUN, "prepare-00000"))
    assert work is not None
    assert work.summary is not None


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (
            {"errors": ("t.py: SyntaxError", "u.py")},
            VerdictKind.ERROR,
            "'unit': t.py: SyntaxError (and 1 more)",
        ),
        (
            {"outcome": WorkOutcome.ERROR, "reason": "lease_lost"},
            VerdictKind.ERROR,
            "was given up: lease_lost",
        ),
        ({}, VerdictKind.INCONCLUSIVE, "No test was found in test job 'unit'"),
    ],
)
def test_a_preparation_that_gives_nothing_to_run_stops_the_run_with_its_reason(
    world: World, found: dict[str, Any], verdict: VerdictKind, words: str
) -> None:
    world.submit(job())
    world.prepare(**found)
    answer = world.plan(RUN)
    assert answer.outcome is PlanOutcome.STOP
    assert words in (answer.reason or "")
    assert world.plan(RUN) == answer
    assert world.runs.preparation(base_key(ORDER)) is None
    kind, reason = world.verdict()
    assert kind is verdict
    assert words in reason


def test_many_long_collection_errors_fit_into_the_work_item(world: World) -> None:
    world.submit(job())
    world.prepare(errors=("ü" * 4000,) * 60)
    world.plan(RUN)
    (work,) = world.works.of_run(RUN)
    assert work.summary is not None
    assert 0 < sum(len(fault.encode()) for fault in work.summary.faults) < 200_000


def test_a_preparation_that_never_ended_is_infrastructure(world: World) -> None:
    world.submit(job())
    assert "never ended" in (world.plan(RUN).reason or "")
    assert world.verdict()[0] is VerdictKind.ERROR


def test_a_cancelled_run_is_not_planned_and_ends_as_cancelled(world: World) -> None:
    world.submit(job())
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    assert world.plan(RUN).outcome is PlanOutcome.STOP
    assert world.verdict() == (VerdictKind.CANCELLED, "The run was cancelled by ada.")


def test_a_failure_that_a_crash_kept_from_being_noted_is_noted_from_the_stored_plan(world: World) -> None:
    world.submit(job())
    world.prepare(errors=("t.py: SyntaxError",))
    before = world.runs.get(RUN)
    answer = world.plan(RUN)
    noted = world.runs.get(RUN)
    world.runs.save(replace(before, version=noted.version))  # the plan was written, the run was not
    assert world.plan(RUN) == answer
    failure = world.runs.get(RUN).failure
    assert failure is not None
    assert failure.kind == "setup"
    assert world.verdict()[0] is VerdictKind.ERROR
