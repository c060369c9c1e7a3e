"""Starting a run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.contracts.plans import PlanGoal
from crosswind.contracts.requests import Revision, RunState, SubmitRunRequest
from crosswind.contracts.resolved import ResolvedTest
from crosswind.contracts.suites import Priority, Scalar, TestSuite, duration_seconds
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import GitSource, PrepareOrder
from crosswind.kernel import json
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import (
    FieldError,
    InvalidInputError,
    NotFoundError,
    RetryableError,
    TooLargeError,
)
from crosswind.kernel.ids import IdempotencyKey, Ids
from crosswind.runs import beside, layout, resolving
from crosswind.runs.admission.ports import QueueStore
from crosswind.runs.frameworks.catalogue import builtin
from crosswind.runs.model import WATCH_INTERVAL, Run, RunPurpose
from crosswind.runs.ports import DocumentStore, Executions, Experiments, ObjectStore, Queues, RunStore
from crosswind.runs.preparing import final_key
from crosswind.runs.resolving import Job, Preparation
from crosswind.runs.revisions import revision_of
from crosswind.runs.schedules.model import Origin
from crosswind.runs.spec_rules import Rules
from crosswind.runs.specs import parse_document, parse_suite
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.backpressure import RefuseWhenFull

MAX_KEY_CHARACTERS = 255
_COMMIT_CHARACTERS = 40
_LARGEST_DISCOVERY = 16 * 1024 * 1024  # some 100,000 test ids; an API call has 29 s
_MACHINES = "\n"
"""Before the keys of schedules and triggers: no client can send it, and so nobody can use up the key of a run to come."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubmitRun:
    """Check and resolve a suite, store the run, start its execution.

    The run's record is what counts. When StartExecution fails after the record exists, the run is accepted all the
    same: the watchdog, armed before, and behind it the minute's sweep find a run without an execution and start one.
    """

    runs: RunStore
    suites: DocumentStore
    artifacts: ObjectStore
    sources: ObjectStore
    queue: QueueStore
    queues: Queues
    executions: Executions
    guard: Guard
    clock: Clock
    ids: Ids
    rules: Rules
    queue_limit: int
    experiments: Experiments
    choose_cluster: Callable[[TestSuite], str | None]  # ChooseCluster

    def __call__(
        self,
        request: SubmitRunRequest,
        *,
        actor: Actor,
        idempotency_key: str | None = None,
        origin: Origin | None = None,
        goal: PlanGoal | None = None,
    ) -> tuple[Run, bool]:
        """The run, and whether it is new; with a known Idempotency-Key it is the earlier one.

        `origin` is what a schedule or a trigger gives for the run's record; a person's submission has none.
        With a `goal` the run is only planned: it prepares, it is not listed, and nothing of it is executed.

        Raises:
            InvalidInputError: The suite or its parameters have faults.
            ForbiddenError: The actor may not start runs in the suite's team.
            NotFoundError: There is no stored suite of that name.
            ConflictError: The key was used for another request.
            QueueFullError: As many shards wait as the stage allows.
        """
        check_key(idempotency_key)
        suite = _prioritised(self._suite(request, actor), request.priority)
        team = suite.metadata.team
        self.guard.require(actor, Action.START_RUNS, team=team)
        wants_chaos = goal is None and any(stage.chaos for stage in suite.spec.stages)
        if wants_chaos and request.suite is None:
            self.guard.require(actor, Action.START_EXPERIMENTS, team=team)  # a stored suite an editor stored
        idempotency = None
        if idempotency_key is not None:
            digest = json.digest([actor.issuer, actor.subject, request.model_dump(mode="json")])
            key = idempotency_key if origin is None else f"{_MACHINES}{idempotency_key}"
            idempotency = IdempotencyKey(team=team, key=key, request_digest=digest)
            earlier = self.runs.created_with(idempotency)
            if earlier is not None:  # known before the queue is asked: it may be full of this very run
                return earlier, False
        self._check_experiments(suite)
        RefuseWhenFull(self.queue, self.queue_limit, self.clock)()
        run, preparations = self._write(suite, request.parameters, actor, told=request.revision, goal=goal)
        if origin is not None:
            run = replace(run, trigger=origin.cause, chain=origin.chain)
        if goal is not None:
            run = replace(run, purpose=RunPurpose.PLAN)
        stored, created = self.runs.create(run, idempotency=idempotency)
        if created:
            self._start(stored, preparations)
        return stored, created

    def _check_experiments(self, suite: TestSuite) -> None:
        """Raises InvalidInputError with all that keeps an experiment beside a stage from starting, as far as it is known now."""
        faults = [
            FieldError(f"spec.stages[{index}].chaos.{fault.path}", fault.message, fault.expected)
            for index, stage in enumerate(suite.spec.stages)
            if stage.chaos is not None
            for fault in self.experiments.faults(
                suite.metadata.team, stage.chaos.experiment, stage.chaos.parameters
            )
        ]
        if faults:
            raise InvalidInputError("experiments beside the suite's stages cannot start", faults)

    def _suite(self, request: SubmitRunRequest, actor: Actor) -> TestSuite:
        given = [name for name in ("spec", "text", "suite") if getattr(request, name) is not None]
        if len(given) != 1:
            raise InvalidInputError("give exactly one of `spec`, `text` and `suite`")
        if request.text is not None:
            return parse_suite(request.text, rules=self.rules)
        if request.spec is not None:
            return parse_document(request.spec, rules=self.rules)
        team = chosen_team(actor, request.team)
        self.guard.require(actor, Action.START_RUNS, team=team)
        return parse_document(self.suites.get(team, request.suite or "").spec, rules=self.rules)

    def _write(
        self,
        suite: TestSuite,
        given: Mapping[str, Scalar],
        actor: Actor,
        *,
        told: Revision | None,
        goal: PlanGoal | None,
    ) -> tuple[Run, RunExecutionInput]:
        """Write what the execution reads. Objects of a run that is then not created expire with their bucket's rule."""
        now = self.clock.now()
        run_id = self.ids.new(prefix="run", at=now)
        parameters = resolving.bind_parameters(suite, given)
        orders = self._orders(suite, self._jobs(suite, parameters))
        revision = revision_of(told, [order.source for _, order in orders])
        earlier = {order.preparation: self._earlier(order) for _, order in orders}
        wanted = resolving.unique((job, order) for job, order in orders if earlier[order.preparation] is None)
        cluster = self.choose_cluster(suite)
        lines, tickets = resolving.write_preparations(suite, wanted, run_id=run_id, cluster=cluster)
        resolved = resolving.resolved_suite(
            suite, _tests(orders, wanted, earlier), parameters=parameters, run_id=run_id, cluster=cluster
        ).model_copy(update={"goal": goal})
        execution = RunExecutionInput(run_id=run_id, preparations=tickets)
        documents.write(self.artifacts, layout.spec_key(run_id), resolved)
        if lines:
            self.artifacts.put(
                layout.preparation_orders_key(run_id), lines, content_type="application/x-ndjson"
            )
        documents.write(self.artifacts, layout.execution_input_key(run_id), execution)
        run = Run(
            run_id=run_id,
            team=suite.metadata.team,
            suite=suite.metadata.name,
            priority=suite.spec.priority,
            actor=actor.subject,
            issuer=actor.issuer,
            spec_key=layout.spec_key(run_id),
            spec_digest=json.digest([suite.model_dump(mode="json"), parameters]),
            timeout_seconds=duration_seconds(suite.spec.timeout),
            state=RunState.ACCEPTED,
            version=1,
            created_at=now,
            parameters=parameters,
            labels=suite.metadata.labels,
            stage_names=resolved.stage_names,
            commit=revision.commit,
            branch=revision.branch,
            default_branch=revision.default_branch,
            beside=beside.planned(resolved.stages) if goal is None else (),
        )
        return run, execution

    def _jobs(self, suite: TestSuite, parameters: Mapping[str, Scalar]) -> list[Job]:
        """Every job, with the manifest of its framework where that is the team's own: it stays what it is now."""
        team = suite.metadata.team
        own = cache(lambda name: None if builtin(name) else self.rules.framework(team, name))
        return [replace(job, manifest=own(job.spec.framework)) for job in resolving.expand(suite, parameters)]

    def _orders(self, suite: TestSuite, jobs: Sequence[Job]) -> list[tuple[Job, PrepareOrder]]:
        team = suite.metadata.team
        sizes = {digest: self._size(team, digest) for digest in {job.archive for job in jobs}}
        missing = {job.place: job.archive for job in jobs if sizes[job.archive] is None}
        if missing:
            raise InvalidInputError(
                "the suite names archives that are not there",
                [
                    FieldError(
                        f"{place}.source.archive.digest",
                        f"team {team!r} has no archive {digest}",
                        expected="an archive that was uploaded through POST /api/v1/sources",
                    )
                    for place, digest in missing.items()
                ],
            )
        seconds = duration_seconds(suite.spec.timeout)
        return [
            (
                job,
                resolving.prepare_order(
                    job, team=team, archive_size=sizes[job.archive] or 0, run_seconds=seconds
                ),
            )
            for job in jobs
        ]

    def _size(self, team: str, digest: str | None) -> int | None:
        if digest is None:
            return 0
        stored = self.sources.stat(layout.archive_key(team, digest))
        return stored.size if stored else None

    def _earlier(self, order: PrepareOrder) -> str | None:
        """What an equal preparation left. A Git ref has to be a whole commit: what a branch means now, only git knows."""
        commit = None
        if isinstance(order.source, GitSource):
            commit = order.source.ref
            if len(commit) != _COMMIT_CHARACTERS or not set(commit) <= set("0123456789abcdef"):
                return None
        key = self.runs.preparation(final_key(order, commit=commit))
        return key if key is not None and self._is_whole(key) else None

    def _is_whole(self, discovery_key: str) -> bool:
        """Whether what was remembered is still there: its record may outlive the objects that it names.

        A Discovery too large to read here is left to the runner, which looks for an earlier one too.
        """
        try:
            found = documents.read_discovery(self.artifacts, discovery_key, limit_bytes=_LARGEST_DISCOVERY)
        except (NotFoundError, InvalidInputError, TooLargeError):
            return False
        return self.sources.stat(found.archive.key) is not None

    def _start(self, run: Run, execution: RunExecutionInput) -> None:
        try:
            self.queues.watch(run.run_id, delay=beside.TURN if run.beside else WATCH_INTERVAL)
            self.executions.start(run.run_id, execution)
        except RetryableError as error:
            _log.warning("the execution of %s could not be started; the sweep will: %s", run.run_id, error)


def _prioritised(suite: TestSuite, priority: Priority | None) -> TestSuite:
    """The suite under another priority than its own."""
    if priority is None:
        return suite
    return suite.model_copy(update={"spec": suite.spec.model_copy(update={"priority": priority})})


def _tests(
    orders: Sequence[tuple[Job, PrepareOrder]],
    wanted: Sequence[Preparation],
    earlier: Mapping[str, str | None],
) -> tuple[ResolvedTest, ...]:
    work_ids = {
        each.order.preparation: layout.preparation_work_id(index) for index, each in enumerate(wanted)
    }
    return tuple(
        resolving.resolved_test(
            job,
            prepare_work_id=work_ids.get(order.preparation),
            discovery_key=earlier[order.preparation],
        )
        for job, order in orders
    )


def check_key(key: str | None) -> None:
    """Check a client's Idempotency-Key. Raises InvalidInputError."""
    if key is not None and (
        not 0 < len(key) <= MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable()
    ):
        raise InvalidInputError(
            f"the Idempotency-Key has to be 1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
        )
