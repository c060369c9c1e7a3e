"""An experiment from its draft to its runs, through the API's use cases."""

from datetime import timedelta

import pytest

from crosswind.chaos.model import Halt
from crosswind.contracts.chaos.definitions import ReviewRequest
from crosswind.contracts.chaos.gate import GateOutcome
from crosswind.contracts.chaos.lifecycle import AbortCause, RevisionState, RunState
from crosswind.contracts.chaos.runs import AbortRequest, ScheduleRequest
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import (
    ConflictError,
    DependencyError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from tests.fakes import START
from tests.fakes.chaos import make_target
from tests.unit.chaos.definitions.world import (
    ADA,
    GRACE,
    LINUS,
    RUNNER,
    STRANGER,
    VIEWER,
    World,
    document,
)

NAME = "slow-payments"
HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    return World()


def _start(world: World, **changes: object) -> str:
    run, _ = world.start("demo", NAME, parameters={}, actor=ADA, **changes)  # type: ignore[arg-type]  # named fields
    return run.run_id


def test_a_new_experiment_is_a_draft_and_its_name_is_taken_then(world: World) -> None:
    stored, created = world.put(document(), name=None, actor=ADA)
    assert created
    assert (stored.revision.number, stored.revision.state) == (1, RevisionState.DRAFT)
    with pytest.raises(ConflictError, match="PUT edits it"):
        world.put(document(), name=None, actor=ADA)


def test_an_edit_is_a_new_revision_and_labels_alone_are_none(world: World) -> None:
    world.put(document(), name=NAME, actor=ADA)
    labelled, _ = world.put(document(labels={"a": "b"}), name=NAME, actor=ADA)
    assert (labelled.revision.number, dict(labelled.labels)) == (1, {"a": "b"})
    edited, created = world.put(document(risk="low"), name=NAME, actor=ADA)
    assert (edited.revision.number, created) == (2, False)


def test_the_document_has_the_name_of_its_address_and_the_team_is_the_actors(world: World) -> None:
    with pytest.raises(InvalidInputError):
        world.put(document(), name="other", actor=ADA)
    for actor in (STRANGER, VIEWER, RUNNER):
        with pytest.raises(ForbiddenError):
            world.put(document(), name=NAME, actor=actor)


def test_a_deleted_experiments_numbers_are_not_given_again(world: World) -> None:
    world.put(document(), name=NAME, actor=ADA)
    world.delete(NAME, team=None, actor=ADA)
    again, created = world.put(document(), name=NAME, actor=ADA)
    assert (again.revision.number, created) == (2, True)


def test_an_experiment_is_not_deleted_while_a_run_of_it_goes_on(world: World) -> None:
    world.approved()
    run_id = _start(world)
    with pytest.raises(ConflictError, match=run_id):
        world.delete(NAME, team=None, actor=ADA)
    world.move(run_id, state=RunState.ANALYZED)
    world.delete(NAME, team=None, actor=ADA)


def test_who_approves_proves_what_they_looked_at(world: World) -> None:
    world.put(document(), name=NAME, actor=ADA)
    world.submit(NAME, team=None, actor=ADA)
    seen = world.preview(NAME, team=None, revision=None, actor=GRACE).digest
    with pytest.raises(InvalidInputError, match="which content"):
        world.approve(NAME, ReviewRequest(), team=None, actor=GRACE)
    with pytest.raises(ForbiddenError):
        world.approve(NAME, ReviewRequest(digest=seen), team=None, actor=ADA)
    world.provider.targets = (make_target("cart"),)
    with pytest.raises(ConflictError, match="look at it again"):
        world.approve(NAME, ReviewRequest(digest=seen), team=None, actor=GRACE)
    world.provider.targets = (make_target(),)
    approved = world.approve(NAME, ReviewRequest(digest=seen), team=None, actor=GRACE)
    assert approved.revision.state is RevisionState.APPROVED
    assert approved.revision.approvals[0].target_ids == ("toxiproxy:payments",)


def test_nothing_is_approved_whose_targets_nobody_knows(world: World) -> None:
    stored, _ = world.put(document(), name=NAME, actor=ADA)
    world.submit(NAME, team=None, actor=ADA)
    request = ReviewRequest(digest=stored.revision.spec_digest)
    world.provider.fault = DependencyError("no answer")
    with pytest.raises(DependencyError):
        world.approve(NAME, request, team=None, actor=GRACE)
    world.provider.fault = InvalidInputError("no such proxy")
    with pytest.raises(ConflictError, match="no such proxy"):
        world.approve(NAME, request, team=None, actor=GRACE)
    world.provider.fault, world.provider.targets = None, ()
    with pytest.raises(ConflictError, match="nothing would be hit"):
        world.approve(NAME, request, team=None, actor=GRACE)


def test_high_risk_takes_two(world: World) -> None:
    stored, _ = world.put(document(risk="high"), name=NAME, actor=ADA)
    world.submit(NAME, team=None, actor=ADA)
    request = ReviewRequest(digest=stored.revision.spec_digest)
    one = world.approve(NAME, request, team=None, actor=GRACE)
    assert one.revision.state is RevisionState.UNDER_REVIEW
    two = world.approve(NAME, request, team=None, actor=LINUS)
    assert two.revision.state is RevisionState.APPROVED


def test_changes_are_requested_with_a_reason(world: World) -> None:
    world.put(document(), name=NAME, actor=ADA)
    world.submit(NAME, team=None, actor=ADA)
    with pytest.raises(InvalidInputError):
        world.request_changes(NAME, ReviewRequest(), team=None, actor=GRACE)
    back = world.request_changes(NAME, ReviewRequest(reason="too wide"), team=None, actor=GRACE)
    assert back.revision.state is RevisionState.DRAFT


def test_a_preview_tells_everything_and_the_gates_answer(world: World) -> None:
    world.approved()
    found = world.preview(NAME, team=None, revision=None, actor=GRACE)
    assert found.ready
    assert found.gate.outcome is GateOutcome.PROCEED
    (fault,) = found.faults
    assert (fault.target_count, fault.candidates, fault.compensation) == (1, 1, ("remove the toxic",))


def test_a_preview_tells_which_step_cannot_falsify_anything(world: World) -> None:
    probe = {"name": "orders", "type": "http", "url": "http://127.0.0.1:9001/health", "ratio": 0.95}
    world.approved(
        hypothesis={"title": "orders answer", "probes": [probe]}, ladder=[{"percent": 5}, {"percent": 25}]
    )
    first, second = world.preview(NAME, team=None, revision=None, actor=GRACE).faults
    assert any("cannot falsify" in warning for warning in first.warnings)
    assert not second.warnings


def test_the_preview_of_a_revision_that_was_edited_since_is_not_ready(world: World) -> None:
    world.approved()
    world.put(document(risk="low"), name=NAME, actor=ADA)
    older = world.preview(NAME, team=None, revision=1, actor=GRACE)
    assert not older.ready
    assert "revision 2 replaced revision 1" in older.gate.reason


def test_a_preview_without_an_answer_is_not_ready_and_says_why(world: World) -> None:
    world.approved()
    world.provider.fault = DependencyError("no answer")
    found = world.preview(NAME, team=None, revision=None, actor=GRACE)
    assert not found.ready
    assert found.gate.outcome is not GateOutcome.PROCEED
    assert found.faults[0].problems == ("no answer",)


def test_a_grown_target_set_lets_the_gate_not_proceed(world: World) -> None:
    world.approved(blastRadius={"maxTargets": 5})
    world.provider.targets = (make_target(), make_target("cart"))
    found = world.preview(NAME, team=None, revision=None, actor=GRACE)
    assert found.gate.outcome is not GateOutcome.PROCEED


def test_a_start_stores_the_run_arms_its_watch_and_starts_its_execution(world: World) -> None:
    world.approved()
    run_id = _start(world)
    run = world.runs.get(run_id)
    assert (run.state, run.requested_by, run.revision) == (RunState.SCHEDULED, "ada", 1)
    assert (world.told.watched, world.told.started) == ([run_id], [f"{run_id}-p1"])
    assert any(each.id == f"{run_id}-1" for each in world.runs.unsent_events())


def test_a_run_whose_execution_cannot_be_started_is_accepted(world: World) -> None:
    world.approved()
    world.told.fault = DependencyError("throttled")
    run_id = _start(world)
    assert world.told.watched == [run_id]


def test_the_same_key_starts_one_run(world: World) -> None:
    world.approved()
    assert _start(world, idempotency_key="k") == _start(world, idempotency_key="k")
    assert len(world.told.started) == 1
    with pytest.raises(ConflictError):
        world.start("demo", NAME, parameters={}, actor=GRACE, idempotency_key="k")
    with pytest.raises(InvalidInputError):
        _start(world, idempotency_key="\nschedule/x")


def test_only_what_is_approved_starts(world: World) -> None:
    world.put(document(), name=NAME, actor=ADA)
    with pytest.raises(ConflictError, match="allowed is edit, submit"):
        _start(world)
    with pytest.raises(NotFoundError):
        world.start("demo", "nothing", parameters={}, actor=ADA)


def test_nothing_starts_behind_an_edit(world: World) -> None:
    world.approved()
    world.put(document(risk="low"), name=NAME, actor=ADA)
    with pytest.raises(ConflictError, match="revision 2"):
        _start(world)


def test_nothing_starts_on_approvals_that_have_expired(world: World) -> None:
    world.approved()
    world.clock.advance(timedelta(days=8))
    with pytest.raises(ConflictError, match="0 of 1 approvals"):
        _start(world)


def test_nothing_starts_while_everything_is_halted(world: World) -> None:
    world.approved()
    world.facts.set_halt(Halt(reason="incident", by="rita", at=START))
    with pytest.raises(ConflictError, match="halted by rita"):
        _start(world)


def test_starting_takes_an_editor_but_a_schedule_was_approved(world: World) -> None:
    world.approved()
    with pytest.raises(ForbiddenError):
        world.start("demo", NAME, parameters={}, actor=RUNNER)
    run, _ = world.start("demo", NAME, parameters={}, actor=RUNNER, trigger="schedule")
    assert run.trigger == "schedule"


def test_approval_begins_the_schedule_and_a_pause_ends_it(world: World) -> None:
    world.approved(schedule={"cron": "0 8 * * *"})
    stored = world.experiments.find("demo", NAME)
    assert stored is not None
    assert stored.next_start is not None
    paused = world.schedule(NAME, ScheduleRequest(paused=True), team=None, actor=ADA)
    assert list(world.experiments.due(until=START + 999 * HOUR)) == []
    assert paused.paused
    resumed = world.schedule(NAME, ScheduleRequest(), team=None, actor=ADA)
    assert (resumed.paused, resumed.next_start) == (False, stored.next_start)


def test_one_moment_is_scheduled_and_has_to_come(world: World) -> None:
    world.approved()
    scheduled = world.schedule(NAME, ScheduleRequest(at=to_iso(START + HOUR)), team=None, actor=ADA)
    assert scheduled.next_start == START + HOUR
    for at in (to_iso(START), "next tuesday"):
        with pytest.raises(InvalidInputError):
            world.schedule(NAME, ScheduleRequest(at=at), team=None, actor=ADA)
    with pytest.raises(ConflictError, match="no schedule of its own"):
        world.schedule(NAME, ScheduleRequest(), team=None, actor=ADA)
    with pytest.raises(InvalidInputError):
        world.schedule(NAME, ScheduleRequest(at=to_iso(START + HOUR), paused=True), team=None, actor=ADA)


def test_a_run_that_nobody_carries_is_closed_by_whoever_aborts_it(world: World) -> None:
    world.approved()
    run_id = _start(world)
    world.abort(NAME, AbortRequest(reason="enough"), team=None, actor=RUNNER)
    abort = world.runs.get(run_id).abort
    assert abort is not None
    assert (abort.cause, abort.reason, abort.by) == (AbortCause.ACTOR, "enough", "rita")
    assert world.told.closed == [run_id]


def test_a_mistyped_name_is_no_experiment_that_is_quiet(world: World) -> None:
    with pytest.raises(NotFoundError, match="never ran"):
        world.abort("slow-paymnts", AbortRequest(), team=None, actor=RUNNER)
    assert world.abort("-", AbortRequest(), team=None, actor=RUNNER) == ()


def test_a_run_that_is_carried_hears_of_its_abort(world: World) -> None:
    world.approved()
    run_id = _start(world)
    world.move(run_id, state=RunState.MONITORING)
    for _ in range(2):
        world.abort("-", AbortRequest(run_id=run_id), team=None, actor=RUNNER)
    assert world.runs.get(run_id).state is RunState.MONITORING
    assert set(world.told.cancelled) == {run_id}
    assert world.told.closed == []


def test_a_run_that_is_being_undone_is_past_aborting(world: World) -> None:
    world.approved()
    run_id = _start(world)
    world.move(run_id, state=RunState.RECOVERY)
    with pytest.raises(ConflictError, match="Recovery"):
        world.abort(NAME, AbortRequest(run_id=run_id), team=None, actor=RUNNER)
    assert world.abort(NAME, AbortRequest(), team=None, actor=RUNNER) == ()


def test_another_teams_run_is_as_if_it_were_not_there(world: World) -> None:
    world.approved()
    run_id = _start(world)
    with pytest.raises(NotFoundError):
        world.get_run("-", run_id, team=None, actor=STRANGER)
    with pytest.raises(NotFoundError):
        world.abort("-", AbortRequest(run_id=run_id), team=None, actor=STRANGER)
    with pytest.raises(ForbiddenError):
        world.abort(NAME, AbortRequest(), team=None, actor=VIEWER)
    with pytest.raises(NotFoundError):
        world.get_run("other", run_id, team=None, actor=ADA)


def test_what_is_read_is_what_there_is(world: World) -> None:
    world.approved()
    first, second = _start(world), _start(world)
    view = world.get(NAME, team=None, revision=None, actor=VIEWER)
    assert view.actions == ("edit", "approve", "request-changes", "start", "schedule")
    assert {each.run_id for each in view.runs} == {first, second}
    assert (view.review.needed, view.review.approvals[0].counts) == (1, True)
    rows = world.list(team=None, limit=10, cursor=None, actor=VIEWER)
    assert rows.items[0].last_run is not None
    found = world.list_runs("-", team=None, service="orders", state=None, limit=1, cursor=None, actor=VIEWER)
    assert len(found.items) == 1
    assert found.cursor is not None
    assert world.get_run("-", first, team=None, actor=VIEWER).actions == ("abort",)
    lines = world.timeline(NAME, run_id=first, team=None, limit=9, cursor=None, actor=VIEWER)
    assert [each.text for each in lines.items] == ["Scheduled: revision 1 is started"]
    results = world.results(NAME, run_id=first, team=None, actor=VIEWER)
    assert (results.run.run_id, results.reports) == (first, {})
    with pytest.raises(NotFoundError, match="never ran"):
        world.results("other", run_id=None, team=None, actor=VIEWER)


def test_results_of_an_analysed_run_link_its_reports(world: World) -> None:
    world.approved()
    run_id = _start(world)
    world.move(run_id, state=RunState.ANALYZED)
    kept = world.results(NAME, run_id=run_id, team=None, actor=VIEWER)
    world.reports.put(f"chaos/{run_id}/report/report.json", kept.to_wire().encode())
    for report in ("report.html", "junit.xml", "journal.json"):
        world.reports.put(f"chaos/{run_id}/report/{report}", b"-")
    results = world.results(NAME, run_id=None, team=None, actor=VIEWER)
    assert set(results.reports) == {"html", "json", "junit", "journal"}


def test_an_earlier_revision_is_shown_without_moves(world: World) -> None:
    world.approved()
    world.put(document(risk="low"), name=NAME, actor=ADA)
    view = world.get(NAME, team=None, revision=1, actor=VIEWER)
    assert (view.revision, view.state, view.actions) == (1, RevisionState.APPROVED, ())
