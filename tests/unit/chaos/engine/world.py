"""The engine with everything around it in memory, wired as bootstrap does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from crosswind.chaos.model import ExperimentRun, Injection, Revision
from crosswind.chaos.policies import Policies
from crosswind.chaos.ports import ExperimentRunStore
from crosswind.chaos.stepping import steps
from crosswind.chaos.usecases.analyzing import Analyze
from crosswind.chaos.usecases.closing import CloseStep
from crosswind.chaos.usecases.injecting import InjectStep
from crosswind.chaos.usecases.preflight import CheckPreflight
from crosswind.chaos.usecases.reaping import CloseUnstarted, ReapAll, ReapRun, RecordEngineFailure
from crosswind.chaos.usecases.recording import ChangeRun, PublishEvents, PublishPhase, RecordAbort, Tell
from crosswind.chaos.usecases.recovering import Recover
from crosswind.chaos.usecases.undoing import UndoFaults
from crosswind.chaos.usecases.watching import StartExecution, WakeBlocked, WatchExperiment
from crosswind.contracts.chaos.lifecycle import RevisionState, RunState
from crosswind.contracts.chaos.monitoring import PhaseRecord
from crosswind.contracts.chaos.probes import HttpProbe
from crosswind.contracts.chaos.runs import ExperimentRunView
from crosswind.contracts.chaos.spec import (
    BlastRadius,
    ExperimentSpec,
    Fault,
    Hypothesis,
    LadderStep,
    Notify,
    ProviderName,
    TargetSelector,
)
from crosswind.kernel.clock import to_iso
from tests.fakes import START, MemoryEventBus, MemoryObjectStore, SettableClock
from tests.fakes.chaos import MemoryExperimentStore
from tests.fakes.facts import MemoryFactStore
from tests.unit.chaos.engine.provider import MoodyProvider, OneProvider
from tests.unit.chaos.engine.stand_ins import (
    RUN_ID,
    FakeDeadMan,
    FakeEngine,
    FakeGate,
    FakeMonitor,
    FakeNotifier,
    FakeQueues,
)
from tests.unit.chaos.engine.store import InterruptedStore

DIGEST = "sha256:" + "0" * 64


def make_spec(*, faults: int = 1, rungs: int = 1, timeout: str = "10m") -> ExperimentSpec:
    """A spec with so many faults in each of so many steps."""
    return ExperimentSpec(
        environment="local",
        hypothesis=Hypothesis(
            title="orders are taken",
            probes=(HttpProbe(name="orders", type="http", url="http://127.0.0.1:1/"),),
        ),
        faults=tuple(
            Fault(
                name=f"slow-{number}",
                provider=ProviderName.TOXIPROXY,
                action="latency",
                target=TargetSelector(names=(f"payment-{number}",)),
                parameters={"latency": 100},
                duration="30s",
            )
            for number in range(faults)
        ),
        ladder=tuple(LadderStep(percent=10.0 * (number + 1)) for number in range(rungs)),
        blast_radius=BlastRadius(max_targets=5),
        timeout=timeout,
        notify=(Notify(webhook="team-chat"),),
    )


@dataclass
class World:
    """Everything."""

    spec: ExperimentSpec = field(default_factory=make_spec)
    clock: SettableClock = field(default_factory=SettableClock)
    objects: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    facts: MemoryFactStore = field(default_factory=MemoryFactStore)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    dead_man: FakeDeadMan = field(default_factory=FakeDeadMan)
    queues: FakeQueues = field(default_factory=FakeQueues)
    engine: FakeEngine = field(default_factory=FakeEngine)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    elsewhere: ExperimentRunStore | None = None
    """Where runs are kept instead of in memory."""

    def __post_init__(self) -> None:
        self.provider = MoodyProvider(self.clock)
        self.monitor = FakeMonitor(self.clock)
        self.gate = FakeGate(self.clock)
        self.store = InterruptedStore(self.clock)
        self.kept: ExperimentRunStore = self.elsewhere or self.store
        self.kept.create(make_run(self.spec), idempotency=None)
        self.experiments = MemoryExperimentStore()
        self.experiments.revisions["demo", "slow-payments", 1] = make_revision(self.spec)
        self._wire()

    @property
    def run(self) -> ExperimentRun:
        """As it is stored."""
        return self.elsewhere.get(RUN_ID) if self.elsewhere else self.store.runs[RUN_ID]

    @property
    def phase(self) -> PhaseRecord:
        """What the monitor is told."""
        return PhaseRecord.model_validate_json(self.objects.objects[f"chaos/{RUN_ID}/phase.json"].data)

    def _wire(self) -> None:
        runs, experiments = self.kept, self.experiments
        providers = OneProvider(self.provider)
        policies = Policies(facts=self.facts, stage="local")
        wait = cast("Callable[[float], None]", self.clock.advance)
        self.change = ChangeRun(runs=runs, clock=self.clock, pause=lambda _: None)
        self.tell = Tell(runs=runs, notifier=self.notifier, clock=self.clock)
        self.publish_phase = PublishPhase(runs=runs, artifacts=self.objects)
        self.publish_events = PublishEvents(runs=runs, bus=self.bus)
        self.record_abort = RecordAbort(
            runs=runs, monitors=self.monitor, change=self.change, clock=self.clock
        )
        self.undo = UndoFaults(runs=runs, providers=providers, tell=self.tell, clock=self.clock, pause=wait)
        self.preflight = CheckPreflight(
            runs=runs,
            experiments=experiments,
            providers=providers,
            ask_gate=self.gate,
            policies=policies,
            artifacts=self.objects,
            dead_man=self.dead_man,
            queues=self.queues,
            change=self.change,
            record_abort=self.record_abort,
            publish_phase=self.publish_phase,
            tell=self.tell,
            clock=self.clock,
            refused_addresses=(),
        )
        self.inject = InjectStep(
            runs=runs,
            experiments=experiments,
            providers=providers,
            monitors=self.monitor,
            ask_gate=self.gate,
            change=self.change,
            record_abort=self.record_abort,
            publish_phase=self.publish_phase,
            tell=self.tell,
            clock=self.clock,
            pause=wait,
        )
        self.close = CloseStep(
            runs=runs,
            providers=providers,
            undo=self.undo,
            change=self.change,
            record_abort=self.record_abort,
            tell=self.tell,
            clock=self.clock,
        )
        self.recover = Recover(
            runs=runs,
            monitors=self.monitor,
            undo=self.undo,
            change=self.change,
            record_abort=self.record_abort,
            publish_phase=self.publish_phase,
            tell=self.tell,
            clock=self.clock,
        )
        self.analyze = Analyze(
            runs=runs,
            monitors=self.monitor,
            artifacts=self.objects,
            dead_man=self.dead_man,
            change=self.change,
            publish_events=self.publish_events,
            tell=self.tell,
            view=_view,
            render=lambda results: {"json": results.to_wire().encode()},
            clock=self.clock,
        )
        self.close_unstarted = CloseUnstarted(runs=runs, recover=self.recover, analyze=self.analyze)
        self.record_failure = RecordEngineFailure(record_abort=self.record_abort, note=self.tell.note)
        self.reap = ReapRun(
            runs=runs,
            monitors=self.monitor,
            recover=self.recover,
            analyze=self.analyze,
            clock=self.clock,
        )
        self.reap_all = ReapAll(
            runs=runs,
            queues=self.queues,
            reap=self.reap,
            publish_events=self.publish_events,
            clock=self.clock,
        )
        start = StartExecution(self.engine)
        self.watch = WatchExperiment(
            runs=runs,
            experiments=experiments,
            facts=self.facts,
            policies=policies,
            monitors=self.monitor,
            queues=self.queues,
            ask_gate=self.gate,
            change=self.change,
            record_abort=self.record_abort,
            publish_phase=self.publish_phase,
            publish_events=self.publish_events,
            wake=WakeBlocked(change=self.change, start=start, queues=self.queues, clock=self.clock),
            start=start,
            close_unstarted=self.close_unstarted,
            reap=self.reap,
            run_suites=lambda run, monitor: None,
            clock=self.clock,
        )


def make_run(spec: ExperimentSpec, **changes: Any) -> ExperimentRun:
    """A run that is scheduled."""
    run = ExperimentRun(
        run_id=RUN_ID,
        team="demo",
        experiment="slow-payments",
        revision=1,
        environment="local",
        service="orders",
        state=RunState.SCHEDULED,
        version=1,
        created_at=START,
        requested_by="ada",
        spec=spec,
        spec_digest=DIGEST,
        steps=len(steps(spec)),
    )
    return replace(run, **changes)


def make_revision(spec: ExperimentSpec) -> Revision:
    """The approved revision behind it."""
    return Revision(
        number=1,
        state=RevisionState.APPROVED,
        spec=spec,
        spec_digest=DIGEST,
        edited_by=("ada",),
        updated_at=START,
    )


def _view(run: ExperimentRun, injections: tuple[Injection, ...]) -> ExperimentRunView:
    return ExperimentRunView(
        run_id=run.run_id,
        experiment=run.experiment,
        team=run.team,
        revision=run.revision,
        environment=run.environment,
        state=run.state,
        created_at=to_iso(run.created_at),
        requested_by=run.requested_by,
    )
