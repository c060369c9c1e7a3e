"""From planned jobs to what the machine and the runners read: shards, orders, tickets, pull lists. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crosswind.contracts.load import LoadOrder
from crosswind.contracts.resolved import (
    PlannedLoad,
    PlannedPull,
    PlannedShard,
    ResolvedStage,
    ResolvedSuite,
    ResolvedTest,
)
from crosswind.contracts.suites import duration_seconds
from crosswind.contracts.work import (
    DEFAULT_CPU_MILLIS,
    DEFAULT_MEMORY_MIB,
    ArchiveRef,
    FailFast,
    OrderRef,
    PullList,
    PullRef,
    ShardOrder,
    Ticket,
    WorkKind,
)
from crosswind.runs import layout
from crosswind.runs.frameworks.catalogue import group_separator
from crosswind.runs.planning.jobs import Job, JobPlan
from crosswind.runs.planning.splitting import Method, Share
from crosswind.runs.pulling.worklist import stripes_for


@dataclass(frozen=True)
class Shards:
    """The shards of one job. `pull_list` is what they lease from, where they do."""

    test: ResolvedTest
    orders: tuple[tuple[str, ShardOrder, float], ...]  # work id, order, estimated seconds
    planned: tuple[PlannedShard, ...]
    pull: PlannedPull | None = None
    pull_list: PullList | None = None
    load: PlannedLoad | None = None


@dataclass(frozen=True, slots=True)
class StageFiles:
    """What is written for a stage: JSON lines of orders, and of the tickets that point into them."""

    orders: bytes
    tickets: bytes


def shards_of(
    plan: JobPlan, suite: ResolvedSuite, archive: ArchiveRef, *, job_index: int, first: int
) -> Shards:
    """The shards of a planned job, numbered from `first` on over the whole run."""
    test = plan.job.test
    pull_list = _pull_list(plan, test, job_index) if plan.method is Method.PULL else None
    key = layout.pull_list_key(suite.run_id, pull_list.pull_id) if pull_list else ""
    ref = PullRef(pull_id=pull_list.pull_id, key=key) if pull_list else None
    parts = plan.shares or (Share(None, plan.job.seconds / max(plan.shards, 1)),) * plan.shards
    load = load_order(test, [layout.shard_work_id(first + index) for index in range(len(parts))])
    orders = []
    planned = []
    for index, part in enumerate(parts):
        work_id = layout.shard_work_id(first + index)
        order = _order(plan.job, suite, archive, part, ref, index=index, count=len(parts))
        if load is not None:
            order = order.model_copy(update={"load": load})
        orders.append((work_id, order, round(part.seconds, 3)))
        planned.append(
            PlannedShard(
                work_id=work_id,
                test=test.name,
                variant=test.variant,
                test_ids=part.test_ids,
                group_separator=group_separator(plan.job.framework),
                estimate_seconds=round(part.seconds, 3),
            )
        )
    pull = None
    if pull_list is not None:
        pull = PlannedPull(
            pull_id=pull_list.pull_id,
            test=test.name,
            variant=test.variant,
            key=key,
            test_ids=plan.job.test_ids or (),
            work_ids=tuple(work_id for work_id, _, _ in orders),
            estimate_seconds=round(plan.job.seconds, 3),
        )
    planned_load = planned_load_of(load, test.name, test.variant) if load else None
    return Shards(test, tuple(orders), tuple(planned), pull, pull_list, planned_load)


def load_order(test: ResolvedTest, work_ids: Sequence[str]) -> LoadOrder | None:
    """What the workers of a load job are told; None of another job."""
    if test.load is None or not work_ids:
        return None
    return LoadOrder(
        group=load_group(work_ids),
        workers=tuple(work_ids),
        ready_within_seconds=duration_seconds(test.load.ready_within),
        thresholds=test.load.thresholds,
        split=test.load.split,
        baseline=test.load.baseline,
    )


def load_group(work_ids: Sequence[str]) -> str:
    """A load job's name in its run: work ids are never used again, so each round's is another."""
    return f"load-{work_ids[0]}"


def planned_load_of(load: LoadOrder, test: str, variant: str) -> PlannedLoad:
    """The plan's record of a load job."""
    return PlannedLoad(group=load.group, test=test, variant=variant, work_ids=load.workers)


def stage_files(suite: ResolvedSuite, stage: int, jobs: Sequence[Shards]) -> StageFiles:
    """The orders of a stage and its tickets."""
    key = layout.stage_orders_key(suite.run_id, stage)
    orders = bytearray()
    tickets = bytearray()
    for test, work_id, order, seconds in _each(jobs):
        line = order.to_wire().encode()
        ref = OrderRef(key=key, offset=len(orders), length=len(line))
        orders += line + b"\n"
        ticket = _ticket(suite, test, work_id, order, ref, stage=stage, seconds=seconds)
        tickets += ticket.to_wire().encode() + b"\n"
    return StageFiles(bytes(orders), bytes(tickets))


def _each(jobs: Sequence[Shards]) -> Iterator[tuple[ResolvedTest, str, ShardOrder, float]]:
    for job in jobs:
        for work_id, order, seconds in job.orders:
            yield job.test, work_id, order, seconds


def _pull_list(plan: JobPlan, test: ResolvedTest, job_index: int) -> PullList:
    return PullList(
        pull_id=f"stage-{test.stage:02d}-job-{job_index:04d}",
        runners=plan.shards,
        stripes=stripes_for(plan.shards),
        units=plan.pull,
    )


def _order(
    job: Job,
    suite: ResolvedSuite,
    archive: ArchiveRef,
    part: Share,
    pull: PullRef | None,
    *,
    index: int,
    count: int,
) -> ShardOrder:
    test = job.test
    fail_fast = _fail_fast(test, suite.stages)
    return ShardOrder(
        team=suite.team,
        test=test.name,
        variant=test.variant,
        archive=archive,
        framework=test.framework,
        manifest=test.manifest,
        working_directory=test.working_directory,
        command=test.command,
        args=test.args,
        env=test.env | _counters(test, index=index, count=count),
        image=test.image,
        services=test.services,
        secret_refs=test.secret_refs,
        selection=part.test_ids,
        pull=pull,
        shard_index=index,
        shard_count=count,
        test_retries=test.test_retries,
        timeout_seconds=test.timeout_seconds,
        memory_mib=test.memory_mib,
        reports=test.reports,
        artifacts=test.artifacts,
        fail_fast=fail_fast,
        muted=job.muted or None if fail_fast else None,
    )


def _counters(test: ResolvedTest, *, index: int, count: int) -> dict[str, str]:
    """Where a shard stands in the matrix, and over matrix and shards; where in its job, the framework's adapter tells."""
    return {
        "CROSSWIND_MATRIX_INDEX": str(test.matrix_index),
        "CROSSWIND_MATRIX_COUNT": str(test.matrix_count),
        "CROSSWIND_INDEX": str(test.matrix_index * count + index),
    }


def _fail_fast(test: ResolvedTest, stages: Sequence[ResolvedStage]) -> FailFast | None:
    if test.stage < len(stages) and stages[test.stage].fail_fast:
        return FailFast.STAGE
    return FailFast.JOB if test.fail_fast else None


def _ticket(
    suite: ResolvedSuite,
    test: ResolvedTest,
    work_id: str,
    order: ShardOrder,
    ref: OrderRef,
    *,
    stage: int,
    seconds: float,
) -> Ticket:
    return Ticket(
        run_id=suite.run_id,
        work_id=work_id,
        kind=WorkKind.SHARD,
        team=suite.team,
        suite=suite.suite,
        test=test.name,
        priority=suite.priority,
        stage=stage,
        concurrency=suite.concurrency,
        infrastructure_retries=test.infrastructure_retries,
        queue_seconds=suite.timeout_seconds,
        estimate_seconds=seconds,
        suite_concurrency=suite.suite_concurrency,
        cpu_millis=test.cpu_millis or DEFAULT_CPU_MILLIS,
        memory_mib=test.memory_mib or DEFAULT_MEMORY_MIB,
        anti_affinity=test.anti_affinity,
        pull_id=order.pull.pull_id if order.pull else None,
        group=order.load.group if order.load else None,
        group_size=len(order.load.workers) if order.load else 1,
        cluster=suite.cluster,
        interruptible=test.interruptible,
        order=ref,
    )
