"""Suites that are probes, seen from the engine: started once in a phase while a monitor watches, heard until their verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from crosswind.adapters.probe_suites import SubmittedSuites
from crosswind.chaos import layout
from crosswind.chaos.model import Abort, ExperimentRun
from crosswind.chaos.ports import MonitorState
from crosswind.chaos.usecases.suite_probes import RunSuiteProbes
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from crosswind.contracts.chaos.monitoring import SuiteAnswer
from crosswind.contracts.chaos.probes import Phase, SuiteProbe
from crosswind.contracts.requests import SubmitRunRequest, VerdictKind
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import ConflictError, NotFoundError
from crosswind.runs.model import Run, Verdict
from crosswind.runs.ports import DocumentRecord
from crosswind.runs.schedules.model import Origin
from tests.fakes import START, MemoryDocumentStore, MemoryObjectStore, MemoryRunStore, make_run
from tests.fakes.chaos import exp_id, make_experiment_run, make_spec

WATCHED = MonitorState(leased=True, done=False, last_beat_expires_at=None, announcements=())
SMOKE = SuiteProbe(name="smoke", type="suite", suite="shop", parameters={"full": True})
BEFORE = layout.suite_answer_key(exp_id(), "smoke", Phase.BEFORE, 0)


@dataclass
class Suites:
    """Remembers what was started under which key; verdicts are told."""

    started: list[str] = field(default_factory=list)
    verdicts: dict[str, tuple[VerdictKind, str]] = field(default_factory=dict)
    fault: Exception | None = None

    def start(
        self, run: ExperimentRun, suite: str, parameters: Mapping[str, Scalar], *, cause: str, key: str
    ) -> str:
        if self.fault is not None:
            raise self.fault
        assert (run.run_id, suite, dict(parameters)) == (exp_id(), "shop", {"full": True})
        assert cause.startswith(exp_id())
        self.started.append(key)
        return f"run-{len(self.started)}"

    def verdict(self, execution_id: str) -> tuple[VerdictKind, str] | None:
        return self.verdicts.get(execution_id)


@dataclass
class World:
    """The engine's side."""

    suites: Suites = field(default_factory=Suites)
    artifacts: MemoryObjectStore = field(default_factory=MemoryObjectStore)

    def turn(self, run: ExperimentRun, monitor: MonitorState | None = WATCHED) -> None:
        RunSuiteProbes(suites=self.suites, artifacts=self.artifacts)(run, monitor)

    def answer(self, key: str) -> SuiteAnswer:
        return SuiteAnswer.model_validate_json(self.artifacts.get(key, limit_bytes=10_000))


@pytest.fixture
def world() -> World:
    return World()


def probed(**changes: Any) -> ExperimentRun:
    """A run in its preflight that a suite probes in every phase."""
    spec = make_spec()
    hypothesis = spec.hypothesis.model_copy(update={"probes": (SMOKE,)})
    run = make_experiment_run(
        spec=spec.model_copy(update={"hypothesis": hypothesis}), state=RunState.PREFLIGHT_CHECK
    )
    return replace(run, **changes)


def test_a_suite_starts_once_in_each_phase_and_step(world: World) -> None:
    world.turn(probed())
    world.turn(probed())
    step: dict[str, Any] = {"state": RunState.MONITORING, "step_began_at": START, "step_until": START}
    world.turn(probed(step=1, **step))
    world.turn(probed(step=2, **step))
    world.turn(probed(state=RunState.RECOVERY, undone_at=START))
    place = f"probe/{exp_id()}/smoke"
    assert world.suites.started == [
        f"{place}/before/0",
        f"{place}/during/1",
        f"{place}/during/2",
        f"{place}/after/0",
    ]


def test_nothing_starts_while_nobody_watches_or_faults_go_in_or_the_run_is_aborted(world: World) -> None:
    world.turn(probed(), None)
    world.turn(probed(), replace(WATCHED, leased=False))
    world.turn(probed(state=RunState.RUNNING, step=1, step_began_at=START))
    world.turn(probed(abort=Abort(AbortCause.ACTOR, "enough", "ada", START)))
    world.turn(probed(state=RunState.RECOVERY))
    assert world.suites.started == []


def test_the_verdict_is_told_when_it_is_there(world: World) -> None:
    world.turn(probed())
    assert world.answer(BEFORE) == SuiteAnswer(execution_id="run-1")
    world.suites.verdicts["run-1"] = (VerdictKind.FAILED, "1 of 2 tests failed.")
    world.turn(probed(), None)
    told = world.answer(BEFORE)
    assert (told.execution_id, told.verdict, told.reason) == (
        "run-1",
        VerdictKind.FAILED,
        "1 of 2 tests failed.",
    )


def test_a_suite_that_cannot_start_is_told_with_its_reason(world: World) -> None:
    world.suites.fault = NotFoundError("there is no suite shop")
    world.turn(probed())
    assert world.answer(BEFORE) == SuiteAnswer(reason="there is no suite shop")


@dataclass
class Submissions:
    """Remembers how suites were submitted."""

    calls: list[tuple[SubmitRunRequest, Actor, Origin | None]] = field(default_factory=list)

    def __call__(
        self,
        request: SubmitRunRequest,
        *,
        actor: Actor,
        idempotency_key: str | None = None,
        origin: Origin | None = None,
    ) -> tuple[Run, bool]:
        assert idempotency_key
        self.calls.append((request, actor, origin))
        return make_run(), True


def stored(stage: dict[str, Any]) -> DocumentRecord:
    document: dict[str, object] = {"spec": {"stages": [stage]}}
    return DocumentRecord("demo", "shop", "sha256:0", START, "ada", document)


def test_a_probes_suite_is_submitted_by_name_for_the_experiments_team_and_marked_as_its_own() -> None:
    submissions, runs, suites = Submissions(), MemoryRunStore(), MemoryDocumentStore()
    suites.put(stored({"name": "one"}))
    probes = SubmittedSuites(submit=submissions, suites=suites, runs=runs)
    made = probes.start(probed(), "shop", {"full": True}, cause="exp-1, probe", key="probe/1")
    [(request, actor, origin)] = submissions.calls
    assert request == SubmitRunRequest(suite="shop", team="demo", parameters={"full": True})
    assert (actor.subject, actor.roles) == ("experiment:slow-payments", (Role.RUNNER,))
    assert origin == Origin(cause="exp-1, probe")
    run, _ = runs.create(make_run(), idempotency=None)
    assert probes.verdict(made) is None
    verdict = Verdict(VerdictKind.PASSED, "2 tests passed.")
    runs.save(replace(run, verdict=verdict, finished_at=START))
    assert probes.verdict(made) == (VerdictKind.PASSED, "2 tests passed.")


def test_a_suite_that_runs_experiments_is_no_probe_of_one() -> None:
    suites = MemoryDocumentStore()
    suites.put(stored({"name": "one", "chaos": {"experiment": "slow-payments"}}))
    probes = SubmittedSuites(submit=Submissions(), suites=suites, runs=MemoryRunStore())
    with pytest.raises(ConflictError, match="runs experiments itself"):
        probes.start(probed(), "shop", {}, cause="exp-1, probe", key="probe/1")
