"""Running the failed tests of a finished run again, as a further round of the same run (ADR 0012)."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.requests import RerunAccepted, RerunRequest, RunState
from crosswind.contracts.resolved import Plan, ResultsIndex
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, NotFoundError, RetryableError, WriteConflictError
from crosswind.kernel.ids import Ids
from crosswind.runs import beside, layout, lifecycle
from crosswind.runs.admission.ports import QueueStore
from crosswind.runs.model import WATCH_INTERVAL, Case, Run, RunPurpose
from crosswind.runs.planning.again import Pattern, RoundFiles, plan_again
from crosswind.runs.ports import Executions, ObjectStore, Queues, RunStore, WorkStore
from crosswind.runs.rerunning import OPEN, Again, next_number, select
from crosswind.runs.stages import next_index
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RerunRun:
    """Plan the next round of a finished run, reopen the run, start the round's execution.

    Everything is planned and written before the run is reopened, under a name of its own for each request: of two requests
    at once one reopens the run, and the other's objects are never looked at. From then on the run's record is what counts, as
    after a submission: the watchdog and the sweep start an execution that was recorded and never began.
    """

    runs: RunStore
    works: WorkStore
    artifacts: ObjectStore
    queue: QueueStore
    queues: Queues
    executions: Executions
    find: FindRun
    refuse_when_full: Callable[[], None]
    clock: Clock
    ids: Ids
    records_last: timedelta

    def __call__(self, run_id: str, request: RerunRequest, *, actor: Actor) -> RerunAccepted:
        """What runs again.

        Raises:
            NotFoundError: There is no such run, or none that the actor may know of.
            ForbiddenError: The actor may not start runs in this team.
            ConflictError: The run is going on, has nothing to run again, or its tests could not be collected.
            QueueFullError: As many shards wait as the stage allows.
        """
        run = self.find(run_id, actor=actor, action=Action.START_RUNS)
        if request.round is not None and run.round == request.round + 1:
            return self._accepted(run)
        self._check(run, request)
        self.refuse_when_full()
        plans = self._plans(run)
        again = self._again(run, plans)
        files = self._write(run, plans, again)
        stage = next_index(files.plan.stages, 0, failed_before=False)
        if stage is None:
            raise ConflictError(f"Nothing of {run_id} can run again: {_verdict(run)}")
        if run.paused_at is not None:  # it ended while it was paused; whoever runs it again wants it to run
            self.queue.resume_run(run_id)
        reopened = self._reopen(run, files, by=actor.subject, stage=stage)
        self._start(reopened)
        return RerunAccepted(
            execution_id=run_id,
            state=reopened.state,
            round=reopened.round,
            tests=files.tests,
            shards=files.shards,
            whole_shards=files.whole_shards,
        )

    def _check(self, run: Run, request: RerunRequest) -> None:
        """Raises ConflictError where the run as such cannot be run again."""
        if run.purpose is RunPurpose.PLAN:
            raise ConflictError(f"{run.run_id} is a plan: nothing of it ever ran")
        if run.state is not RunState.FINISHED:
            raise ConflictError(
                f"{run.run_id} is still {run.state.value}: wait for its verdict, or cancel it"
            )
        if request.round is not None and request.round != run.round:
            raise ConflictError(f"{run.run_id} is in round {run.round}, not in round {request.round}")
        if run.round >= lifecycle.MOST_ROUNDS:
            raise ConflictError(
                f"{run.run_id} has had {run.round} rounds, which is the most: submit it again"
            )
        expires = run.created_at + self.records_last
        if self.clock.now() + timedelta(seconds=run.timeout_seconds) > expires:
            raise ConflictError(
                f"the records of {run.run_id} are kept until {expires:%Y-%m-%d}, too short for a rerun: submit it again"
            )

    def _plans(self, run: Run) -> tuple[Plan, ...]:
        """The plans of its rounds. Raises ConflictError where the first one has nothing to run."""
        plans = documents.read_plans(self.artifacts, run)
        if not plans:
            raise ConflictError(
                f"{run.run_id} ended before its tests were known: submit it again. {_verdict(run)}"
            )
        first = plans[0]
        if first.errors or first.failure_kind == "setup":
            reason = first.errors[0] if first.errors else first.reason or "the setup failed"
            raise ConflictError(
                f"the tests of {run.run_id} could not be collected, and they would fail in the same way again: {reason}. "
                "Mend the source or the setup, then submit it again"
            )
        if not first.stages:
            raise ConflictError(f"{run.run_id} has nothing to run: {first.reason or _verdict(run)}")
        return plans

    def _again(self, run: Run, plans: Sequence[Plan]) -> Again:
        """What runs again. Raises ConflictError where nothing does."""
        index = documents.read_index(self.artifacts, run.run_id)
        if index is None:
            raise ConflictError(f"the results of {run.run_id} were never put together: submit it again")
        again = select(
            plans,
            self._opened(run, index),
            {work.key.work_id: work for work in self.works.of_run(run.run_id)},
            team=run.team,
            suite=run.suite,
            recorded_by=lambda work_ids: self._recorded_by(run, index, work_ids),
        )
        if not any(stage.jobs or stage.carried for stage in again.stages):
            raise ConflictError(f"no test of {run.run_id} failed or lacks a result: {_verdict(run)}")
        return again

    def _opened(self, run: Run, index: ResultsIndex) -> Iterator[Case]:
        for status in CaseStatus:
            if status not in OPEN or status not in index.ranges:
                continue
            start, end = index.ranges[status]
            rows = documents.read_rows(self.artifacts, run.run_id, index, first=start)
            for _, case in zip(range(end - start), rows, strict=False):
                yield case

    def _recorded_by(
        self, run: Run, index: ResultsIndex, work_ids: frozenset[str]
    ) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {work_id: set() for work_id in work_ids}
        for case in documents.read_rows(self.artifacts, run.run_id, index, first=0):
            if case.work_id in found:
                found[case.work_id].add(case.id)
        return {work_id: frozenset(ids) for work_id, ids in found.items()}

    def _write(self, run: Run, plans: Sequence[Plan], again: Again) -> RoundFiles:
        name = self.ids.new(prefix=f"{run.round + 1:02d}", at=self.clock.now())
        prefix = layout.round_prefix(run.run_id, name)
        files = plan_again(
            again, plans, self._patterns(plans, again), prefix=prefix, first=next_number(plans)
        )
        for key, data in files.objects.items():
            self.artifacts.put(key, data, content_type="application/x-ndjson")
        documents.write(self.artifacts, files.plan_key, files.plan)
        return files

    def _patterns(self, plans: Sequence[Plan], again: Again) -> dict[str, Pattern]:
        """Tickets and orders of the shards after which the new ones are made. Raises ConflictError where they are gone."""
        wanted = {job.like for stage in again.stages for job in stage.jobs}
        wanted |= {shard.work_id for stage in again.stages for job in stage.jobs for shard in job.whole}
        found: dict[str, Pattern] = {}
        keys = dict.fromkeys(
            stage.tickets_key
            for plan in plans
            for stage in plan.stages
            if any(shard.work_id in wanted for shard in stage.shards)
        )
        try:
            for key in keys:
                for ticket in documents.read_tickets(self.artifacts, key):
                    if ticket.work_id in wanted:
                        order = documents.read_order_of(self.artifacts, ticket)
                        found[ticket.work_id] = Pattern(ticket, order)
        except NotFoundError as error:
            raise ConflictError(f"the orders of {plans[0].run_id} are gone: submit it again") from error
        return found

    def _reopen(self, run: Run, files: RoundFiles, *, by: str, stage: int) -> Run:
        """The reopened run. Raises ConflictError when another request was first."""
        reopened = lifecycle.reopened(
            run, plan_key=files.plan_key, shards=files.new_shards, stage=stage, by=by, now=self.clock.now()
        )
        try:
            return self.runs.save(reopened)
        except WriteConflictError as error:
            raise ConflictError(
                f"{run.run_id} was changed meanwhile: another rerun of it has begun"
            ) from error

    def _start(self, run: Run) -> None:
        try:
            self.queues.watch(run.run_id, delay=beside.TURN if beside.is_open(run) else WATCH_INTERVAL)
            self.executions.start(
                lifecycle.round_execution(run), RunExecutionInput(run_id=run.run_id, preparations=())
            )
        except RetryableError as error:
            _log.warning(
                "round %s of %s could not be started; the sweep will: %s", run.round, run.run_id, error
            )

    def _accepted(self, run: Run) -> RerunAccepted:
        """The answer to a request that was carried out before."""
        plan = documents.read_round(self.artifacts, run)
        shards = [shard for stage in plan.stages for shard in stage.shards] if plan else []
        pulling = {work_id for pull in plan.pulls for work_id in pull.work_ids} if plan else set()
        fixed = [shard for shard in shards if shard.work_id not in pulling]
        return RerunAccepted(
            execution_id=run.run_id,
            state=run.state,
            round=run.round,
            tests=sum(len(shard.test_ids or ()) for shard in fixed),
            shards=len(shards),
            whole_shards=sum(shard.test_ids is None for shard in fixed),
            repeated=True,
        )


def _verdict(run: Run) -> str:
    return run.verdict.reason if run.verdict else "it has no verdict"
