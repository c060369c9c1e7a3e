"""Reviews and gate together, driven at random: nothing proceeds on unknown, stale or voided evidence.

The model keeps its own books of who wrote, approved and told what, and when; it shares no code with what it judges.
After every move the gate is asked, before a run and while it goes on, and has to say proceed exactly when the books allow it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crosswind.chaos import reviewing
from crosswind.chaos.findings import Findings
from crosswind.chaos.model import DeploymentFact, Experiment, Halt, Incident, Revision
from crosswind.chaos.own_evidence import DeploymentEvidence, HaltEvidence, IncidentEvidence
from crosswind.chaos.policies import Policies, needed, version_of
from crosswind.chaos.ports import Question, StoredPolicy
from crosswind.chaos.usecases.finding import replaced
from crosswind.chaos.usecases.gating import AskGate, Asking
from crosswind.contracts.chaos.gate import CheckName, GateCheck, GateOutcome, Moment, PolicySpec
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.chaos.spec import Risk
from crosswind.kernel.errors import ConflictError, DependencyError, ForbiddenError
from tests.fakes import START, SettableClock
from tests.fakes.facts import MemoryFactStore
from tests.unit.chaos.gate.world import (
    Runs,
    count,
    make_run,
    make_spec,
    make_target,
    policy,
    resolved,
)

PEOPLE = st.sampled_from(["ada", "ben", "cyd", "dee"])
TARGETS = st.sets(st.sampled_from(["orders", "payments", "stock"]), min_size=1)
QUIET = timedelta(hours=2)
VALID = timedelta(hours=168)
WINDOW = timedelta(minutes=10)  # the spec's timeout
CALM = "calm"
MOODS = (CALM, "incident", "unknown", "raises", "silent", "stale", "of the future")


@dataclass(frozen=True)
class Given:
    """An approval as the model remembers it."""

    by: str
    content: str
    targets: frozenset[str]
    at: datetime


@dataclass
class Moody:
    """PagerDuty, as well as it feels."""

    mood: str = CALM
    name: str = "pagerduty"
    checks: tuple[CheckName, ...] = (CheckName.INCIDENTS, CheckName.DEPLOYMENTS)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        shift = {"stale": -timedelta(minutes=10), "of the future": timedelta(minutes=10)}.get(self.mood)
        if self.mood == "raises":
            raise DependencyError("pagerduty did not answer")
        if self.mood == "silent":
            return ()
        findings = Findings(self.name, replace(question, now=question.now + (shift or timedelta(0))))
        last = findings.passed(CheckName.DEPLOYMENTS, "none")
        if self.mood == "incident":
            return (findings.failed(CheckName.INCIDENTS, "orders are down"), last)
        if self.mood == "unknown":
            return (findings.unknown(CheckName.INCIDENTS, "429"), last)
        return (findings.passed(CheckName.INCIDENTS, "none"), last)


class ReviewsAndGate(RuleBasedStateMachine):
    """One definition, its reviewers, and everything that the gate looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock()
        self.facts, self.runs, self.pagerduty = MemoryFactStore(), Runs(), Moody()
        own = (HaltEvidence(self.facts), IncidentEvidence(self.facts), DeploymentEvidence(self.facts))
        self.gate = AskGate(
            policies=Policies(self.facts, "local"),
            runs=self.runs,
            sources=(*own, self.pagerduty),
            counting=count,
            clock=self.clock,
        )
        # The model's own books.
        self.content, self.state = "one", "draft"
        self.authors: set[str] = {"ada"}
        self.submitter: str | None = None
        self.given: list[Given] = []
        self.targets: frozenset[str] | None = frozenset({"payments"})
        self.quorum = 1
        self.halted = False
        self.incidents: set[str] = set()
        self.deployed: list[datetime] = []
        self.frozen: tuple[datetime, datetime] | None = None
        self.taken: set[str] = set()
        self.older: Revision | None = None  # the last that was approved before an edit

    @initialize(risk=st.sampled_from(Risk))
    def begin(self, risk: Risk) -> None:
        self.spec = make_spec(risk=risk.value, blastRadius={"maxTargets": 3}, timeout="10m")
        self.experiment: Experiment = reviewing.create(
            self._content("one"), team="demo", name="slow", actor="ada", now=START
        ).experiment
        self._store_policy()

    @rule(actor=PEOPLE, content=st.sampled_from(["one", "two"]))
    def edit(self, actor: str, content: str) -> None:
        now = self.clock.now()
        reviewed = reviewing.edit(self.experiment, self._content(content), actor=actor, now=now)
        if content == self.content:
            assert reviewed is None
            return
        assert reviewed is not None
        if self.state == "approved":
            self.older = self.experiment.revision
        self.experiment = reviewed.experiment
        self.authors = {actor} if self.state == "approved" else self.authors | {actor}
        self.content, self.state, self.submitter = content, "draft", None
        self.given = []

    @rule(actor=PEOPLE)
    def submit(self, actor: str) -> None:
        try:
            reviewed = reviewing.submit(self.experiment, actor=actor, now=self.clock.now())
        except ConflictError:
            assert self.state != "draft"
            return
        self.experiment, self.state, self.submitter, self.given = reviewed.experiment, "review", actor, []

    @rule(actor=PEOPLE)
    def request_changes(self, actor: str) -> None:
        try:
            reviewed = reviewing.request_changes(
                self.experiment, actor=actor, reason="not so", now=self.clock.now()
            )
        except ConflictError:
            return
        self.experiment, self.state, self.submitter, self.given = reviewed.experiment, "draft", None, []

    @rule(actor=PEOPLE)
    def approve(self, actor: str) -> None:
        if self.targets is None:
            return
        try:
            reviewed = reviewing.approve(
                self.experiment,
                actor=actor,
                target_ids=_ids(self.targets),
                needed=needed(self._policy(), self.spec),
                comment=None,
                now=self.clock.now(),
            )
        except (ConflictError, ForbiddenError):
            assert self.state == "draft" or actor in self.authors | {self.submitter}
            return
        self.experiment = reviewed.experiment
        self.given = [each for each in self.given if each.by != actor]
        self.given.append(Given(actor, self.content, self.targets, self.clock.now()))
        if self.experiment.revision.state is RevisionState.APPROVED:
            self.state = "approved"

    @rule()
    def everything_is_put_right(self) -> None:
        """So that the model is often where something may proceed, and one move leads away from there."""
        self.other_targets_resolve({"payments"})
        self.request_changes("ben")
        self.submit("ada")
        for person in ("ben", "cyd", "dee"):
            self.approve(person)
        self.switch(on=False)
        for team in sorted(self.incidents):
            self.incident(team, goes_on=False)
        self.pagerduty_feels(CALM)
        self.freeze(None)
        self.other_runs_let_go()
        if any(self.clock.now() - moment <= QUIET for moment in self.deployed):
            self.time_goes_on(QUIET * 2)

    @rule()
    def only_pagerduty_is_amiss(self) -> None:
        self.everything_is_put_right()
        for mood in MOODS:
            self.pagerduty_feels(mood)
            self.the_gate_proceeds_exactly_when_the_books_allow_it()

    @rule(found=st.none() | TARGETS)
    def only_the_targets_are_amiss(self, found: set[str] | None) -> None:
        self.everything_is_put_right()
        self.other_targets_resolve(found)

    @rule(by=st.sampled_from([VALID - timedelta(seconds=1), VALID]))
    def only_the_approvals_are_old(self, by: timedelta) -> None:
        self.everything_is_put_right()
        self.time_goes_on(by)

    @rule(actor=PEOPLE)
    def only_the_content_was_edited(self, actor: str) -> None:
        self.everything_is_put_right()
        self.edit(actor, "one" if self.content == "two" else "two")

    @rule(found=st.none() | TARGETS)
    def other_targets_resolve(self, found: set[str] | None) -> None:
        self.targets = None if found is None else frozenset(found)

    @rule(
        by=st.sampled_from(
            [timedelta(seconds=30), timedelta(minutes=9), timedelta(hours=1), timedelta(days=3), VALID]
        )
    )
    def time_goes_on(self, by: timedelta) -> None:
        self.clock.advance(by)

    @rule(on=st.booleans())
    def switch(self, on: bool) -> None:
        self.halted = on
        if on:
            self.facts.set_halt(Halt("enough", "ben", self.clock.now()))
        else:
            self.facts.clear_halt()

    @rule(team=st.sampled_from(["demo", "other"]), goes_on=st.booleans())
    def incident(self, team: str, goes_on: bool) -> None:
        self.facts.put_incident(
            Incident("INC", team, "staging", "down", open=goes_on, told_by="ci", told_at=self.clock.now())
        )
        (self.incidents.add if goes_on else self.incidents.discard)(team)

    @rule()
    def deployment(self) -> None:
        number = len(self.deployed)
        self.facts.put_deployment(
            DeploymentFact("demo", "orders", "staging", "2", "ci", self.clock.now(), f"deploy-{number}")
        )
        self.deployed.append(self.clock.now())

    @rule(mood=st.sampled_from(MOODS))
    def pagerduty_feels(self, mood: str) -> None:
        self.pagerduty.mood = mood

    @rule(quorum=st.integers(min_value=1, max_value=3))
    def policy_changes(self, quorum: int) -> None:
        self.quorum = quorum
        self._store_policy()

    @rule(hours=st.none() | st.integers(min_value=-3, max_value=3))
    def freeze(self, hours: int | None) -> None:
        start = self.clock.now() + timedelta(hours=hours or 0)
        self.frozen = None if hours is None else (start, start + timedelta(hours=2))
        self._store_policy()

    @rule(name=st.sampled_from(["orders", "payments", "stock"]), unverified=st.booleans())
    def another_run_takes(self, name: str, unverified: bool) -> None:
        self.runs.hold(f"toxiproxy:{name}", "exp-other", unverified=unverified)
        self.taken.add(name)

    @rule()
    def other_runs_let_go(self) -> None:
        self.runs.held.clear()
        self.taken.clear()

    @invariant()
    def the_gate_proceeds_exactly_when_the_books_allow_it(self) -> None:
        for moment in (Moment.PREFLIGHT, Moment.RUNNING):
            hit = None if self.targets is None else resolved(*map(make_target, sorted(self.targets)))
            decision = self.gate(
                Asking(
                    moment=moment,
                    team="demo",
                    experiment="slow",
                    revision=self.experiment.revision,
                    spec=self.spec,
                    resolved=hit,
                    run=make_run(started_at=None),
                )
            )
            allowed = self._allowed()
            assert (decision.outcome is GateOutcome.PROCEED) == allowed, decision.reason
            if not allowed and moment is Moment.RUNNING:
                assert decision.outcome is GateOutcome.ABORT

    @invariant()
    def a_run_of_a_revision_that_was_edited_since_never_proceeds(self) -> None:
        if self.older is None:
            return
        decision = self.gate(
            Asking(
                moment=Moment.STEP,
                team="demo",
                experiment="slow",
                revision=self.older,
                spec=self.spec,
                resolved=resolved(make_target("payments")),
                run=make_run(revision=self.older.number),
                superseded=replaced(self.older.number, newest=self.experiment.revision.number),
            )
        )
        assert decision.outcome is GateOutcome.ABORT

    def _allowed(self) -> bool:
        now = self.clock.now()
        if self.targets is None or self.state != "approved" or self.halted or self.incidents:
            return False
        if self.pagerduty.mood != CALM or self.targets & self.taken:
            return False
        if any(now - moment <= QUIET for moment in self.deployed):
            return False
        if self.frozen and self.frozen[0] < now + WINDOW and now < self.frozen[1]:
            return False
        counting = {
            each.by
            for each in self.given
            if each.by not in self.authors | {self.submitter}
            and each.content == self.content
            and self.targets <= each.targets
            and now < each.at + VALID
        }
        return len(counting) >= self.quorum

    def _content(self, content: str) -> reviewing.Content:
        return reviewing.Content(spec=self.spec, spec_digest=content, labels={})

    def _policy(self) -> PolicySpec:
        freezes = [
            {"name": "sale", "start": start.isoformat(), "end": end.isoformat()}
            for start, end in [self.frozen or (None, None)]
            if start is not None and end is not None
        ]
        return policy(
            pagerduty={"secret": "pagerduty"},
            quorum=dict.fromkeys(Risk, self.quorum),
            freezes=freezes,
        )

    def _store_policy(self) -> None:
        spec = self._policy()
        self.facts.put_policy(StoredPolicy("staging", version_of(spec), spec))


def _ids(targets: frozenset[str]) -> tuple[str, ...]:
    return tuple(f"toxiproxy:{each}" for each in sorted(targets))


TestReviewsAndGate = ReviewsAndGate.TestCase
TestReviewsAndGate.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
