"""RunStore: the fake and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.run_store import DynamoRunStore
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict
from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import Priority
from crosswind.kernel.errors import ConflictError, InvalidInputError, NotFoundError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.runs.model import Beside, Case, PlanSummary, RoundRecord, Run, RunFailure, RunPurpose, Verdict
from crosswind.runs.ports import RunFilter, RunStore
from tests.fakes import START, MemoryRunStore, SettableClock, make_event, make_run
from tests.stores.embedded import Tables

DEMO = RunFilter(team="demo")
KEY = IdempotencyKey(team="demo", key="build 17 / größe", request_digest="sha256:aa")


@dataclass(frozen=True)
class Subject:
    """A store and the clock that it looks at."""

    store: RunStore
    clock: SettableClock

    def create(self, number: int = 1, **changes: object) -> Run:
        changes.setdefault("created_at", START + timedelta(seconds=number))
        run, created = self.store.create(make_run(number, **changes), idempotency=None)
        assert created
        return run

    def pages(self, wanted: RunFilter, *, limit: int) -> list[list[str]]:
        pages, cursor = [], None
        while True:
            page = self.store.list_runs(wanted, limit=limit, cursor=cursor)
            pages.append([run.run_id for run in page.items])
            cursor = page.cursor
            if cursor is None:
                return pages


class RunStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def subject(self) -> Subject: ...

    def test_a_new_run_gets_version_one(self, subject: Subject) -> None:
        run = subject.create(version=7)

        assert run.version == 1
        assert subject.store.get(run.run_id) == run

    def test_everything_of_a_run_comes_back(self, subject: Subject) -> None:
        at = START + timedelta(milliseconds=1)
        run = subject.create(
            priority=Priority.P0,
            state=RunState.FINISHED,
            parameters={"count": 1, "share": 1.0, "deep": True, "name": "größe"},
            labels={"branch": "main"},
            stage_names=("smoke", "full"),
            current_stage=0,
            started_at=at,
            finished_at=at,
            execution="run-1-r2",
            recoveries=2,
            watched_at=at,
            cancel_requested_at=at,
            cancelled_by="ada",
            plan=PlanSummary(tests=None, shards=3, stages=2, method="count"),
            failure=RunFailure(state="PlanRun", kind="setup", detail="pip said no", at=at),
            verdict=Verdict(kind=VerdictKind.ERROR, reason="Setup failed."),
            case_counts={"passed": 3},
            round=2,
            rounds=(
                RoundRecord(
                    round=1,
                    verdict=Verdict(kind=VerdictKind.FAILED, reason="1 of 3 tests failed."),
                    case_counts={"failed": 1, "passed": 2},
                    started_at=at,
                    finished_at=at,
                ),
            ),
            round_plans=("runs/run-1/rounds/02-x/plan.json",),
            reopened_at=at,
            rerun_by="ada",
            muted=1,
            paused_at=at,
            paused_by="ada",
            commit="c" * 40,
            branch="main",
            default_branch="main",
            failed_fast={"0": "shard-00001"},
            chain=("shop",),
            beside=(
                Beside(
                    stage=1,
                    experiment="slow-payments",
                    round=2,
                    after_seconds=5,
                    required=False,
                    parameters={"latency": 800},
                    began_at=START,
                    ended_at=START,
                    experiment_run="exp-1",
                    state=ExperimentState.ANALYZED,
                    verdict=ExperimentVerdict.HELD,
                    reason="It held.",
                    injected_at=START,
                    removed_at=START,
                ),
                Beside(stage=2, experiment="slow-payments", refused=True),
            ),
            trigger="schedule/nightly",
        )

        stored = subject.store.get(run.run_id)

        assert not [field.name for field in fields(run) if getattr(run, field.name) is None]
        assert stored == run
        assert [type(value) for value in stored.parameters.values()] == [int, float, bool, str]

    def test_an_unknown_run_is_not_found(self, subject: Subject) -> None:
        with pytest.raises(NotFoundError):
            subject.store.get("run-x")

    def test_a_run_is_created_once(self, subject: Subject) -> None:
        subject.create()

        with pytest.raises(WriteConflictError):
            subject.create()

    def test_a_save_counts_the_version_up(self, subject: Subject) -> None:
        run = subject.create()

        saved = subject.store.save(replace(run, state=RunState.PREPARING))

        assert saved.version == 2
        assert subject.store.get(run.run_id) == saved

    def test_the_second_of_two_writers_loses(self, subject: Subject) -> None:
        run = subject.create()
        won = subject.store.save(replace(run, recoveries=1))

        with pytest.raises(WriteConflictError):
            subject.store.save(replace(run, recoveries=2))

        assert subject.store.get(run.run_id) == won

    def test_a_run_that_does_not_exist_cannot_be_saved(self, subject: Subject) -> None:
        with pytest.raises(WriteConflictError):
            subject.store.save(make_run())

    def test_a_repeated_key_gives_the_run_of_the_first_request(self, subject: Subject) -> None:
        first, created = subject.store.create(make_run(1), idempotency=KEY)
        again, repeated = subject.store.create(make_run(2), idempotency=KEY)

        assert (created, repeated) == (True, False)
        assert again == first
        assert subject.store.created_with(KEY) == first
        with pytest.raises(NotFoundError):
            subject.store.get(make_run(2).run_id)

    def test_a_key_for_another_request_is_a_conflict(self, subject: Subject) -> None:
        subject.store.create(make_run(1), idempotency=KEY)

        with pytest.raises(ConflictError):
            subject.store.create(make_run(2), idempotency=replace(KEY, request_digest="sha256:bb"))
        with pytest.raises(ConflictError):
            subject.store.created_with(replace(KEY, request_digest="sha256:bb"))

    def test_another_team_may_use_the_same_key(self, subject: Subject) -> None:
        subject.store.create(make_run(1), idempotency=KEY)

        _, created = subject.store.create(make_run(2, team="other"), idempotency=replace(KEY, team="other"))

        assert created

    def test_a_key_is_free_again_after_a_day(self, subject: Subject) -> None:
        assert subject.store.created_with(KEY) is None
        subject.store.create(make_run(1), idempotency=KEY)
        subject.clock.advance(timedelta(hours=24))
        assert subject.store.created_with(KEY) is None

        run, created = subject.store.create(make_run(2), idempotency=KEY)

        assert created
        assert run.run_id == make_run(2).run_id

    def test_a_finished_run_leaves_an_event_until_it_is_sent(self, subject: Subject) -> None:
        run = subject.create()

        finished = subject.store.finish(replace(run, state=RunState.FINISHED), make_event())
        assert subject.store.get(run.run_id) == finished
        assert list(subject.store.unsent_events()) == [make_event()]
        assert subject.store.unsent_event(make_event().id) == make_event()

        subject.store.mark_sent(make_event().id)
        subject.store.mark_sent(make_event().id)
        assert list(subject.store.unsent_events()) == []
        assert subject.store.unsent_event(make_event().id) is None

    def test_a_lost_finish_leaves_no_event(self, subject: Subject) -> None:
        run = subject.create()
        subject.store.save(run)

        with pytest.raises(WriteConflictError):
            subject.store.finish(replace(run, state=RunState.FINISHED), make_event())

        assert list(subject.store.unsent_events()) == []

    def test_unsent_events_come_oldest_first(self, subject: Subject) -> None:
        for number in (2, 3, 1):
            subject.store.finish(subject.create(number), make_event(number))

        assert [event.id for event in subject.store.unsent_events()] == [
            make_event(number).id for number in (1, 2, 3)
        ]

    def test_only_unfinished_runs_are_unfinished(self, subject: Subject) -> None:
        open_run, done = subject.create(1), subject.create(2)
        subject.store.finish(replace(done, state=RunState.FINISHED), make_event())

        assert list(subject.store.unfinished()) == [open_run]

    def test_runs_are_listed_newest_first_and_in_pages(self, subject: Subject) -> None:
        runs = [subject.create(number).run_id for number in (1, 2, 3, 4)]
        subject.create(5, team="other")

        assert subject.pages(DEMO, limit=3) == [[runs[3], runs[2], runs[1]], [runs[0]]]
        assert subject.pages(DEMO, limit=4) == [[runs[3], runs[2], runs[1], runs[0]]]

    def test_a_run_that_is_only_planned_is_not_listed_and_yet_unfinished(self, subject: Subject) -> None:
        plan = subject.create(1, purpose=RunPurpose.PLAN)

        assert subject.pages(DEMO, limit=3) == [[]]
        assert [run.run_id for run in subject.store.unfinished()] == [plan.run_id]
        assert subject.store.get(plan.run_id).purpose is RunPurpose.PLAN

    def test_a_team_without_runs_has_an_empty_page(self, subject: Subject) -> None:
        assert subject.pages(DEMO, limit=3) == [[]]

    def test_runs_are_filtered_by_suite_state_and_verdict(self, subject: Subject) -> None:
        failed = Verdict(kind=VerdictKind.FAILED, reason="1 of 3 tests failed.")
        first = subject.create(1, suite="api").run_id
        second = subject.create(2, suite="ui").run_id
        third = subject.create(3, suite="api", state=RunState.FINISHED, verdict=failed).run_id

        assert subject.pages(replace(DEMO, suite="api"), limit=1) == [[third], [first]]
        assert subject.pages(replace(DEMO, state=RunState.ACCEPTED), limit=9) == [[second, first]]
        assert subject.pages(replace(DEMO, verdict=VerdictKind.FAILED), limit=9) == [[third]]
        assert subject.pages(replace(DEMO, suite="ui", state=RunState.FINISHED), limit=9) == [[]]

    @pytest.mark.parametrize("cursor", ["", "x", "bm90IGpzb24", "e30", "W10", "bnVsbA==", "é", "A" * 5000])
    def test_a_forged_cursor_is_refused(self, subject: Subject, cursor: str) -> None:
        with pytest.raises(InvalidInputError):
            subject.store.list_runs(DEMO, limit=1, cursor=cursor)

    def test_a_cursor_of_another_team_is_refused(self, subject: Subject) -> None:
        for number in (1, 2):
            subject.create(number, team="other")
        cursor = subject.store.list_runs(RunFilter(team="other"), limit=1, cursor=None).cursor
        assert cursor is not None

        with pytest.raises(InvalidInputError):
            subject.store.list_runs(DEMO, limit=1, cursor=cursor)

    def test_failures_come_by_work_id_and_a_repetition_replaces_them(self, subject: Subject) -> None:
        subject.store.add_failures("run-1", "shard-00001", [_case("b", work_id="shard-00001")])
        subject.store.add_failures("run-1", "shard-00000", [_case("a")])
        subject.store.add_failures("run-1", "shard-00000", [_case("a")])
        subject.store.add_failures("run-2", "shard-00000", [_case("c")])

        assert subject.store.failures("run-1") == (_case("a"), _case("b", work_id="shard-00001"))
        assert subject.store.failures("run-3") == ()

    def test_a_preparation_is_remembered_until_it_expires(self, subject: Subject) -> None:
        assert subject.store.preparation("sha256:aa") is None
        until = START + timedelta(days=7)
        subject.store.remember_preparation("sha256:aa", discovery_key="runs/1/discovery.json", until=until)

        assert subject.store.preparation("sha256:aa") == "runs/1/discovery.json"
        assert subject.store.preparation("sha256:bb") is None

        subject.clock.set(until)
        assert subject.store.preparation("sha256:aa") is None

    def test_a_preparation_is_replaced_by_a_later_one(self, subject: Subject) -> None:
        until = START + timedelta(days=7)
        for key in ("first", "second"):
            subject.store.remember_preparation("sha256:aa", discovery_key=key, until=until)

        assert subject.store.preparation("sha256:aa") == "second"


class TestMemoryRunStore(RunStoreContract):
    @pytest.fixture
    def subject(self) -> Subject:
        clock = SettableClock()
        return Subject(store=MemoryRunStore(clock), clock=clock)


class TestDynamoRunStore(RunStoreContract):
    @pytest.fixture
    def subject(self, tables: Tables) -> Subject:
        clock = SettableClock()
        store = DynamoRunStore(
            dynamo=tables.dynamo, table=tables.runs, clock=clock, retention=timedelta(days=90)
        )
        return Subject(store=store, clock=clock)


def _case(name: str, *, work_id: str = "shard-00000") -> Case:
    return Case(
        id=f"id-{name}",
        test="api",
        variant="py=3.13",
        name=f"tests/test_{name}.py::test_it[größe]",
        status=CaseStatus.FAILED,
        duration_seconds=0.125,
        work_id=work_id,
        attempt=2,
        attempts=3,
        message="assert 1 == 2",
        details=None,
    )
