"""The table of moves, its diagram in the docs, and what a move leaves behind."""

from pathlib import Path

import pytest

from crosswind.chaos import lifecycle
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict, RevisionState, RunState
from crosswind.contracts.events import ExperimentFinished, ExperimentMoved
from crosswind.kernel.errors import ConflictError
from tests.fakes import START
from tests.fakes.chaos import make_experiment_run

DOCS = Path(__file__).parents[4] / "docs" / "chaos-lifecycle.md"
ABORTABLE = {
    RunState.SCHEDULED,
    RunState.PREFLIGHT_CHECK,
    RunState.BLOCKED,
    RunState.RUNNING,
    RunState.MONITORING,
}


def test_the_docs_show_the_table_as_it_is() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert f"```mermaid\n{lifecycle.diagram()}```\n" in text
    assert lifecycle.table() in text


@pytest.mark.parametrize("source", RunState)
@pytest.mark.parametrize("target", RunState)
def test_a_run_moves_as_the_table_says_and_not_otherwise(source: RunState, target: RunState) -> None:
    run = make_experiment_run(state=source, verdict=ExperimentVerdict.HELD)
    if lifecycle.find(source, target) is None:
        with pytest.raises(ConflictError) as refused:
            lifecycle.move(run, target, now=START, actor="engine", reason="because")
        for allowed in lifecycle.targets(source):
            assert allowed.value in str(refused.value)
    else:
        moved = lifecycle.move(run, target, now=START, actor="engine", reason="because")
        assert (moved.run.state, moved.run.moved_at) == (target, START)
        assert moved.line.text == f"{source.value} → {target.value}: because"


def test_every_state_is_reached_and_only_the_last_is_the_end() -> None:
    reached = {each.target for each in lifecycle.MOVES}
    assert reached == {*RevisionState, *RunState}
    assert [state for state in RunState if not lifecycle.targets(state)] == [RunState.ANALYZED]


def test_no_way_leads_from_a_fault_to_the_end_but_through_recovery() -> None:
    before = {each.source for each in lifecycle.MOVES if each.target is RunState.ANALYZED}
    assert before == {RunState.RECOVERY}


@pytest.mark.parametrize("state", RunState)
def test_a_run_can_be_aborted_from_its_start_to_the_end_of_its_steps(state: RunState) -> None:
    assert ("abort" in lifecycle.actions(state)) is (state in ABORTABLE)


def test_what_is_asked_for_at_the_wrong_time_is_answered_with_what_is_allowed() -> None:
    with pytest.raises(
        ConflictError, match="revision 1 is Draft, so it cannot approve: allowed is edit, submit"
    ):
        lifecycle.check_action(RevisionState.DRAFT, "approve", what="revision 1")


def test_each_move_is_an_event_with_actor_and_reason() -> None:
    moved = lifecycle.move(
        make_experiment_run(version=3), RunState.PREFLIGHT_CHECK, now=START, actor="engine", reason="begins"
    )
    detail = moved.event.detail
    assert isinstance(detail, ExperimentMoved)
    assert (detail.move, detail.from_state, detail.to_state) == ("check", "Scheduled", "PreFlightCheck")
    assert (detail.actor, detail.reason) == ("engine", "begins")
    assert moved.event.id == f"{moved.run.run_id}-4"
    assert moved.event.source == "crosswind.chaos"


def test_the_last_move_tells_the_verdict_and_cannot_be_made_without_one() -> None:
    run = make_experiment_run(state=RunState.RECOVERY)
    moved = lifecycle.move(
        run, RunState.ANALYZED, now=START, actor="engine", reason="done", verdict=ExperimentVerdict.FALSIFIED
    )
    assert isinstance(moved.event.detail, ExperimentFinished)
    assert moved.event.detail.verdict == "falsified"
    with pytest.raises(ValueError, match="no verdict"):
        lifecycle.move(run, RunState.ANALYZED, now=START, actor="engine", reason="done")
