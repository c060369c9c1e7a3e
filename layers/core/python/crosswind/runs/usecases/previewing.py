"""Plans without a run: asked for, and read with the queue as it is now."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from crosswind.contracts.actors import Actor
from crosswind.contracts.plans import (
    CreatePlanRequest,
    PlanAccepted,
    PlanGoal,
    PlanQueue,
    PlanState,
    PlanView,
)
from crosswind.contracts.requests import RunState
from crosswind.contracts.resolved import Plan, ResolvedSuite
from crosswind.contracts.suites import duration_seconds
from crosswind.contracts.work import DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_MIB
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import NotFoundError, RetryableError
from crosswind.runs import layout
from crosswind.runs.admission.forecast import forecast
from crosswind.runs.admission.model import Capacity, Lane, Queue, QueueEntry, Usage
from crosswind.runs.model import Run, RunPurpose, WorkKey
from crosswind.runs.planning.pricing import PRICES
from crosswind.runs.ports import ObjectStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.submitting import SubmitRun

ReadQueue = Callable[[], tuple[Queue, Usage, Capacity]]
_PLAN_PREFIX = "plan-"
_RUN_PREFIX = "run-"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CreatePlan:
    """Plan a run without running it: a run that prepares, is planned, and ends there."""

    submit: SubmitRun

    def __call__(
        self, request: CreatePlanRequest, *, actor: Actor, idempotency_key: str | None = None
    ) -> PlanAccepted:
        """The accepted plan. Raises as SubmitRun does."""
        goal = PlanGoal(
            target_seconds=duration_seconds(request.target) if request.target else None,
            budget_dollars=request.budget,
        )
        run, created = self.submit(request, actor=actor, idempotency_key=idempotency_key, goal=goal)
        return PlanAccepted(plan_id=plan_id(run.run_id), state=PlanState.ACCEPTED, repeated=not created)


@dataclass(frozen=True)
class GetPlan:
    """A plan as far as it is made. Where it is ready, the queue is asked when its run would start."""

    find: FindRun
    artifacts: ObjectStore
    read_queue: ReadQueue
    clock: Clock

    def __call__(self, plan: str, *, actor: Actor) -> PlanView:
        """The plan; of an ordinary run, the plan that it runs by. Raises NotFoundError, ForbiddenError."""
        try:
            run = self.find(_run_id(plan), actor=actor)
        except NotFoundError:
            raise NotFoundError(f"there is no plan {plan}") from None
        made = documents.read_plan(self.artifacts, run.run_id)
        suite = documents.read_suite(self.artifacts, run)
        if made is None:
            return _unmade(run, suite)
        failed = made.failure_kind is not None or made.reason is not None
        return PlanView(
            plan_id=plan_id(run.run_id),
            team=run.team,
            suite=run.suite,
            state=PlanState.FAILED if failed else PlanState.READY,
            created_at=to_iso(run.created_at),
            goal=suite.goal or PlanGoal(),
            reason=made.reason or made.goal_missed,
            errors=made.errors,
            tests=made.discovered,
            known_durations=sum(job.known_durations for job in made.jobs),
            jobs=made.jobs,
            skipped=made.skipped,
            executor=made.executor,
            prices=PRICES,
            curve=made.curve,
            chosen=made.chosen or made.expected,
            queue=None if failed or run.purpose is RunPurpose.RUN else self._queue(run, suite, made),
        )

    def _queue(self, run: Run, suite: ResolvedSuite, plan: Plan) -> PlanQueue | None:
        """When a first shard of it would be admitted. A queue that does not answer keeps nobody from the plan."""
        try:
            queue, usage, capacity = self.read_queue()
        except RetryableError as error:
            _log.warning("%s is shown without the queue: %s", run.run_id, error)
            return None
        now = self.clock.now()
        entry = QueueEntry(
            key=WorkKey(run.run_id, layout.shard_work_id(0)),
            team=run.team,
            suite=run.suite,
            priority=run.priority,
            concurrency=suite.concurrency,
            enqueued_at=now,
            estimate_seconds=plan.jobs[0].estimate_seconds if plan.jobs else 1.0,
            suite_concurrency=suite.suite_concurrency,
            cpu_millis=suite.tests[0].cpu_millis or DEFAULT_CPU_MILLIS,
            memory_mib=suite.tests[0].memory_mib or DEFAULT_MEMORY_MIB,
            anti_affinity=suite.tests[0].anti_affinity,
        )
        shards = plan.expected.shards if plan.expected else 1
        lane = Lane(run_id=run.run_id, entries=(entry,), waiting=shards)
        outlook = forecast(Queue((*queue.lanes, lane)), usage, capacity, now, run_id=run.run_id)
        if outlook is None:
            return None
        return PlanQueue(
            position=outlook.position,
            expected_start=to_iso(outlook.expected_start) if outlook.expected_start else None,
            reason=outlook.binding.value,
            explanation=outlook.explanation,
        )


def plan_id(run_id: str) -> str:
    """A plan's id, as clients see it."""
    return _PLAN_PREFIX + run_id.removeprefix(_RUN_PREFIX)


def _run_id(plan: str) -> str:
    return _RUN_PREFIX + plan.removeprefix(_PLAN_PREFIX)


def _unmade(run: Run, suite: ResolvedSuite) -> PlanView:
    """A plan that is not there yet, or never will be."""
    ended = run.state is RunState.FINISHED
    going = PlanState.ACCEPTED if run.state is RunState.ACCEPTED else PlanState.PREPARING
    return PlanView(
        plan_id=plan_id(run.run_id),
        team=run.team,
        suite=run.suite,
        state=PlanState.FAILED if ended else going,
        created_at=to_iso(run.created_at),
        goal=suite.goal or PlanGoal(),
        reason=_why_never(run) if ended else None,
    )


def _why_never(run: Run) -> str:
    if run.cancel_requested_at is not None:
        return f"It was cancelled by {run.cancelled_by or 'someone'}."
    return run.failure.detail if run.failure else "It ended without a plan, and no reason was recorded."
