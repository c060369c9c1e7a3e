"""Why: of a run that waits, that is red and that passed, over in-memory stores."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.explaining import Cause, WhyView
from crosswind.contracts.permissions import Guard
from crosswind.contracts.pods import PodState
from crosswind.contracts.queueing import HolderView, WaitingView
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import DependencyError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs.explaining import Failing, alike
from crosswind.runs.history.model import JobKey, Observation, Outcome, TestHistory
from crosswind.runs.identity import case_id
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Case, InfrastructureFailure, WorkKey, WorkState
from crosswind.runs.usecases.explaining import ExplainRun
from crosswind.runs.usecases.reading import FindRun
from tests.fakes.history import MemoryHistoryStore
from tests.fakes.pods import MemoryPodStore
from tests.fakes.samples import make_work
from tests.fakes.time import START
from tests.unit.runs.pods.samples import make_record
from tests.unit.runs.results_world import RUN, World, job, junit, started
from tests.unit.runs.suites_samples import STRANGER, VIEWER

WAITING = WaitingView(
    reason="no_slot",
    explanation="All 100 slots are taken",
    position=3,
    expected_start=to_iso(START + timedelta(minutes=4)),
    holders=(HolderView(team="web", slots=60), HolderView(team="api", slots=40)),
    must_finish=12,
    waiting=2,
)


class Silent(MemoryHistoryStore):
    """A history that does not answer."""

    def get(self, job: JobKey, case_ids: Sequence[str]) -> Mapping[str, TestHistory]:
        raise DependencyError("the table is away")


def why(
    world: World,
    *,
    waiting: WaitingView | None = None,
    history: MemoryHistoryStore | None = None,
    pods: MemoryPodStore | None = None,
) -> WhyView:
    explain = ExplainRun(
        pods=pods or MemoryPodStore(),
        find=FindRun(world.runs, Guard(decide)),
        runs=world.runs,
        works=world.works,
        artifacts=world.artifacts,
        history=history or world.history,
        why_waiting=lambda run_id: waiting,
    )
    return explain(RUN, actor=VIEWER)


@pytest.fixture
def world() -> World:
    return World()


def past(world: World, name: str, outcomes: str, *, default_branch: bool = True) -> None:
    identity = case_id(team="demo", suite="shop", test="unit", variant="", name=f"t.py::{name}")
    for index, outcome in enumerate(outcomes):
        seen = Observation(
            run_id=f"run-{index}",
            at=START - timedelta(days=len(outcomes) - index),
            outcome=Outcome(outcome),
            seconds=1.0,
            commit=f"c{index}",
            default_branch=default_branch,
        )
        world.history.record(JobKey("demo", "shop", "unit"), {identity: (f"t.py::{name}", seen)}, now=START)


def ended_at(world: World, number: int, seconds: int) -> None:
    [work] = [work for work in world.works.of_run(RUN) if work.key.work_id == f"shard-{number:05d}"]
    assert work.commit is not None
    world.works.save(work, replace(work, commit=replace(work.commit, at=START + timedelta(seconds=seconds))))


def test_a_waiting_run_is_told_which_limit_binds_who_holds_it_and_when_it_starts(world: World) -> None:
    started(world, "a", "b")
    view = why(world, waiting=WAITING)
    assert view.answer == (
        "All 100 slots are taken.",
        "It is at place 3 of the runs that wait; 2 shards of it wait and 0 run.",
        "Slots are held by: team web 60, team api 40.",
        "Its next shard is expected to start at 08:04:00 UTC, once 12 pieces of work end.",
    )
    assert (view.waiting, view.cause, view.verdict) == (WAITING, Cause.NONE, None)


def test_a_run_that_waits_for_nothing_says_so(world: World) -> None:
    started(world, "a", "b")
    assert why(world).answer == ("Nothing of it waits for a slot: all that may run now runs.",)


def test_a_run_whose_pods_have_not_begun_tells_where_they_are_and_what_they_wait_for(world: World) -> None:
    started(world, "a", "b")
    work = make_work(
        key=WorkKey(RUN, "shard-00000"), state=WorkState.ADMITTED, admitted_at=START, cluster="main"
    )
    world.works.save(None, work)
    pods = MemoryPodStore()
    pods.put(make_record(work, state=PodState.PENDING, reason="capacity", detail="0/3 nodes are available"))

    answer = why(world, pods=pods).answer

    assert "1 shard of it has a slot and waits for a pod to begin." in answer
    (sentence,) = [line for line in answer if line.startswith("shard-00000 was launched on cluster main")]
    assert "Fargate: the cluster offers nothing else." in sentence
    assert "Its pod is pending: 0/3 nodes are available." in sentence


def test_failures_are_known_while_the_run_goes_on(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    view = why(world)
    assert [each.name for each in view.failures] == ["t.py::a"]
    assert "First to fail was t.py::a in shard-00000" in " ".join(view.answer)


def test_a_red_run_tells_new_failures_from_known_ones_and_who_failed_first(world: World) -> None:
    past(world, "a", "ppp")
    past(world, "c", "pff")
    started(world, "a", "b", "c", "d")
    world.run_shard(0, junit("b", "a!"), exit_code=1)
    world.run_shard(1, junit("c!", "d"), exit_code=1)
    ended_at(world, 0, 90)
    ended_at(world, 1, 30)
    world.ingest_all()
    world.finish()
    view = why(world)
    assert view.cause is Cause.TESTS
    assert view.answer[0] == "Tests failed; infrastructure is not to blame."
    assert view.answer[1].startswith("2 of 4 tests failed.")
    assert view.answer[2:5] == (
        "First to fail was t.py::c in shard-00001, which ended at 08:00:30 UTC: boom",
        "1 failure is new with this run: t.py::a.",
        "1 failure was there before: t.py::c has failed on the default branch since run-1 (2026-01-29).",
    )
    assert "2 of them fail alike: boom" in view.answer
    by_name = {each.name: each for each in view.failures}
    assert (by_name["t.py::a"].new, by_name["t.py::c"].new) == (True, False)
    known = by_name["t.py::c"].known
    assert known is not None
    assert (known.since_run, known.failures, known.on_default_branch) == ("run-1", 2, True)


def test_the_first_failure_is_the_first_of_its_shards_report(world: World) -> None:
    started(world, "a", "b", "c", shards=1)
    world.run_shard(0, junit("c!", "b", "a!"), exit_code=1)
    world.ingest_all()
    world.finish()
    first = why(world).first_failure
    assert first is not None
    assert (first.name, first.work_id, first.message) == ("t.py::c", "shard-00000", "boom")


def test_a_failure_that_used_to_pass_again_is_told_as_chance(world: World) -> None:
    past(world, "a", "pfpfpfpfp")
    started(world, "a", shards=1)
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    world.finish()
    view = why(world)
    odds = view.failures[0].flaky_odds
    assert odds is not None
    assert odds > 0.5
    assert f"t.py::a may have failed by chance: {round(100 * odds)}% of its earlier failures" in " ".join(
        view.answer
    )


def test_a_test_without_a_past_is_neither_new_nor_known(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    world.finish()
    view = why(world)
    assert (view.failures[0].new, view.failures[0].flaky_odds) == (None, None)
    assert "1 failed test has no history yet." in view.answer


def test_a_history_that_does_not_answer_hides_no_failure(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    world.finish()
    view = why(world, history=Silent())
    assert len(view.failures) == 1
    assert "Whether its failures are new is not known: the history did not answer." in view.answer


def lost(world: World, number: int, *, attempts: int) -> None:
    ticket = world.tickets()[number]
    reason = f"lease_lost: runner 7 sent no heartbeat; this was the last of {attempts} attempts"
    work = world._done(
        ticket.work_id, ticket.order, outcome=WorkOutcome.ERROR, reason=reason, attempt=attempts, prefix=None
    )
    failures = tuple(
        InfrastructureFailure(number, InfrastructureReason.LEASE_LOST, "no heartbeat", START)
        for number in range(1, attempts + 1)
    )
    world.works.save(work, replace(work, failures=failures))


def test_an_infrastructure_error_names_the_reason_the_attempts_and_the_budget(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a"))
    lost(world, 1, attempts=4)
    world.ingest_all()
    world.finish()
    view = why(world)
    assert view.cause is Cause.INFRASTRUCTURE
    assert view.answer[0].startswith("Infrastructure failed")
    assert (
        "shard-00001 of unit was given up because its runner stopped sending heartbeats, after 4 attempts of 4: "
        "lease_lost: runner 7 sent no heartbeat; this was the last of 4 attempts."
    ) in view.answer
    [shown] = view.lost
    assert (shown.attempts, shown.budget, [each.reason for each in shown.lost]) == (4, 4, ["lease_lost"] * 4)


def test_lost_attempts_that_were_made_again_are_told_apart_from_tests(world: World) -> None:
    started(world, "a", "b")
    work = world.run_shard(0, junit("a"))
    failure = InfrastructureFailure(1, InfrastructureReason.EVICTED, "node drained", START)
    world.works.save(work, replace(work, failures=(failure,)))
    world.run_shard(1, junit("b"))
    world.ingest_all()
    world.finish()
    view = why(world)
    assert view.answer == (
        "2 tests passed.",
        "1 attempt was lost to infrastructure and made again, on the budget for infrastructure: no test counts for it.",
        "shard-00000 lost attempt 1: evicted: node drained",
    )
    assert (view.cause, view.made_good, view.lost) == (Cause.NONE, 1, ())


def test_a_failed_setup_is_told_as_one(world: World) -> None:
    world.submit(job())
    world.prepare(errors=("t.py: SyntaxError",))
    world.plan(RUN)
    world.finish()
    view = why(world)
    assert view.cause is Cause.SETUP
    assert (
        view.answer[0] == "Its tests could not be prepared, so none of them ran. It would be the same again."
    )


def test_incomplete_results_are_told_as_evidence(world: World) -> None:
    started(world, "a", "b", shards=1)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.finish()
    assert why(world).cause is Cause.EVIDENCE


def test_another_teams_run_is_not_explained(world: World) -> None:
    started(world, "a")
    explain = ExplainRun(
        pods=MemoryPodStore(),
        find=FindRun(world.runs, Guard(decide)),
        runs=world.runs,
        works=world.works,
        artifacts=world.artifacts,
        history=world.history,
        why_waiting=lambda run_id: WAITING,
    )
    with pytest.raises(NotFoundError):
        explain(RUN, actor=STRANGER)


def test_messages_that_differ_in_numbers_only_are_alike() -> None:
    messages = ("timeout after 3.5 s at 0x7f", "timeout after 12 s at 0xab", "other", None, None)
    failing = [
        Failing(Case(str(n), "unit", "", f"t{n}", CaseStatus.FAILED, 0.0, "shard-00000", message=message))
        for n, message in enumerate(messages)
    ]
    [group] = alike(failing)
    assert (group.message, group.tests, group.examples) == ("timeout after 3.5 s at 0x7f", 2, ("t0", "t1"))
