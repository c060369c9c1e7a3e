"""PlanRun: from what the preparations found to the shards of each stage."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from crosswind.contracts.requests import RunState
from crosswind.contracts.resolved import Plan, PlannedShard, PlannedStage, ResolvedSuite, ResolvedTest
from crosswind.contracts.tasks import PlanOutcome, PlanRunAnswer, StageRef
from crosswind.contracts.work import (
    DEFAULT_CPU_MILLIS,
    DEFAULT_MEMORY_MIB,
    Discovery,
    OrderRef,
    ShardOrder,
    Ticket,
    WorkKind,
    WorkOutcome,
)
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.kernel.retry import Pause
from crosswind.runs import layout
from crosswind.runs.model import PlanSummary, Run, RunFailure, ShardSummary, Work, WorkKey
from crosswind.runs.planning import MOST_SHARDS, Split, split
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore
from crosswind.runs.preparing import final_key
from crosswind.runs.reports import cut
from crosswind.runs.usecases import documents

_REASON_CHARS = 4_000
_ERRORS_KEPT = 50
_FAULT_CHARS = 1_000  # of each in the work item, which holds 400 KB; the plan has them whole


class _NotPreparedError(Exception):
    """There is nothing to plan from. `kind` is the RunFailure's: setup or infrastructure."""

    def __init__(self, kind: str, reason: str, errors: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.kind = kind
        self.errors = errors


@dataclass(frozen=True)
class PlanRun:
    """Split the prepared tests into shards and store the plan, once: a recovery execution gets the plan that is there."""

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    clock: Clock
    pause: Pause
    keep_preparations: timedelta

    def __call__(self, run_id: str) -> PlanRunAnswer:
        """Where to go on: the first stage that has not passed, or nowhere, with the reason.

        Raises:
            NotFoundError: There is no such run, or its resolved suite is gone.
        """
        run = self.runs.get(run_id)
        if run.state is RunState.FINISHED or run.cancel_requested_at is not None:
            what = "is finished" if run.state is RunState.FINISHED else "was cancelled"
            return PlanRunAnswer(outcome=PlanOutcome.STOP, reason=f"The run {what}.")
        plan = documents.read_plan(self.artifacts, run_id)
        if plan is None:
            suite = documents.read_suite(self.artifacts, run)
            plan = self._plan(suite)
            documents.write(self.artifacts, layout.plan_key(run_id), plan)
        run = documents.change_run(
            self.runs, run_id, lambda stored: self._noted(stored, plan), pause=self.pause
        )
        return self._answer(run, plan)

    def _answer(self, run: Run, plan: Plan) -> PlanRunAnswer:
        following = next_stage(plan, run.current_stage or 0, bucket=self.artifacts.bucket)
        if following is None:
            return PlanRunAnswer(outcome=PlanOutcome.STOP, reason=(plan.reason or "Nothing to run.")[:1000])
        return PlanRunAnswer(outcome=PlanOutcome.PROCEED, next=following)

    def _noted(self, run: Run, plan: Plan) -> Run:
        """The run's record with its plan. A failure that was noted before stays."""
        failure, kind = run.failure, plan.failure_kind
        if kind is not None and failure is None:
            failure = RunFailure(state="PrepareRun", kind=kind, detail=plan.reason or "", at=self.clock.now())
        if run.state not in {RunState.ACCEPTED, RunState.PREPARING} and run.plan is not None:
            return replace(run, failure=failure)
        shards = sum(len(stage.shards) for stage in plan.stages)
        return replace(
            run,
            state=RunState.EXECUTING if plan.stages else run.state,
            started_at=run.started_at or self.clock.now(),
            current_stage=run.current_stage or (0 if plan.stages else None),
            plan=PlanSummary(
                tests=plan.discovered, shards=shards, stages=len(plan.stages), method=plan.method
            ),
            failure=failure,
        )

    def _plan(self, suite: ResolvedSuite) -> Plan:
        """The plan; where a failure left nothing to run, it says so."""
        try:
            splits = self._splits(suite)
        except _NotPreparedError as failure:
            return Plan(
                run_id=suite.run_id,
                stages=(),
                discovered=None,
                method="none",
                reason=str(failure)[:_REASON_CHARS],
                failure_kind=failure.kind,
                errors=failure.errors,
            )
        empty = [_label(test) for test, _, parts in splits if not parts.shares]
        reason = f"No test was found in test job {', '.join(empty)}: check its paths and arguments"
        counted = [found.test_ids for _, found, _ in splits]
        known = [ids for ids in counted if ids is not None]
        return Plan(
            run_id=suite.run_id,
            stages=() if empty else self._write_stages(suite, splits),
            discovered=sum(len(ids) for ids in known) if len(known) == len(counted) else None,
            method=", ".join(sorted({parts.method.value for _, _, parts in splits})),
            reason=reason if empty else None,
        )

    def _splits(self, suite: ResolvedSuite) -> list[tuple[ResolvedTest, Discovery, Split]]:
        known: dict[str, Discovery] = {}
        splits = []
        for test in suite.tests:
            source = test.prepare_work_id or test.discovery_key or ""
            if source not in known:
                known[source] = self._discovery(suite, test)
            found = known[source]
            try:
                parts = split(
                    found.test_ids,
                    shards=test.shards,
                    durations=found.durations,
                    at_most=min(suite.concurrency, MOST_SHARDS),
                )
            except InvalidInputError as error:
                raise _NotPreparedError("setup", f"test job {_label(test)}: {error}") from error
            splits.append((test, found, parts))
        return splits

    def _discovery(self, suite: ResolvedSuite, test: ResolvedTest) -> Discovery:
        """What the test's preparation found. Raises _NotPreparedError."""
        work = None
        if test.prepare_work_id is not None:
            work = self._prepared(suite.run_id, test, test.prepare_work_id)
        key = layout.discovery_key(work.commit.prefix or "") if work and work.commit else test.discovery_key
        try:
            found = documents.read_discovery(self.artifacts, key or "")
        except (NotFoundError, InvalidInputError) as error:
            raise _NotPreparedError(
                "infrastructure",
                f"What the preparation of test job {_label(test)} found cannot be read: {error}",
            ) from error
        if work is not None:
            self._remember(work, found, key or "")
        if found.errors:
            others = f" (and {len(found.errors) - 1} more)" if len(found.errors) > 1 else ""
            raise _NotPreparedError(
                "setup",
                f"test job {_label(test)}: {found.errors[0]}{others}",
                found.errors[:_ERRORS_KEPT],
            )
        return found

    def _prepared(self, run_id: str, test: ResolvedTest, work_id: str) -> Work:
        work = self.works.get(WorkKey(run_id, work_id))
        if work is None or work.commit is None:
            raise _NotPreparedError(
                "infrastructure",
                f"The preparation of test job {_label(test)} ({work_id}) never ended",
            )
        if work.commit.outcome is not WorkOutcome.COMPLETED:
            reason = work.commit.reason or work.commit.outcome.value
            raise _NotPreparedError(
                "infrastructure",
                f"The preparation of test job {_label(test)} ({work_id}) was given up: {reason}",
            )
        return work

    def _remember(self, work: Work, found: Discovery, key: str) -> None:
        """Note that the preparation was read, and keep a good one for later runs."""
        tests = len(found.test_ids or ())
        faults = tuple(cut(error, limit=_FAULT_CHARS) for error in found.errors[:_ERRORS_KEPT])
        summary = ShardSummary(tests, 0, 0, 0, 0, 0, cases_key=None, faults=faults)
        documents.summarise(self.works, work.key, summary, pause=self.pause)
        if found.errors or found.test_ids == ():
            return
        order = documents.read_prepare_order(self.artifacts, work)
        self.runs.remember_preparation(
            final_key(order, commit=found.commit),
            discovery_key=key,
            until=self.clock.now() + self.keep_preparations,
        )

    def _write_stages(
        self, suite: ResolvedSuite, splits: list[tuple[ResolvedTest, Discovery, Split]]
    ) -> tuple[PlannedStage, ...]:
        stages = []
        first = 0
        for index, name in enumerate(suite.stage_names):
            mine = [each for each in splits if each[0].stage == index]
            shards = list(_shards(mine, team=suite.team, first=first))
            first += len(shards)
            self._write_stage(suite, index, shards)
            planned = tuple(
                PlannedShard(
                    work_id=work_id,
                    test=order.test,
                    variant=order.variant,
                    test_ids=order.selection,
                    estimate_seconds=estimate,
                )
                for work_id, _, order, estimate in shards
            )
            key = layout.stage_tickets_key(suite.run_id, index)
            stages.append(PlannedStage(name=name, tickets_key=key, shards=planned))
        return tuple(stages)

    def _write_stage(
        self, suite: ResolvedSuite, stage: int, shards: list[tuple[str, ResolvedTest, ShardOrder, float]]
    ) -> None:
        """Write the orders, and the tickets that point into them."""
        orders_key = layout.stage_orders_key(suite.run_id, stage)
        orders = bytearray()
        tickets = []
        for work_id, test, order, estimate in shards:
            line = order.to_wire().encode()
            ref = OrderRef(key=orders_key, offset=len(orders), length=len(line))
            orders += line + b"\n"
            ticket = Ticket(
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
                estimate_seconds=estimate,
                suite_concurrency=suite.suite_concurrency,
                cpu_millis=test.cpu_millis or DEFAULT_CPU_MILLIS,
                memory_mib=test.memory_mib or DEFAULT_MEMORY_MIB,
                anti_affinity=test.anti_affinity,
                order=ref,
            )
            tickets.append(ticket.to_wire())
        self.artifacts.put(orders_key, bytes(orders), content_type="application/x-ndjson")
        self.artifacts.put(
            layout.stage_tickets_key(suite.run_id, stage),
            "".join(f"{ticket}\n" for ticket in tickets).encode(),
            content_type="application/x-ndjson",
        )


def next_stage(plan: Plan, first: int, *, bucket: str) -> StageRef | None:
    """The first stage from `first` on that has shards, and where its tickets lie; None when there is none."""
    for index, stage in enumerate(plan.stages):
        if index >= first and stage.shards:
            return StageRef(stage=index, shards_bucket=bucket, shards_key=stage.tickets_key)
    return None


def _label(test: ResolvedTest) -> str:
    return f"{test.name!r}" + (f" [{test.variant}]" if test.variant else "")


def _shards(
    splits: Iterable[tuple[ResolvedTest, Discovery, Split]], *, team: str, first: int
) -> Iterable[tuple[str, ResolvedTest, ShardOrder, float]]:
    """The shards of one stage, numbered over the whole run."""
    number = first
    for test, found, parts in splits:
        for index, share in enumerate(parts.shares):
            order = ShardOrder(
                team=team,
                test=test.name,
                variant=test.variant,
                archive=found.archive,
                framework=test.framework,
                command=test.command,
                args=test.args,
                env=test.env,
                secret_refs=test.secret_refs,
                selection=share.test_ids,
                shard_index=index,
                shard_count=len(parts.shares),
                test_retries=test.test_retries,
                timeout_seconds=test.timeout_seconds,
                memory_mib=test.memory_mib,
                reports=test.reports,
                artifacts=test.artifacts,
            )
            yield layout.shard_work_id(number), test, order, share.estimate_seconds
            number += 1
