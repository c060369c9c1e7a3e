"""Reading the tests' history: which are flaky, and what one test has been through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.history import (
    FlakyList,
    ObservationView,
    QuarantineView,
    TestHistoryList,
    TestHistoryView,
    TestView,
)
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.runs.history import knowing
from crosswind.runs.history.model import FlakyState, JobKey, Quarantine, TestHistory
from crosswind.runs.history.monitors import standing
from crosswind.runs.history.observing import passing_seconds, timing
from crosswind.runs.history.ports import HistoryStore, QuarantineStore
from crosswind.runs.identity import case_id
from crosswind.runs.usecases.quarantining import quarantine_view

MOST_LISTED = 500


@dataclass(frozen=True)
class ListFlaky:
    """Which of a team's tests are flaky or broken as of now."""

    history: HistoryStore
    quarantines: QuarantineStore
    guard: Guard
    clock: Clock

    def __call__(self, *, team: str | None, suite: str | None, actor: Actor) -> FlakyList:
        """The likeliest to fail by chance first, then by place. Raises ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_HISTORY, team=owner)
        now = self.clock.now()
        held = _views(self.quarantines.of_team(owner), now=now)
        views = []
        for job, stored in self.history.unwell(owner, suite):
            test = standing(stored, now=now)
            if test.state is not FlakyState.HEALTHY:
                views.append(test_view(job, test, quarantine=held.get((job.suite, job.test, test.name))))
        views.sort(key=lambda view: (-view.flaky_odds, view.suite, view.test, view.variant, view.name))
        return FlakyList(items=tuple(views[:MOST_LISTED]), total=len(views))


@dataclass(frozen=True)
class GetTestHistory:
    """What one test has been through, in each of its variants."""

    history: HistoryStore
    quarantines: QuarantineStore
    guard: Guard
    clock: Clock

    def __call__(
        self, *, team: str | None, suite: str, name: str | None, identity: str | None, actor: Actor
    ) -> TestHistoryList:
        """By its name, as the framework calls it, or by its id. Raises NotFoundError, InvalidInputError."""
        if (name is None) == (identity is None):
            raise InvalidInputError("give either `name` or `id`")
        owner = chosen_team(actor, team)
        missing = f"no run of suite {suite} of team {owner} has reported a test {name or identity!r}"
        self.guard.require_for(actor, Action.READ_HISTORY, team=owner, missing=missing)
        now = self.clock.now()
        held = _views(self.quarantines.of_suite(owner, suite), now=now)
        items = []
        for job in self.history.jobs(owner, suite):
            wanted = identity or _id_in(job, name or "")
            for stored in self.history.get(job, [wanted]).values():
                quarantine = held.get((job.suite, job.test, stored.name))
                items.append(_history_view(job, standing(stored, now=now), quarantine=quarantine))
        if not items:
            raise NotFoundError(missing)
        return TestHistoryList(items=tuple(items))


def test_view(job: JobKey, test: TestHistory, *, quarantine: QuarantineView | None) -> TestView:
    """A test as the API shows it."""
    seconds = passing_seconds(test)
    return TestView(
        id=test.id,
        suite=job.suite,
        test=job.test,
        variant=job.variant,
        name=test.name,
        state=test.state,
        reason=test.reason,
        since=to_iso(test.since) if test.since else None,
        outcomes=knowing.outcomes(test),
        failure_rate=knowing.failure_rate(test),
        flaky_odds=knowing.flaky_odds(test),
        median_seconds=round(timing(seconds).seconds, 3) if seconds else None,
        quarantine=quarantine,
    )


def _history_view(job: JobKey, test: TestHistory, *, quarantine: QuarantineView | None) -> TestHistoryView:
    return TestHistoryView(
        test=test_view(job, test, quarantine=quarantine),
        first_seen=to_iso(test.first_seen),
        failing_since=test.first_failed_run,
        observations=tuple(
            ObservationView(
                execution_id=each.run_id,
                at=to_iso(each.at),
                outcome=each.outcome,
                seconds=each.seconds,
                commit=each.commit,
                default_branch=each.default_branch,
                counted=each.counted,
            )
            for each in reversed(test.observations)
        ),
    )


def _views(
    quarantines: Iterable[Quarantine], *, now: datetime
) -> Mapping[tuple[str, str, str], QuarantineView]:
    return {(each.suite, each.test, each.name): quarantine_view(each, now=now) for each in quarantines}


def _id_in(job: JobKey, name: str) -> str:
    return case_id(team=job.team, suite=job.suite, test=job.test, variant=job.variant, name=name)
