"""PlanRun: from what the preparations found to the shards of each stage, or only to what they would take and cost."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from crosswind.contracts.plans import PlanGoal, PlannedJob, PlannedSkip
from crosswind.contracts.requests import RunState
from crosswind.contracts.resolved import (
    Plan,
    PlannedLoad,
    PlannedPull,
    PlannedShard,
    PlannedStage,
    ResolvedSuite,
    ResolvedTest,
)
from crosswind.contracts.suites import StageCondition
from crosswind.contracts.tasks import PlanOutcome, PlanRunAnswer, StageRef
from crosswind.contracts.work import Discovery
from crosswind.kernel import json
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import InvalidInputError, RetryableError
from crosswind.kernel.retry import Pause
from crosswind.runs import layout
from crosswind.runs.history import quarantine
from crosswind.runs.history.model import JobKey, Timing
from crosswind.runs.history.ports import HistoryStore, QuarantineStore
from crosswind.runs.model import PlanSummary, Run, RunFailure, RunPurpose
from crosswind.runs.planning.curve import curve, point
from crosswind.runs.planning.jobs import Job, JobPlan, Limits, plan_job
from crosswind.runs.planning.launching import Launching
from crosswind.runs.planning.orders import Shards, shards_of, stage_files
from crosswind.runs.planning.splitting import MOST_SHARDS
from crosswind.runs.ports import ObjectStore, RunStore
from crosswind.runs.stages import next_index
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.discovering import NotPreparedError, ReadDiscovery, label

_REASON_CHARS = 4_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanRun:
    """Split the prepared tests into shards and store the plan, once: a recovery execution gets the plan that is there.

    Of a run that is only to be planned, the curve is stored and no shard is written.
    """

    runs: RunStore
    artifacts: ObjectStore
    history: HistoryStore
    quarantines: QuarantineStore
    discover: ReadDiscovery
    launching: Launching
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str) -> PlanRunAnswer:
        """Where to go on: the first stage that has not passed, or nowhere, with the reason.

        Raises:
            NotFoundError: There is no such run, or its resolved suite is gone.
        """
        run = self.runs.get(run_id)
        if run.state is RunState.FINISHED or run.cancel_requested_at is not None:
            what = "is finished" if run.state is RunState.FINISHED else "was cancelled"
            return PlanRunAnswer(outcome=PlanOutcome.STOP, reason=f"The run {what}.")
        plan, commit = documents.read_round(self.artifacts, run), None
        if plan is None:
            suite = documents.read_suite(self.artifacts, run)
            plan, commit = self._plan(run, suite)
            documents.write(self.artifacts, layout.plan_key(run_id), plan)
        noted = documents.change_run(
            self.runs, run_id, lambda stored: self._noted(stored, plan, commit), pause=self.pause
        )
        return self._answer(noted, plan)

    def _answer(self, run: Run, plan: Plan) -> PlanRunAnswer:
        if run.purpose is RunPurpose.PLAN:
            return PlanRunAnswer(outcome=PlanOutcome.PLANNED, reason=(plan.reason or "")[:1000] or None)
        stage = run.current_stage
        if stage is None or stage >= len(plan.stages) or not plan.stages[stage].shards:
            return PlanRunAnswer(outcome=PlanOutcome.STOP, reason=(plan.reason or "Nothing to run.")[:1000])
        tickets = StageRef(
            stage=stage, shards_bucket=self.artifacts.bucket, shards_key=plan.stages[stage].tickets_key
        )
        return PlanRunAnswer(outcome=PlanOutcome.PROCEED, next=tickets)

    def _noted(self, run: Run, plan: Plan, commit: str | None) -> Run:
        """The run's record with its plan. A failure that was noted before stays, and so does the stage that it is in."""
        failure, kind = run.failure, plan.failure_kind
        if kind is not None and failure is None:
            failure = RunFailure(state="PrepareRun", kind=kind, detail=plan.reason or "", at=self.clock.now())
        if run.state not in {RunState.ACCEPTED, RunState.PREPARING} and run.plan is not None:
            return replace(run, failure=failure)
        first = run.current_stage
        if first is None:
            first = next_index(plan.stages, 0, failed_before=False)
        executes = bool(plan.stages) and run.purpose is RunPurpose.RUN
        return replace(
            run,
            state=RunState.EXECUTING if executes else run.state,
            started_at=run.started_at or self.clock.now(),
            current_stage=first,
            commit=run.commit or commit,
            plan=PlanSummary(
                tests=plan.discovered,
                shards=sum(job.shards for job in plan.jobs),
                stages=len(plan.stages),
                method=plan.method,
            ),
            failure=failure,
        )

    def _plan(self, run: Run, suite: ResolvedSuite) -> tuple[Plan, str | None]:
        """The plan and the commit that it is for; where a failure left nothing to run, the plan says so."""
        try:
            tests = [test for test in suite.tests if _left_out(suite, test.stage) is None]
            found = self._found(suite, tests)
            jobs = self._jobs(suite, tests, found)
            return self._made(run, suite, jobs, found), _commit(found)
        except NotPreparedError as failure:
            nothing = Plan(
                run_id=suite.run_id,
                stages=(),
                discovered=None,
                method="none",
                reason=str(failure)[:_REASON_CHARS],
                failure_kind=failure.kind,
                errors=failure.errors,
            )
            return nothing, None

    def _found(self, suite: ResolvedSuite, tests: Sequence[ResolvedTest]) -> tuple[Discovery, ...]:
        """What each job's preparation found; one preparation may serve many jobs."""
        known: dict[str, Discovery] = {}
        for test in tests:
            if _source(test) not in known:
                known[_source(test)] = self.discover(suite.run_id, test)
        return tuple(known[_source(test)] for test in tests)

    def _jobs(
        self, suite: ResolvedSuite, tests: Sequence[ResolvedTest], found: Sequence[Discovery]
    ) -> tuple[Job, ...]:
        quarantines = self.quarantines.of_suite(suite.team, suite.suite)
        skipped = quarantine.skipped(quarantines, now=self.clock.now())
        muted = sorted(quarantine.muted(quarantines, now=self.clock.now()))
        jobs = []
        for test, discovery in zip(tests, found, strict=True):
            timings, fault = self._timings(suite, test, discovery)
            skips = {
                name: quarantine.sentence(each) for (job, name), each in skipped.items() if job == test.name
            }
            jobs.append(
                Job(
                    test=test,
                    discovered=discovery.test_ids,
                    timings=timings,
                    skips=skips,
                    muted=tuple(name for job, name in muted if job == test.name),
                    fault=fault,
                )
            )
        return tuple(jobs)

    def _timings(
        self, suite: ResolvedSuite, test: ResolvedTest, found: Discovery
    ) -> tuple[Mapping[str, Timing], str | None]:
        """Measured durations. A history that does not answer makes a worse plan, never none; the reason is told."""
        told = {name: Timing(seconds, 0.0, samples=1) for name, seconds in found.durations.items()}
        try:
            measured = self.history.timings(JobKey(suite.team, suite.suite, test.name, test.variant))
        except RetryableError as error:
            _log.warning("%s is planned without durations: %s", suite.run_id, error)
            return told, f"the durations could not be read: {error}"[:500]
        return told | dict(measured), None

    def _made(self, run: Run, suite: ResolvedSuite, jobs: Sequence[Job], found: Sequence[Discovery]) -> Plan:
        digest = _inputs_digest(suite, jobs)
        limits = Limits(at_most=_at_once(suite), launching=self.launching, seed=digest)
        planned = _planned(jobs, limits)
        empty = [label(job.test) for job in jobs if job.discovered == ()]
        if empty:
            reason = f"No test was found in test job {', '.join(empty)}: check its paths and arguments"
            return _described(Plan(run_id=suite.run_id, stages=(), method="none", reason=reason), planned)
        by_stage = [
            [each for each in planned if each.job.test.stage == index]
            for index in _stages(suite)
            if _runs_after(suite, index) is not StageCondition.FAILED
        ]
        plan = Plan(
            run_id=suite.run_id,
            stages=(),
            method="none",
            executor=self.launching.name,
            inputs_digest=digest,
            expected=point(by_stage, limits, shards=_shards_at_once(by_stage, limits)),
        )
        if run.purpose is RunPurpose.PLAN:
            open_jobs = [[each.job for each in stage] for stage in by_stage]
            drawn = curve(open_jobs, limits, goal=suite.goal or PlanGoal())
            update: dict[str, object] = {
                "curve": drawn.points,
                "chosen": drawn.chosen,
                "goal_missed": drawn.missed,
            }
        else:
            stages, pulls, loads = self._write_stages(suite, planned, found)
            update = {"stages": stages, "pulls": pulls, "loads": loads}
        return _described(plan.model_copy(update=update), planned)

    def _write_stages(
        self, suite: ResolvedSuite, planned: Sequence[JobPlan], found: Sequence[Discovery]
    ) -> tuple[tuple[PlannedStage, ...], tuple[PlannedPull, ...], tuple[PlannedLoad, ...]]:
        """Write orders, tickets and pull lists: what is expensive to hold lies beside the plan, not in it."""
        written: list[Shards] = []
        number = 0
        for index, (plan, discovery) in enumerate(zip(planned, found, strict=True)):
            shards = shards_of(plan, suite, discovery.archive, job_index=index, first=number)
            number += plan.shards
            written.append(shards)
            if shards.pull is not None and shards.pull_list is not None:
                documents.write(self.artifacts, shards.pull.key, shards.pull_list)
        stages = []
        for index in _stages(suite):
            mine = [shards for shards in written if shards.test.stage == index]
            files = stage_files(suite, index, mine)
            key = layout.stage_tickets_key(suite.run_id, index)
            orders_key = layout.stage_orders_key(suite.run_id, index)
            self.artifacts.put(orders_key, files.orders, content_type="application/x-ndjson")
            self.artifacts.put(key, files.tickets, content_type="application/x-ndjson")
            stages.append(
                _stage(suite, index, key, tuple(each for shards in mine for each in shards.planned))
            )
        pulls = tuple(shards.pull for shards in written if shards.pull is not None)
        return tuple(stages), pulls, tuple(shards.load for shards in written if shards.load is not None)


def _stages(suite: ResolvedSuite) -> range:
    return range(len(suite.stage_names))


def _stage(
    suite: ResolvedSuite, index: int, tickets_key: str, shards: tuple[PlannedShard, ...]
) -> PlannedStage:
    return PlannedStage(
        name=suite.stage_names[index],
        when=_runs_after(suite, index),
        left_out=_left_out(suite, index),
        tickets_key=tickets_key,
        shards=shards,
    )


def _runs_after(suite: ResolvedSuite, stage: int) -> StageCondition:
    return suite.stages[stage].when if stage < len(suite.stages) else StageCondition.PASSED


def _left_out(suite: ResolvedSuite, stage: int) -> str | None:
    return suite.stages[stage].left_out if stage < len(suite.stages) else None


def _source(test: ResolvedTest) -> str:
    """What tells one discovery of a run from another."""
    return test.prepare_work_id or test.discovery_key or ""


def _at_once(suite: ResolvedSuite) -> int:
    return min(suite.concurrency, suite.suite_concurrency or MOST_SHARDS, MOST_SHARDS)


def _shards_at_once(stages: Sequence[Sequence[JobPlan]], limits: Limits) -> int:
    fullest = max((sum(each.shards for each in stage) for stage in stages), default=0)
    return max(min(limits.at_most, fullest), 1)


def _planned(jobs: Sequence[Job], limits: Limits) -> tuple[JobPlan, ...]:
    planned = []
    for job in jobs:
        try:
            planned.append(plan_job(job, limits))
        except InvalidInputError as error:
            raise NotPreparedError("setup", f"test job {label(job.test)}: {error}") from error
    return tuple(planned)


def _described(plan: Plan, planned: Sequence[JobPlan]) -> Plan:
    """The plan with how each job was split."""
    counted = [each.job.discovered for each in planned]
    known = [ids for ids in counted if ids is not None]
    return plan.model_copy(
        update={
            "discovered": sum(len(ids) for ids in known) if len(known) == len(counted) else None,
            "method": ", ".join(sorted({each.method.value for each in planned})),
            "jobs": tuple(_job(each) for each in planned),
            "skipped": tuple(skip for each in planned for skip in _skips(each.job)),
        }
    )


def _job(planned: JobPlan) -> PlannedJob:
    job = planned.job
    return PlannedJob(
        stage=job.test.stage,
        test=job.test.name,
        variant=job.test.variant,
        method=planned.method.value,
        reason=planned.reason,
        shards=planned.shards,
        shards_reason=planned.shards_reason,
        tests=None if job.discovered is None else len(job.discovered),
        units=None if planned.units is None else len(planned.units),
        known_durations=job.estimates.known,
        assumed_seconds=round(job.estimates.assumed.seconds, 3),
        estimate_seconds=round(job.seconds, 3),
        longest_seconds=round(planned.longest, 3),
    )


def _skips(job: Job) -> list[PlannedSkip]:
    return [
        PlannedSkip(test=job.test.name, variant=job.test.variant, test_id=test_id, reason=job.skips[test_id])
        for test_id in job.discovered or ()
        if test_id in job.skips
    ]


def _inputs_digest(suite: ResolvedSuite, jobs: Sequence[Job]) -> str:
    """Of all that the plan depends on, without the run's own id: equal inputs, equal digest, equal split."""
    asked = suite.model_dump(mode="json", exclude={"run_id": True, "tests": {"__all__": _PLACES}})
    seen = [
        [
            job.discovered,
            sorted((name, each.seconds, each.spread_seconds) for name, each in job.timings.items()),
            sorted(job.skips),
            job.fault,
        ]
        for job in jobs
    ]
    return json.digest([asked, seen])


_PLACES = {"prepare_work_id", "discovery_key"}  # where a preparation lies; what it found is digested itself


def _commit(found: Sequence[Discovery]) -> str | None:
    """The Git commit, where all jobs are of the same one."""
    commits = {each.commit for each in found}
    return commits.pop() if len(commits) == 1 else None
