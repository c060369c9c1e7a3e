"""Failed tests run again as a further round of the same run, over in-memory stores, from the request to the new verdict."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.events import RunFinished
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import CaseStatus, RerunAccepted, RerunRequest, RunState, VerdictKind
from crosswind.contracts.suites import Framework, StageCondition
from crosswind.contracts.tasks import PlanOutcome, RunExecutionInput
from crosswind.contracts.work import Ticket, WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, DependencyError, ForbiddenError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs import lifecycle
from crosswind.runs.model import Case, RunPurpose
from crosswind.runs.ports import ExecutionStatus
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.cancelling import EndWork
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.reading import FindRun, GetRun
from crosswind.runs.usecases.reading_results import ListResults
from crosswind.runs.usecases.recovery import RecoverRun, Recovery
from crosswind.runs.usecases.rerunning import RerunRun
from tests.fakes import CountingIds, MemoryExecutions, MemoryQueues
from tests.fakes.time import START
from tests.unit.runs.results_world import RUN, World, job, junit, no_pause
from tests.unit.runs.suites_samples import STRANGER, VIEWER
from tests.unit.runs.world import ADA

AGAIN = RerunRequest()


@dataclass
class Rounds(World):
    """A world in which runs can be run again: `tickets` are those of the present round."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.queues = MemoryQueues()
        self.executions = MemoryExecutions()
        self.find = FindRun(self.runs, Guard(decide))
        self.request = RerunRun(
            runs=self.runs,
            works=self.works,
            artifacts=self.artifacts,
            queue=self.works.queue,
            queues=self.queues,
            executions=self.executions,
            find=self.find,
            refuse_when_full=lambda: None,
            clock=self.clock,
            ids=CountingIds(),
            records_last=timedelta(days=30),
        )

    def begin(self, *ids: str, stages: tuple[Any, ...] = (), **changes: Any) -> None:
        """A planned run of one job in two shards, or of the given jobs."""
        self.submit(*(stages or (job(**changes),)))
        self.prepare(*ids)
        assert self.plan(RUN).outcome is PlanOutcome.PROCEED

    def tickets(self) -> list[Ticket]:
        plan = documents.read_round(self.artifacts, self.runs.get(RUN))
        assert plan is not None
        keys = [stage.tickets_key for stage in plan.stages if stage.shards]
        return [ticket for key in keys for ticket in documents.read_tickets(self.artifacts, key)]

    def end(self) -> tuple[VerdictKind, str]:
        """What the state machine does once all shards are answered."""
        self.ingest_all()
        return self.verdict()

    def rerun(self, request: RerunRequest = AGAIN) -> RerunAccepted:
        """Ask for a rerun, and let the new execution's PlanRun go."""
        accepted = self.request(RUN, request, actor=ADA)
        assert self.plan(RUN).outcome is PlanOutcome.PROCEED
        return accepted

    def selections(self) -> list[tuple[str, ...] | None]:
        """The tests that each shard of the present round is given."""
        return [documents.read_order_of(self.artifacts, ticket).selection for ticket in self.tickets()]

    def cases(self) -> dict[str, Case]:
        index = documents.read_index(self.artifacts, RUN)
        assert index is not None
        rows = documents.read_rows(self.artifacts, RUN, index, first=0)
        return {case.name.removeprefix("t.py::"): case for case in rows}

    def statuses(self) -> dict[str, CaseStatus]:
        return {name: case.status for name, case in self.cases().items()}


@pytest.fixture
def world() -> Rounds:
    return Rounds()


@pytest.fixture
def failed(world: Rounds) -> Rounds:
    """Of a, b, c and d in two shards, b and d have failed."""
    world.begin("a", "b", "c", "d")
    world.run_shard(0, junit("a", "b!"), exit_code=1)
    world.run_shard(1, junit("c", "d!"), exit_code=1)
    assert world.end()[0] is VerdictKind.FAILED
    return world


def test_failed_tests_of_all_shards_run_again_in_the_same_run_and_turn_flaky(failed: Rounds) -> None:
    accepted = failed.rerun()
    assert (accepted.execution_id, accepted.round, accepted.tests, accepted.shards) == (RUN, 2, 2, 1)
    assert failed.selections() == [("t.py::b", "t.py::d")]
    assert [ticket.work_id for ticket in failed.tickets()] == ["shard-00002"]
    assert [ticket.round for ticket in failed.tickets()] == [2]
    failed.run_shard(0, junit("b", "d"))
    assert failed.end() == (
        VerdictKind.PASSED,
        "4 tests passed. 2 tests passed only after another try (flaky).",
    )
    flaky = CaseStatus.FLAKY
    assert failed.statuses() == {"a": CaseStatus.PASSED, "b": flaky, "c": CaseStatus.PASSED, "d": flaky}
    assert failed.cases()["b"].message == "boom"


def test_what_the_round_before_came_to_is_kept(failed: Rounds) -> None:
    failed.clock.advance(60)
    failed.rerun()
    view = GetRun(failed.find, failed.works).view(failed.runs.get(RUN), detail=False)
    assert (view.state, view.round, view.verdict, view.finished_at) == (RunState.EXECUTING, 2, None, None)
    [before] = view.rounds
    assert (before.round, before.verdict.kind, before.tests.failed) == (1, VerdictKind.FAILED, 2)
    assert (before.started_at, before.finished_at) == (to_iso(START), to_iso(START))
    assert failed.runs.get(RUN).rerun_by == "ada"


def test_each_round_is_published_under_an_id_of_its_own(failed: Rounds) -> None:
    failed.rerun()
    failed.run_shard(0, junit("b", "d!"), exit_code=1)
    failed.end()
    failed.rerun()
    failed.run_shard(0, junit("d"))
    failed.end()
    events = failed.bus.published
    assert [event.id for event in events] == [
        f"{RUN}.finished",
        f"{RUN}.finished.2",
        f"{RUN}.finished.3",
    ]
    details = [event.detail for event in events if isinstance(event.detail, RunFinished)]
    assert [(detail.round, detail.verdict) for detail in details] == [
        (1, "failed"),
        (2, "failed"),
        (3, "passed"),
    ]


def test_a_late_repetition_of_the_end_of_the_round_before_does_not_end_the_new_one(failed: Rounds) -> None:
    failed.rerun()
    failed.publish(RUN)  # its first call ended the run, and its answer was lost
    run = failed.runs.get(RUN)
    assert (run.state, run.verdict) == (RunState.EXECUTING, None)
    failed.run_shard(0, junit("b", "d"))
    assert failed.end()[0] is VerdictKind.PASSED
    assert [event.id for event in failed.bus.published] == [f"{RUN}.finished", f"{RUN}.finished.2"]


def test_a_rerun_of_a_rerun_takes_only_what_is_still_red(failed: Rounds) -> None:
    failed.rerun()
    failed.run_shard(0, junit("b", "d!"), exit_code=1)
    assert failed.end()[1] == ("1 of 4 tests failed. Failed: t.py::d.")
    failed.rerun()
    assert failed.selections() == [("t.py::d",)]
    assert [ticket.work_id for ticket in failed.tickets()] == ["shard-00003"]


def test_a_lost_shard_is_made_good_by_a_rerun_of_its_tests(world: Rounds) -> None:
    world.begin("a", "b", "c", "d")
    world.run_shard(0, junit("a", "b"))
    world.lose_shard(1)
    assert world.end()[0] is VerdictKind.ERROR
    world.rerun()
    assert world.selections() == [("t.py::c", "t.py::d")]
    world.run_shard(0, junit("c", "d"))
    assert world.end() == (VerdictKind.PASSED, "4 tests passed.")


def test_a_rerun_that_infrastructure_loses_is_an_error_and_can_be_rerun(failed: Rounds) -> None:
    failed.rerun()
    failed.lose_shard(0)
    kind, reason = failed.end()
    assert (kind, failed.statuses()["b"]) == (VerdictKind.ERROR, CaseStatus.FAILED)
    assert "shard-00002" in reason
    failed.rerun()
    failed.run_shard(0, junit("b", "d"))
    assert failed.end()[0] is VerdictKind.PASSED


def test_a_shard_whose_exit_status_contradicts_its_report_runs_again_as_a_whole(world: Rounds) -> None:
    world.begin("a", "b", "c", "d")
    world.run_shard(0, junit("a", "b"), exit_code=3)
    world.run_shard(1, junit("c", "d"))
    assert world.end()[0] is VerdictKind.INCONCLUSIVE
    world.rerun()
    assert world.selections() == [("t.py::a", "t.py::b")]
    world.run_shard(0, junit("a", "b"))
    assert world.end() == (VerdictKind.PASSED, "4 tests passed.")


def test_after_a_timeout_only_what_was_cut_off_runs_again(world: Rounds) -> None:
    world.begin("a", "b", shards=1)
    world.run_shard(0, junit("a"), exit_code=None, timed_out=True)
    assert world.end()[0] is VerdictKind.INCONCLUSIVE
    world.rerun()
    assert world.selections() == [("t.py::b",)]
    world.run_shard(0, junit("b"))
    assert world.end() == (VerdictKind.PASSED, "2 tests passed.")


def test_an_error_outside_of_all_planned_tests_is_over_when_its_shard_ran_well(world: Rounds) -> None:
    world.begin("a", "b", shards=1)
    world.run_shard(0, junit("a", "b", "conftest!"), exit_code=1)
    assert world.end()[0] is VerdictKind.FAILED
    world.rerun()
    assert world.selections() == [("t.py::a", "t.py::b")]
    world.run_shard(0, junit("a", "b"))
    assert world.end() == (VerdictKind.PASSED, "2 tests passed.")


def command(**changes: Any) -> Any:
    return job(framework=Framework.COMMAND, command="run", **changes)


def found_nothing(world: Rounds) -> None:
    """A preparation of a framework that cannot list its tests."""
    world.prepare()
    work = next(iter(world.works.of_run(RUN)))
    assert work.commit is not None
    key = f"{work.commit.prefix}discovery.json"
    found = documents.read_discovery(world.artifacts, key)
    documents.write(world.artifacts, key, found.model_copy(update={"test_ids": None}))


def test_red_shards_of_a_command_run_again_as_they_were(world: Rounds) -> None:
    world.submit(command(shards=3))
    found_nothing(world)
    world.plan(RUN)
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b", "c!"), exit_code=1)
    world.run_shard(2, junit("d"))
    assert world.end()[0] is VerdictKind.FAILED
    accepted = world.rerun()
    assert (accepted.tests, accepted.shards, accepted.whole_shards) == (0, 1, 1)
    [ticket] = world.tickets()
    order = documents.read_order_of(world.artifacts, ticket)
    assert (order.selection, order.shard_index, order.shard_count) == (None, 1, 3)
    world.run_shard(0, junit("b!", "c"), exit_code=1)
    assert world.end()[0] is VerdictKind.PASSED
    assert world.statuses()["b"] is CaseStatus.FLAKY  # it has passed on this very source


def test_a_stage_that_never_began_runs_once_the_one_before_has_passed(world: Rounds) -> None:
    world.begin("a", stages=(job(shards=1), job("load", stage=1, shards=1)))
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    assert world.finish().verdict is not None
    assert world.rerun().shards == 2
    assert [ticket.work_id for ticket in world.tickets()] == ["shard-00002", "shard-00001"]
    world.run_shard(0, junit("a"))
    world.ingest_all()
    following = world.close(RUN, stage=0).next
    assert following is not None
    assert following.stage == 1
    world.run_shard(1, junit("a"))
    assert world.end()[0] is VerdictKind.PASSED


def test_a_cancelled_run_can_be_carried_on(world: Rounds) -> None:
    world.begin("a", "b")
    world.run_shard(0, junit("a"))
    world.lose_shard(1, outcome=WorkOutcome.CANCELLED)
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    assert world.end()[0] is VerdictKind.CANCELLED
    world.rerun()
    world.run_shard(0, junit("b"))
    assert world.end() == (VerdictKind.PASSED, "2 tests passed.")


def test_a_stage_that_ran_because_of_a_failure_runs_again_although_that_is_made_good(world: Rounds) -> None:
    world.begin("a", stages=(job(shards=1), job("clean-up", stage=1, shards=1)))
    plan = documents.read_plan(world.artifacts, RUN)
    assert plan is not None
    stages = (plan.stages[0], plan.stages[1].model_copy(update={"when": StageCondition.FAILED}))
    documents.write(world.artifacts, f"runs/{RUN}/plan.json", plan.model_copy(update={"stages": stages}))
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.PROCEED
    world.run_shard(1, junit("a!"), exit_code=1)
    world.end()
    world.rerun()
    world.run_shard(0, junit("a"))
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.PROCEED


@pytest.mark.parametrize("errors", [("t.py: SyntaxError: invalid syntax",)])
def test_collection_errors_are_never_run_again(world: Rounds, errors: tuple[str, ...]) -> None:
    world.submit(job())
    world.prepare(errors=errors)
    world.plan(RUN)
    world.finish()
    with pytest.raises(ConflictError, match=r"could not be collected, .* SyntaxError: invalid syntax"):
        world.request(RUN, AGAIN, actor=ADA)
    assert world.runs.get(RUN).round == 1


def test_a_run_with_nothing_red_says_so(world: Rounds) -> None:
    world.begin("a", "b")
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b"))
    world.end()
    with pytest.raises(ConflictError, match=r"no test of .* failed or lacks a result: 2 tests passed\."):
        world.request(RUN, AGAIN, actor=ADA)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": RunState.EXECUTING}, "is still executing"),
        ({"purpose": RunPurpose.PLAN}, "is a plan"),
        ({"round": lifecycle.MOST_ROUNDS}, "which is the most"),
        ({"created_at": START - timedelta(days=30)}, "are kept until"),
    ],
)
def test_a_run_that_cannot_run_again_says_why(failed: Rounds, changes: dict[str, Any], words: str) -> None:
    failed.runs.save(replace(failed.runs.get(RUN), **changes))
    with pytest.raises(ConflictError, match=words):
        failed.request(RUN, AGAIN, actor=ADA)


def test_a_run_that_ended_before_its_tests_were_known_is_submitted_again(world: Rounds) -> None:
    world.submit(job())
    world.finish()
    with pytest.raises(ConflictError, match="before its tests were known"):
        world.request(RUN, AGAIN, actor=ADA)


def test_only_those_who_may_start_runs_run_them_again(failed: Rounds) -> None:
    for actor, refusal in ((STRANGER, NotFoundError), (VIEWER, ForbiddenError)):
        with pytest.raises(refusal):
            failed.request(RUN, AGAIN, actor=actor)


def test_a_repeated_request_that_names_its_round_changes_nothing(failed: Rounds) -> None:
    request = RerunRequest(round=1)
    first = failed.rerun(request)
    again = failed.request(RUN, request, actor=ADA)
    assert again == first.model_copy(update={"repeated": True})
    with pytest.raises(ConflictError, match="is still executing"):
        failed.request(RUN, AGAIN, actor=ADA)


def test_of_two_requests_at_once_one_wins_and_the_others_objects_are_never_read(failed: Rounds) -> None:
    before = failed.runs.get(RUN)
    save = failed.runs.save
    calls: list[Any] = []

    def save_late(run: Any) -> Any:
        if not calls:
            calls.append(run)
            failed.request(RUN, AGAIN, actor=ADA)
        return save(run)

    failed.runs.save = save_late  # type: ignore[method-assign]  # the race itself
    with pytest.raises(ConflictError, match="another rerun of it has begun"):
        failed.request(RUN, AGAIN, actor=ADA)
    run = failed.runs.get(RUN)
    assert (run.round, len(run.round_plans), before.round) == (2, 1, 1)
    assert failed.executions.started.keys() == {f"{RUN}-a2"}


def test_a_run_that_ended_while_it_was_paused_is_not_paused_when_it_runs_again(failed: Rounds) -> None:
    failed.works.queue.pause_run(RUN, until=START + timedelta(days=1))
    failed.runs.save(replace(failed.runs.get(RUN), paused_at=START, paused_by="ada"))
    failed.rerun()
    assert failed.runs.get(RUN).paused_at is None
    assert RUN not in failed.works.queue.rules().paused_runs


def recovering(world: Rounds) -> RecoverRun:
    change = ChangeWork(world.works, PerformEffects(world.queues, world.tokens), no_pause)
    return RecoverRun(
        runs=world.runs,
        executions=world.executions,
        artifacts=world.artifacts,
        end_work=EndWork(world.works, change, world.clock),
        close_run=lambda run_id, *, at_last: True,
        clock=world.clock,
        pause=no_pause,
    )


def test_a_rerun_has_an_execution_and_a_deadline_of_its_own(failed: Rounds) -> None:
    failed.clock.advance(timedelta(hours=5))  # the first round's time is long over
    failed.rerun()
    run = failed.runs.get(RUN)
    assert failed.executions.started == {f"{RUN}-a2": RunExecutionInput(run_id=RUN, preparations=())}
    assert failed.queues.watches[-1][0] == RUN
    assert lifecycle.closed(run, failed.clock.now()) is None
    assert lifecycle.deadline(run) == failed.clock.now() + timedelta(seconds=run.timeout_seconds)


def test_a_rerun_whose_execution_ends_early_is_recovered_under_a_name_that_tells_its_run(
    failed: Rounds,
) -> None:
    failed.rerun()
    failed.executions.end(f"{RUN}-a2")
    recover = recovering(failed)
    assert recover(RUN) is Recovery.STARTED
    assert failed.executions.status(f"{RUN}-a2-r1") is ExecutionStatus.RUNNING
    assert failed.executions.started[f"{RUN}-a2-r1"].preparations == ()
    for name in (RUN, f"{RUN}-r5", f"{RUN}-a2", f"{RUN}-a12-r3"):
        assert lifecycle.run_of_execution(name) == RUN
    assert lifecycle.run_of_execution(f"{RUN}-b2") is None


def test_a_rerun_whose_execution_could_not_be_started_is_started_by_the_sweep(failed: Rounds) -> None:
    class Away(MemoryExecutions):
        def start(self, name: str, payload: RunExecutionInput) -> None:
            raise DependencyError("step functions is away")

    replace(failed.request, executions=Away())(RUN, AGAIN, actor=ADA)
    assert recovering(failed)(RUN) is Recovery.STARTED
    assert f"{RUN}-a2" in failed.executions.started


def test_while_a_rerun_goes_on_the_results_of_the_rounds_before_are_shown_as_not_complete(
    failed: Rounds,
) -> None:
    results = ListResults(failed.find, failed.runs, failed.artifacts)
    every: dict[str, Any] = {"status": None, "limit": 50, "cursor": None, "actor": VIEWER}
    assert results(RUN, **every).complete
    failed.rerun()
    page = results(RUN, **every)
    assert (len(page.items), page.complete) == (4, False)
