"""Reading the queue, a team's part of it, pausing, and how long a client stays away from a full one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.actors import Role
from crosswind.contracts.permissions import Guard
from crosswind.contracts.queueing import HolderView, PutTeamQueueRequest
from crosswind.contracts.requests import RunState
from crosswind.contracts.suites import Priority
from crosswind.kernel.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs.admission.backpressure import retry_after_seconds
from crosswind.runs.admission.model import Capacity, Reason, TeamPolicy
from crosswind.runs.model import WorkState
from crosswind.runs.usecases.pausing import PauseRun, ResumeRun
from crosswind.runs.usecases.queueing import GetQueue, GetTeamQueue, PutTeamQueue, ReadQueue, WhyWaiting
from crosswind.runs.usecases.reading import FindRun
from tests.fakes import START, make_entry, make_run, make_work
from tests.unit.runs.suites_samples import EDITOR, RUNNER, STRANGER, VIEWER, person
from tests.unit.runs.world import World

ADMIN = person(Role.ADMIN, team="platform")
RUN_1, RUN_2 = make_run(1).run_id, make_run(2).run_id
SECOND = timedelta(seconds=1)


class Desk(World):
    """A world with the use cases of the queue, two runs and two slots."""

    def __init__(self) -> None:
        super().__init__()
        self.runs.create(make_run(1), idempotency=None)
        self.runs.create(make_run(2, team="other"), idempotency=None)
        guard, defaults = Guard(decide), Capacity(slots=1)
        find = FindRun(self.runs, guard)
        self.pause_run = PauseRun(self.runs, find, self.queue, self.clock, _no_pause)
        self.resume_run = ResumeRun(self.runs, find, self.queue, self.bag, _no_pause)
        self.read = ReadQueue(self.queue, defaults)
        self.why = WhyWaiting(self.queue, self.read, self.clock)
        self.get_queue = GetQueue(self.queue, defaults, guard, self.clock)
        self.get_team = GetTeamQueue(self.queue, guard)
        self.put_team = PutTeamQueue(self.queue, self.bag, guard, self.clock, _no_pause)

    def wait(self, count: int, *, run: int = 1, **changes: Any) -> None:
        """Let shards of a run wait."""
        team = "demo" if run == 1 else "other"
        for number in range(count):
            self.works.save(None, make_work(number, run=run, team=team, **changes))

    def put(self, actor: Any = ADMIN, **given: Any) -> Any:
        """Set something of team demo."""
        return self.put_team("demo", PutTeamQueueRequest(**given), actor=actor)


def _no_pause(_: int) -> None:
    """Time stands still anyway."""


@pytest.fixture
def desk() -> Desk:
    return Desk()


class TestPause:
    def test_a_paused_run_admits_nothing_more_and_what_runs_runs_on(self, desk: Desk) -> None:
        desk.wait(1)
        desk.schedule()
        desk.pause_run(RUN_1, RUNNER)
        desk.works.save(None, make_work(9))

        assert desk.schedule() == 0

        work = desk.take(desk.bag.dispatched[0])
        assert work is not None
        assert desk.finish_work(work).state is WorkState.DONE

    def test_a_resumed_run_goes_on_at_once(self, desk: Desk) -> None:
        desk.pause_run(RUN_1, RUNNER)
        desk.wait(1)
        assert desk.schedule() == 0

        run = desk.resume_run(RUN_1, RUNNER)

        assert (run.paused_at, run.paused_by) == (None, None)
        assert desk.bag.wakes == 1
        assert desk.schedule() == 1

    def test_who_paused_it_is_kept_and_repeating_it_changes_nothing(self, desk: Desk) -> None:
        first = desk.pause_run(RUN_1, RUNNER)
        desk.clock.advance(5)
        assert (first.paused_at, first.paused_by) == (START, RUNNER.subject)
        assert desk.pause_run(RUN_1, EDITOR) == first
        assert desk.resume_run(RUN_1, RUNNER) == desk.resume_run(RUN_1, RUNNER)

    def test_a_mark_that_was_lost_is_made_by_pausing_again(self, desk: Desk) -> None:
        desk.pause_run(RUN_1, RUNNER)
        desk.queue.paused.clear()
        desk.pause_run(RUN_1, RUNNER)
        desk.wait(1)
        assert desk.schedule() == 0

    @pytest.mark.parametrize("changes", [{"state": RunState.FINISHED}, {"cancel_requested_at": START}])
    def test_a_run_that_ends_is_not_paused(self, desk: Desk, changes: dict[str, Any]) -> None:
        desk.runs.save(replace(desk.runs.get(RUN_1), **changes))
        with pytest.raises(ConflictError):
            desk.pause_run(RUN_1, RUNNER)
        assert not desk.queue.paused

    def test_it_needs_the_right_of_its_team(self, desk: Desk) -> None:
        for act in (desk.pause_run, desk.resume_run):
            with pytest.raises(ForbiddenError):
                act(RUN_1, VIEWER)
            with pytest.raises(NotFoundError):
                act(RUN_1, STRANGER)

    def test_a_paused_run_ends_at_its_timeout(self, desk: Desk) -> None:
        desk.wait(1)
        desk.pause_run(RUN_1, RUNNER)
        desk.clock.advance(3601)
        desk.watch(RUN_1)
        (work,) = desk.works.items.values()
        assert work.state is WorkState.DONE

    def test_a_paused_team_admits_nothing_more(self, desk: Desk) -> None:
        desk.put(EDITOR, paused=True, reason="release")
        desk.wait(1)
        desk.wait(1, run=2)
        desk.schedule()
        assert [message.run_id for message in desk.bag.dispatched] == [RUN_2]
        desk.put(EDITOR, paused=False)
        assert desk.schedule() == 1


class TestTeams:
    def test_what_is_left_out_stays_and_null_takes_away(self, desk: Desk) -> None:
        desk.put(weight=2.5, quota=4, concurrency=9, may_borrow=False)
        desk.put(EDITOR, paused=True, reason="release")
        view = desk.put(quota=None)

        assert desk.queue.team("demo").policy == TeamPolicy(
            2.5, None, may_borrow=False, concurrency=9, paused=True
        )
        assert (view.quota, view.reason, view.changed_by) == (None, "release", ADMIN.subject)
        assert desk.get_team("demo", actor=VIEWER) == view
        assert desk.bag.wakes == 3

    def test_a_reason_goes_with_its_pause(self, desk: Desk) -> None:
        desk.put(EDITOR, paused=True, reason="release")
        assert desk.put(EDITOR, paused=False).reason is None

    def test_quotas_are_for_admins_and_pauses_for_editors(self, desk: Desk) -> None:
        for actor, given in (
            (EDITOR, {"quota": 1}),
            (EDITOR, {"paused": True, "weight": 2.0}),
            (RUNNER, {"paused": True}),
            (STRANGER, {"paused": True}),
        ):
            with pytest.raises(ForbiddenError):
                desk.put(actor, **given)
        assert desk.queue.teams == {}

    @pytest.mark.parametrize(
        "given",
        [{}, {"weight": None}, {"paused": None}, {"reason": "why"}, {"paused": False, "reason": "why"}],
    )
    def test_a_request_that_means_nothing_is_refused(self, desk: Desk, given: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError):
            desk.put(**given)

    def test_two_who_set_different_things_at_once_both_succeed(self, desk: Desk) -> None:
        save = desk.queue.save_team

        def another_first(settings: Any) -> Any:
            desk.queue.save_team = save  # type: ignore[method-assign]  # a race, made certain
            desk.put(concurrency=7)
            return save(settings)

        desk.queue.save_team = another_first  # type: ignore[method-assign]
        desk.put(quota=3)
        assert desk.queue.team("demo").policy == TeamPolicy(quota=3, concurrency=7)


class TestViews:
    def test_a_team_sees_its_own_lanes_and_the_whole_use(self, desk: Desk) -> None:
        desk.wait(3)
        desk.schedule()
        desk.wait(2, run=2)
        desk.clock.advance(1)
        desk.schedule()

        view = desk.get_queue(team=None, actor=VIEWER)

        assert (view.team, view.slots, view.in_use, view.running, view.waiting) == ("demo", 2, 2, 2, 1)
        assert view.used_share == 1.0
        (lane,) = view.lanes
        assert (lane.execution_id, lane.waiting, lane.running, lane.paused) == (RUN_1, 1, 2, False)
        assert lane.reason == Reason.NO_SLOT
        assert lane.explanation
        assert lane.since

    def test_another_teams_queue_is_not_shown(self, desk: Desk) -> None:
        with pytest.raises(ForbiddenError):
            desk.get_queue(team="other", actor=VIEWER)
        with pytest.raises(ForbiddenError):
            desk.get_team("other", actor=VIEWER)

    def test_an_empty_queue_is_a_view_too(self, desk: Desk) -> None:
        view = desk.get_queue(team="demo", actor=VIEWER)
        assert (view.lanes, view.waiting, view.used_share) == ((), 0, 0.0)


class TestWhy:
    def test_nothing_waits(self, desk: Desk) -> None:
        assert desk.why(RUN_1) is None

    def test_a_full_stage_says_who_holds_it_and_when_it_frees(self, desk: Desk) -> None:
        desk.wait(2, run=2, estimate_seconds=60.0)
        desk.schedule()
        desk.wait(3)
        desk.clock.advance(1)
        desk.schedule()

        view = desk.why(RUN_1)

        assert view is not None
        assert view.reason == Reason.NO_SLOT
        assert view.holders == (HolderView(team="other", slots=2),)
        assert view.position == 1
        assert view.expected_start is not None
        assert view.since is not None
        assert (view.waiting, view.running) == (3, 0)

    def test_a_paused_run_says_so(self, desk: Desk) -> None:
        desk.pause_run(RUN_1, RUNNER)
        desk.wait(1)
        view = desk.why(RUN_1)
        assert view is not None
        assert view.reason == Reason.RUN_PAUSED

    def test_a_forecast_knows_how_much_waits_beyond_what_is_listed(self, desk: Desk) -> None:
        desk.wait(60)
        queue, _, _ = desk.read()
        (lane,) = queue.lanes
        assert lane.waiting == 60
        assert len(lane.entries) < 60


class TestRetryAfter:
    def test_it_is_the_time_in_which_a_twentieth_of_the_queue_drains(self) -> None:
        active = [make_entry(number, estimate_seconds=60.0, admitted_at=START) for number in range(100)]
        assert retry_after_seconds(active, limit=10_000, now=START) == 300
        assert retry_after_seconds(active, limit=2_000, now=START) == 60

    def test_work_that_takes_longer_than_estimated_counts_as_long_as_it_has_run(self) -> None:
        active = [make_entry(number, estimate_seconds=1.0, admitted_at=START) for number in range(10)]
        assert retry_after_seconds(active, limit=1_000, now=START + 20 * SECOND) == 100

    def test_it_stays_between_its_bounds(self) -> None:
        quick = [make_entry(number, estimate_seconds=0.0, admitted_at=START) for number in range(100)]
        slow = [make_entry(estimate_seconds=86_400.0, priority=Priority.P2)]
        assert retry_after_seconds(quick, limit=100, now=START) == 5
        assert retry_after_seconds(slow, limit=10_000, now=START) == 300
        assert retry_after_seconds([], limit=10_000, now=START) == 300
