"""The plan of a rerun: shards, orders and tickets of what runs again. Pure.

Every shard is made after the pattern of one that its job had before: what it needs, may use and is told stays the same, only
which tests it runs changes. So a rerun works for every framework, and does not depend on how the first plan was made.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crosswind.contracts.resolved import Plan, PlannedLoad, PlannedPull, PlannedShard, PlannedStage
from crosswind.contracts.suites import StageCondition
from crosswind.contracts.work import OrderRef, ShardOrder, Ticket
from crosswind.runs import layout
from crosswind.runs.frameworks.catalogue import spec_of
from crosswind.runs.history.model import Timing
from crosswind.runs.planning.estimates import estimate
from crosswind.runs.planning.orders import load_group, planned_load_of
from crosswind.runs.planning.splitting import Share, split
from crosswind.runs.rerunning import Again, JobAgain, StageAgain

SECONDS_PER_SHARD = 30.0
"""Worth a shard of its own: a rerun is small, and its author waits for it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A shard of the job as it was before."""

    ticket: Ticket
    order: ShardOrder


@dataclass(frozen=True, slots=True)
class RoundFiles:
    """What is written for a rerun: objects by key, and the plan."""

    plan: Plan
    plan_key: str
    objects: Mapping[str, bytes]
    tests: int
    new_shards: int  # those of carried stages were counted before
    shards: int
    whole_shards: int


def plan_again(
    again: Again,
    plans: Sequence[Plan],
    patterns: Mapping[str, Pattern],
    *,
    prefix: str,
    first: int,
) -> RoundFiles:
    """The plan of the next round. `patterns` holds a shard for each job, and each whole shard; `first` numbers the new ones."""
    round_number = plans[-1].round + 1
    objects: dict[str, bytes] = {}
    stages = []
    loads: dict[str, PlannedLoad] = {}
    number = first
    for index, stage in enumerate(again.stages):
        if stage.carried:
            stages.append(stage.planned)
            continue
        shards = list(_shards(stage, patterns, first=number))
        for shard in shards:
            if shard.order.load is not None:
                load = planned_load_of(shard.order.load, shard.planned.test, shard.planned.variant)
                loads[load.group] = load
        number += len(shards)
        tickets_key = layout.round_tickets_key(prefix, index)
        if shards:
            orders_key = layout.round_orders_key(prefix, index)
            objects[orders_key], objects[tickets_key] = _lines(shards, orders_key, round_number)
        stages.append(_planned(stage, tickets_key, tuple(shard.planned for shard in shards)))
    made = [job for stage in again.stages for job in stage.jobs]
    plan = Plan(
        run_id=plans[0].run_id,
        stages=tuple(stages),
        method="rerun",
        round=round_number,
        supersedes=again.supersedes,
        pulls=_carried_pulls(again, plans),
        loads=(*_carried_loads(again, plans), *loads.values()),
    )
    return RoundFiles(
        plan=plan,
        plan_key=layout.round_plan_key(prefix),
        objects=objects,
        tests=sum(len(job.test_ids) for job in made),
        new_shards=number - first,
        shards=sum(len(stage.shards) for stage in plan.stages),
        whole_shards=sum(len(job.whole) for job in made),
    )


@dataclass(frozen=True, slots=True)
class _Shard:
    pattern: Pattern
    order: ShardOrder
    planned: PlannedShard


def _shards(stage: StageAgain, patterns: Mapping[str, Pattern], *, first: int) -> Iterator[_Shard]:
    number = first
    for job in stage.jobs:
        whole = _whole(job, patterns, first=number)
        for pattern, order, seconds in (*whole, *_split(job, patterns[job.like])):
            planned = PlannedShard(
                work_id=layout.shard_work_id(number),
                test=job.test,
                variant=job.variant,
                test_ids=order.selection,
                group_separator=job.group_separator,
                estimate_seconds=round(seconds, 3),
            )
            yield _Shard(pattern, order, planned)
            number += 1


def _whole(
    job: JobAgain, patterns: Mapping[str, Pattern], *, first: int
) -> Iterator[tuple[Pattern, ShardOrder, float]]:
    """Shards that run again as they were, with their index and count: the framework splits its tests by them.

    The workers of a load job are one load again, under their new names.
    """
    work_ids = tuple(layout.shard_work_id(first + index) for index in range(len(job.whole)))
    for shard in job.whole:
        pattern = patterns[shard.work_id]
        order = pattern.order
        if order.load is not None:
            load = order.load.model_copy(update={"group": load_group(work_ids), "workers": work_ids})
            order = order.model_copy(update={"load": load})
        yield pattern, order, shard.estimate_seconds


def _split(job: JobAgain, pattern: Pattern) -> Iterator[tuple[Pattern, ShardOrder, float]]:
    shares = _shares(job, pattern)
    for index, share in enumerate(shares):
        changes = {
            "selection": share.test_ids,
            "pull": None,
            "shard_index": index,
            "shard_count": len(shares),
            "env": _counted(pattern.order.env, index=index, count=len(shares)),
        }
        yield pattern, pattern.order.model_copy(update=changes), share.seconds


def _shares(job: JobAgain, pattern: Pattern) -> tuple[Share, ...]:
    """As few shards as are worth it, never more than the job had. Durations are those of this very run."""
    if not job.test_ids:
        return ()
    timings = {name: Timing(seconds, 0.0, samples=1) for name, seconds in job.seconds.items()}
    total = math.fsum(each.seconds for each in estimate(job.test_ids, timings).by_test.values())
    count = min(max(math.ceil(total / SECONDS_PER_SHARD), 1), job.at_most)
    return split(
        job.test_ids,
        framework=spec_of(pattern.order.framework, pattern.order.manifest),
        shards=count,
        timings=timings,
    )


def _counted(env: Mapping[str, str], *, index: int, count: int) -> dict[str, str]:
    """The environment with the shard's place over matrix and shards, where the pattern has one."""
    matrix = env.get("CROSSWIND_MATRIX_INDEX")
    if matrix is None or not matrix.isdecimal():
        return dict(env)
    return {**env, "CROSSWIND_INDEX": str(int(matrix) * count + index)}


def _lines(shards: Sequence[_Shard], orders_key: str, round_number: int) -> tuple[bytes, bytes]:
    """JSON lines of orders, and of the tickets that point into them."""
    orders = bytearray()
    tickets = bytearray()
    for shard in shards:
        line = shard.order.to_wire().encode()
        changes = {
            "work_id": shard.planned.work_id,
            "estimate_seconds": shard.planned.estimate_seconds,
            "round": round_number,
            "pull_id": None,
            "group": shard.order.load.group if shard.order.load else None,
            "order": OrderRef(key=orders_key, offset=len(orders), length=len(line)),
        }
        orders += line + b"\n"
        tickets += shard.pattern.ticket.model_copy(update=changes).to_wire().encode() + b"\n"
    return bytes(orders), bytes(tickets)


def _planned(stage: StageAgain, tickets_key: str, shards: tuple[PlannedShard, ...]) -> PlannedStage:
    """The stage with what runs again of it. One that ran because of a failure runs again although that is made good."""
    when = stage.planned.when
    return stage.planned.model_copy(
        update={
            "when": StageCondition.ALWAYS if when is StageCondition.FAILED and shards else when,
            "tickets_key": tickets_key,
            "shards": shards,
        }
    )


def _carried_pulls(again: Again, plans: Sequence[Plan]) -> tuple[PlannedPull, ...]:
    carried = {shard.work_id for stage in again.stages if stage.carried for shard in stage.planned.shards}
    return tuple(pull for pull in plans[0].pulls if not carried.isdisjoint(pull.work_ids))


def _carried_loads(again: Again, plans: Sequence[Plan]) -> tuple[PlannedLoad, ...]:
    carried = {shard.work_id for stage in again.stages if stage.carried for shard in stage.planned.shards}
    known = {load.group: load for plan in plans for load in plan.loads}
    return tuple(load for load in known.values() if not carried.isdisjoint(load.work_ids))
