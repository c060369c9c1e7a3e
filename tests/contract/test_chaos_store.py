"""ExperimentStore and ExperimentRunStore: the fakes and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.chaos_run_store import DynamoExperimentRunStore
from crosswind.adapters.aws.chaos_store import DynamoExperimentStore
from crosswind.chaos import lifecycle
from crosswind.chaos.model import Abort, Approval, Hold, TimelineEvent
from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore, RunFilter
from crosswind.contracts.chaos.gate import (
    CheckName,
    CheckStatus,
    GateCheck,
    GateDecision,
    GateOutcome,
    Moment,
)
from crosswind.contracts.chaos.lifecycle import (
    AbortCause,
    ExperimentVerdict,
    FaultState,
    RevisionState,
    RunState,
)
from crosswind.contracts.chaos.runs import TimelineKind, Timings
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, InvalidInputError, NotFoundError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from tests.fakes import START, SettableClock
from tests.fakes.chaos import (
    MemoryExperimentRunStore,
    MemoryExperimentStore,
    exp_id,
    make_experiment,
    make_experiment_run,
    make_hold,
    make_injection,
    make_spec,
    make_target,
)
from tests.stores.embedded import Tables

HOUR = timedelta(hours=1)
KEY = IdempotencyKey(team="demo", key="k", request_digest="d1")
EVENT = "platform.deployment.recorded.v1"
ON_EVENT = make_spec(schedule={"onEvent": {"type": EVENT}})
DECISION = GateDecision(
    outcome=GateOutcome.POSTPONE,
    until=to_iso(START + HOUR),
    reason="unknown",
    moment=Moment.PREFLIGHT,
    decided_at=to_iso(START),
    policy_version="sha256:00",
    checks=(
        GateCheck(
            name=CheckName.SLO,
            status=CheckStatus.UNKNOWN,
            reason="nobody answered",
            source="prometheus",
            observed_at=to_iso(START),
            ttl_seconds=0,
        ),
    ),
)
APPROVALS = (
    Approval(by="grace", at=START, expires_at=START + HOUR, digest="sha256:1", target_ids=("a:1", "a:2")),
    Approval(
        by="linus", at=START, expires_at=START + HOUR, digest="sha256:2", target_ids=("a:2",), comment="ok"
    ),
)
FULL_RUN = make_experiment_run(
    parameters={"n": 1, "share": 1.0, "yes": True, "text": "größe"},
    attempt=2,
    step=1,
    steps=3,
    started_at=START,
    finished_at=START,
    deadline=START,
    moved_at=START,
    blocked_until=START,
    gate_checked_at=START,
    watched_at=START,
    recovery_attempts=1,
    trigger="schedule",
    parent_run="run-1",
    abort=Abort(cause=AbortCause.SLO, reason="slow", by="monitor", at=START),
    decision=DECISION,
    verdict=ExperimentVerdict.ABORTED,
    reason="slow",
    evidence=("one", "two"),
    timings=Timings(to_detect=1.5),
    undone_at=START,
    step_began_at=START,
    step_until=START,
    gate_fresh_until=START,
)


def _line(text: str, *, after: float = 0.0) -> TimelineEvent:
    at = START + timedelta(seconds=after)
    return TimelineEvent(at=at, kind=TimelineKind.NOTE, actor="engine", text=text, fault="slow")


class ExperimentStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> ExperimentStore: ...

    def test_a_definition_comes_back_as_it_was(self, store: ExperimentStore) -> None:
        full = make_experiment(
            labels={"a": "b"},
            next_start=START,
            paused=True,
            start_parameters={"n": 1.0},
            submitted_by="ada",
            submitted_at=START,
            approvals=APPROVALS,
            changes_requested="too wide",
            changes_requested_by="grace",
        )
        saved = store.save(full)
        assert saved == replace(full, version=1)
        assert store.find("demo", full.name) == saved
        assert store.revision("demo", full.name, 1) == full.revision
        assert store.find("other", full.name) is None

    def test_of_two_writers_the_second_one_learns_it(self, store: ExperimentStore) -> None:
        store.save(make_experiment())
        with pytest.raises(WriteConflictError):
            store.save(make_experiment())

    def test_every_revision_stays_under_its_number(self, store: ExperimentStore) -> None:
        first = store.save(make_experiment())
        second = replace(first.revision, number=2, spec=make_spec(risk="high"))
        store.save(replace(first, revision=second))
        assert store.revision("demo", first.name, 1) == first.revision
        assert store.revision("demo", first.name, 2) == second
        assert store.last_revision("demo", first.name) == 2
        with pytest.raises(NotFoundError):
            store.revision("demo", first.name, 3)

    def test_only_the_newest_revision_can_be_the_approved_one(self, store: ExperimentStore) -> None:
        approved = store.save(make_experiment(state=RevisionState.APPROVED))
        assert store.approved("demo", approved.name) == approved.revision
        draft = replace(approved.revision, number=2, state=RevisionState.DRAFT)
        store.save(replace(approved, revision=draft))
        assert store.approved("demo", approved.name) is None
        assert store.approved("demo", "nobodys") is None

    def test_revisions_outlive_their_definition(self, store: ExperimentStore) -> None:
        saved = store.save(make_experiment())
        with pytest.raises(WriteConflictError):
            store.delete("demo", saved.name, version=7)
        store.delete("demo", saved.name, version=1)
        assert store.find("demo", saved.name) is None
        assert store.revision("demo", saved.name, 1) == saved.revision
        assert store.last_revision("demo", saved.name) == 1
        with pytest.raises(NotFoundError):
            store.delete("demo", saved.name, version=1)

    def test_definitions_are_listed_by_name_page_by_page(self, store: ExperimentStore) -> None:
        for name in ("c", "a", "b"):
            store.save(make_experiment(name))
        store.save(make_experiment("d", team="other"))
        page = store.list_experiments("demo", limit=2, cursor=None)
        assert [each.name for each in page.items] == ["a", "b"]
        rest = store.list_experiments("demo", limit=2, cursor=page.cursor)
        assert [each.name for each in rest.items] == ["c"]
        assert rest.cursor is None
        with pytest.raises(InvalidInputError):
            store.list_experiments("other", limit=2, cursor=page.cursor)

    def test_what_is_due_comes_earliest_first_and_without_the_paused(self, store: ExperimentStore) -> None:
        store.save(make_experiment("late", next_start=START + HOUR))
        store.save(make_experiment("second", next_start=START))
        store.save(make_experiment("first", next_start=START - HOUR))
        store.save(make_experiment("paused", next_start=START, paused=True))
        store.save(make_experiment("never"))
        assert [each.name for each in store.due(until=START)] == ["first", "second"]

    def test_only_approved_definitions_wait_for_events(self, store: ExperimentStore) -> None:
        store.save(make_experiment("yes", spec=ON_EVENT, state=RevisionState.APPROVED))
        store.save(make_experiment("draft", spec=ON_EVENT))
        store.save(make_experiment("paused", spec=ON_EVENT, state=RevisionState.APPROVED, paused=True))
        assert [each.name for each in store.waiting_for(EVENT)] == ["yes"]
        assert list(store.waiting_for("runs.run.finished.v1")) == []


class ExperimentRunStoreContract(ABC):
    @pytest.fixture
    def clock(self) -> SettableClock:
        return SettableClock()

    @abstractmethod
    @pytest.fixture
    def store(self) -> ExperimentRunStore: ...

    def test_a_run_comes_back_as_it_was(self, store: ExperimentRunStore) -> None:
        stored, created = store.create(FULL_RUN, idempotency=None)
        assert created
        assert stored == replace(FULL_RUN, version=1)
        assert store.get(FULL_RUN.run_id) == stored
        with pytest.raises(NotFoundError):
            store.get(exp_id(9))

    def test_a_repeated_key_gives_the_earlier_run(
        self, store: ExperimentRunStore, clock: SettableClock
    ) -> None:
        first, _ = store.create(make_experiment_run(1), idempotency=KEY)
        assert store.create(make_experiment_run(2), idempotency=KEY) == (first, False)
        assert store.created_with(KEY) == first
        with pytest.raises(ConflictError):
            store.create(make_experiment_run(2), idempotency=replace(KEY, request_digest="d2"))
        clock.advance(timedelta(hours=25))
        assert store.created_with(KEY) is None
        assert store.create(make_experiment_run(2), idempotency=KEY)[1]

    def test_a_move_is_saved_with_its_line_and_its_event(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None, timeline=(_line("asked for"),))
        moved = lifecycle.move(run, RunState.PREFLIGHT_CHECK, now=START, actor="engine", reason="begins")
        saved = store.save(moved.run, timeline=(moved.line,), event=moved.event)
        assert store.get(run.run_id) == saved == replace(moved.run, version=2)
        lines = store.timeline(run.run_id, limit=10, cursor=None).items
        assert [(each.text, each.number) for each in lines] == [
            ("asked for", 1),
            ("Scheduled → PreFlightCheck: begins", 2),
        ]
        assert list(store.unsent_events()) == [moved.event]
        store.mark_sent(moved.event.id)
        store.mark_sent(moved.event.id)
        assert list(store.unsent_events()) == []

    def test_of_two_writers_the_second_one_learns_it_and_tells_nothing(
        self, store: ExperimentRunStore
    ) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None)
        store.save(run)
        with pytest.raises(WriteConflictError):
            store.save(run, timeline=(_line("lost"),))
        with pytest.raises(WriteConflictError):
            store.save(run)
        assert store.timeline(run.run_id, limit=10, cursor=None).items == ()

    def test_runs_are_listed_newest_first_and_filtered(self, store: ExperimentRunStore) -> None:
        store.create(make_experiment_run(1, state=RunState.ANALYZED), idempotency=None)
        store.create(make_experiment_run(2, experiment="other"), idempotency=None)
        store.create(make_experiment_run(3, service="cart"), idempotency=None)
        store.create(make_experiment_run(4, team="other"), idempotency=None)

        def found(wanted: RunFilter) -> list[str]:
            return [each.run_id for each in store.list_runs(wanted, limit=9, cursor=None).items]

        assert found(RunFilter("demo")) == [exp_id(3), exp_id(2), exp_id(1)]
        assert found(RunFilter("demo", experiment="other")) == [exp_id(2)]
        assert found(RunFilter("demo", service="cart")) == [exp_id(3)]
        assert found(RunFilter("demo", state=RunState.ANALYZED)) == [exp_id(1)]
        page = store.list_runs(RunFilter("demo"), limit=2, cursor=None)
        rest = store.list_runs(RunFilter("demo"), limit=2, cursor=page.cursor)
        assert ([each.run_id for each in rest.items], rest.cursor) == ([exp_id(1)], None)

    def test_only_analysed_runs_are_finished(self, store: ExperimentRunStore) -> None:
        store.create(make_experiment_run(1, state=RunState.ANALYZED), idempotency=None)
        store.create(make_experiment_run(2, state=RunState.RECOVERY_UNVERIFIED), idempotency=None)
        assert [each.run_id for each in store.unfinished()] == [exp_id(2)]

    def test_injections_come_back_by_step_and_order(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None)
        full = make_injection(
            "a",
            step=2,
            targets=(make_target(namespace="shop", attributes={"port": 1, "share": 1.0}),),
            handle={"id": "x"},
            asked_at=START,
            injected_at=START,
            removed_at=START,
            detail="slow",
        )
        planned = (full, make_injection("b", order=2), make_injection("c", order=1))
        store.plan_injections(run, planned, [make_hold()])
        stored = store.injections(run.run_id)
        assert [each.fault for each in stored] == ["c", "b", "a"]
        assert stored[-1] == replace(full, version=1)

    def test_an_injection_is_written_by_compare_and_set(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None)
        store.plan_injections(run, [make_injection()], [])
        (planned,) = store.injections(run.run_id)
        active = store.save_injection(replace(planned, state=FaultState.INJECTING))
        assert active.version == planned.version + 1
        with pytest.raises(WriteConflictError):
            store.save_injection(replace(planned, state=FaultState.REFUSED))
        assert store.injections(run.run_id) == (active,)

    def test_what_is_held_is_held_once(self, store: ExperimentRunStore) -> None:
        first, _ = store.create(make_experiment_run(1), idempotency=None)
        second, _ = store.create(make_experiment_run(2), idempotency=None)
        store.plan_injections(first, [make_injection()], [make_hold("payments")])
        wanted = [make_hold("cart", run=2), make_hold("payments", run=2)]
        with pytest.raises(ConflictError, match=exp_id(1)):
            store.plan_injections(second, [make_injection(run=2)], wanted)
        assert store.holds(["toxiproxy:cart", "toxiproxy:payments"]) == (make_hold("payments"),)

    def test_hundreds_of_targets_are_held_all_or_none(self, store: ExperimentRunStore) -> None:
        first, _ = store.create(make_experiment_run(1), idempotency=None)
        second, _ = store.create(make_experiment_run(2), idempotency=None)
        names = [f"t{number:03d}" for number in range(250)]
        store.plan_injections(first, [], [make_hold(names[-1])])
        wanted = [make_hold(name, run=2) for name in names]
        with pytest.raises(ConflictError, match=names[-1]):
            store.plan_injections(second, [], wanted)
        every = [each.target_id for each in wanted]
        assert store.holds(every) == (make_hold(names[-1]),)
        store.release(first.run_id, every)
        store.plan_injections(second, [], wanted)
        assert len(store.holds(every)) == 250

    def test_planning_again_replaces_what_was_only_planned(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None)
        before = [make_injection("a"), make_injection("b", order=2), make_injection("gone", step=2)]
        store.plan_injections(run, before, [make_hold("payments")])
        begun = store.save_injection(replace(store.injections(run.run_id)[0], state=FaultState.INJECTING))
        cart = (make_target("cart"),)
        anew = [make_injection("a", targets=cart), make_injection("b", order=2, targets=cart)]
        store.plan_injections(run, anew, [make_hold("cart")])
        a, b = store.injections(run.run_id)
        assert a == begun
        assert (b.targets, b.version) == (cart, 2)
        assert {each.target_id for each in store.holds(["toxiproxy:cart", "toxiproxy:payments"])} == {
            "toxiproxy:cart",
            "toxiproxy:payments",  # the fault that was asked for is there
        }

    def test_planning_other_targets_lets_go_of_the_first(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None)
        store.plan_injections(run, [make_injection()], [make_hold("payments")])
        store.plan_injections(run, [make_injection(targets=(make_target("cart"),))], [make_hold("cart")])
        assert store.holds(["toxiproxy:cart", "toxiproxy:payments"]) == (make_hold("cart"),)

    def test_a_run_lets_go_only_of_its_own(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(1), idempotency=None)
        store.plan_injections(run, [], [make_hold()])
        store.release(exp_id(2), ["toxiproxy:payments"])
        assert store.holds(["toxiproxy:payments"]) == (make_hold(),)
        store.release(run.run_id, ["toxiproxy:payments"])
        store.release(run.run_id, ["toxiproxy:payments"])
        assert store.holds(["toxiproxy:payments"]) == ()

    def test_what_an_ended_run_holds_keeps_nobody_out(self, store: ExperimentRunStore) -> None:
        first, _ = store.create(make_experiment_run(1), idempotency=None)
        second, _ = store.create(make_experiment_run(2), idempotency=None)
        store.plan_injections(first, [make_injection()], [make_hold("payments"), make_hold("cart")])
        store.save(replace(first, state=RunState.ANALYZED))
        assert store.holds(["toxiproxy:payments"]) == ()
        store.plan_injections(second, [make_injection(run=2)], [make_hold("payments", run=2)])
        assert store.holds(["toxiproxy:cart", "toxiproxy:payments"]) == (make_hold("payments", run=2),)

    @pytest.mark.parametrize("state", [RunState.RUNNING, RunState.RECOVERY, RunState.ANALYZED])
    def test_nothing_is_planned_for_a_run_that_went_on(
        self, store: ExperimentRunStore, state: RunState
    ) -> None:
        run, _ = store.create(make_experiment_run(), idempotency=None)
        store.save(replace(run, state=state))
        with pytest.raises(WriteConflictError):
            store.plan_injections(run, [make_injection()], [make_hold()])
        with pytest.raises(WriteConflictError):
            store.plan_injections(run, [], [make_hold()])
        assert store.injections(run.run_id) == ()
        assert store.holds(["toxiproxy:payments"]) == ()

    def test_what_is_not_proven_clean_is_kept_from_everybody(self, store: ExperimentRunStore) -> None:
        run, _ = store.create(make_experiment_run(1), idempotency=None)
        store.create(make_experiment_run(2), idempotency=None)
        store.plan_injections(run, [], [make_hold()])
        store.mark_unverified(exp_id(2), ["toxiproxy:payments", "toxiproxy:lost"])
        store.mark_unverified(run.run_id, ["toxiproxy:payments"])
        lost, held = store.holds(["toxiproxy:payments", "toxiproxy:lost"])
        assert held == replace(make_hold(), unverified=True)
        assert lost == Hold("toxiproxy:lost", exp_id(2), "demo", unverified=True, since=START)

    def test_a_timeline_is_read_oldest_first_page_by_page(self, store: ExperimentRunStore) -> None:
        store.add_to_timeline(exp_id(1), [_line("b", after=1), _line("c", after=1)])
        store.add_to_timeline(exp_id(1), [_line("a")])
        page = store.timeline(exp_id(1), limit=2, cursor=None)
        assert [each.text for each in page.items] == ["a", "b"]
        assert page.items[0] == replace(_line("a"), number=3)
        rest = store.timeline(exp_id(1), limit=2, cursor=page.cursor)
        assert ([each.text for each in rest.items], rest.cursor) == (["c"], None)
        with pytest.raises(InvalidInputError):
            store.timeline(exp_id(2), limit=2, cursor=page.cursor)

    def test_decisions_are_kept_oldest_first(self, store: ExperimentRunStore) -> None:
        later = DECISION.model_copy(update={"decided_at": to_iso(START + HOUR)})
        for each in (later, DECISION, DECISION):
            store.add_decision(exp_id(1), each)
        assert store.decisions(exp_id(1)) == (DECISION, DECISION, later)
        assert store.decisions(exp_id(2)) == ()


class TestMemoryExperimentStore(ExperimentStoreContract):
    @pytest.fixture
    def store(self) -> ExperimentStore:
        return MemoryExperimentStore()


class TestDynamoExperimentStore(ExperimentStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> ExperimentStore:
        return DynamoExperimentStore(tables.dynamo, tables.chaos)


class TestMemoryExperimentRunStore(ExperimentRunStoreContract):
    @pytest.fixture
    def store(self, clock: SettableClock) -> ExperimentRunStore:
        return MemoryExperimentRunStore(clock)


class TestDynamoExperimentRunStore(ExperimentRunStoreContract):
    @pytest.fixture
    def store(self, tables: Tables, clock: SettableClock) -> ExperimentRunStore:
        return DynamoExperimentRunStore(tables.dynamo, tables.chaos, clock, retention=HOUR)
