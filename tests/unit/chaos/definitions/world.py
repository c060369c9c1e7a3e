"""Use cases of definitions, reviews and runs over stores in memory and a provider that only previews."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import yaml

from crosswind.chaos.model import Approval, Injection, Revision, Target
from crosswind.chaos.own_evidence import DeploymentEvidence, HaltEvidence, IncidentEvidence
from crosswind.chaos.policies import Policies
from crosswind.chaos.ports import StoredPolicy
from crosswind.chaos.providing import Capabilities, FaultRequest, FaultStatus, Preview
from crosswind.chaos.resolving import Resolve
from crosswind.chaos.reviewing import counting
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.usecases.aborting import AbortExperiment, AbortRun
from crosswind.chaos.usecases.definitions import DeleteExperiment, PutExperiment, ScheduleExperiment
from crosswind.chaos.usecases.finding import FindExperiment, FindRun
from crosswind.chaos.usecases.gating import AskGate
from crosswind.chaos.usecases.previewing import PreviewExperiment
from crosswind.chaos.usecases.reading import (
    GetExperiment,
    GetExperimentRun,
    ListExperimentRuns,
    ListExperiments,
    ReadResults,
    ReadTimeline,
    ShowExperiment,
    ShowRun,
)
from crosswind.chaos.usecases.recording import ChangeRun, RecordAbort
from crosswind.chaos.usecases.reviews import (
    ApproveExperiment,
    ChangeReview,
    RequestChanges,
    SubmitExperiment,
)
from crosswind.chaos.usecases.starting import StartExperiment
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.definitions import ActionView, ParameterView, ReviewRequest
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.contracts.permissions import Guard
from crosswind.platform.access import decide
from tests.fakes import CountingIds, MemoryObjectStore, SettableClock
from tests.fakes.chaos import MemoryExperimentRunStore, MemoryExperimentStore, make_spec, make_target
from tests.fakes.facts import MemoryFactStore

POLICY = PolicySpec(
    providers=(ProviderName.TOXIPROXY,),
    hosts=("127.0.0.1",),
    incidents_required=False,
    on_call_required=False,
)


def person(name: str, *, role: Role = Role.EDITOR, team: str = "demo") -> Actor:
    """Somebody in team `demo`."""
    return Actor(subject=name, issuer="https://issuer.example", teams=(team,), roles=(role,))


ADA, GRACE, LINUS = person("ada"), person("grace"), person("linus")
RUNNER, VIEWER = person("rita", role=Role.RUNNER), person("vera", role=Role.VIEWER)
STRANGER = person("eve", team="other")


def document(name: str = "slow-payments", *, labels: Mapping[str, str] | None = None, **spec: Any) -> str:
    """An experiment as it is written."""
    made = make_spec(**spec).model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    metadata = {"name": name, "team": "demo", "labels": dict(labels or {})}
    return yaml.safe_dump(
        {"apiVersion": "crosswind.dev/v1", "kind": "ChaosExperiment", "metadata": metadata, "spec": made}
    )


@dataclass
class Previewing:
    """A provider that knows what it would hit, or fails to."""

    targets: tuple[Target, ...] = field(default_factory=lambda: (make_target(),))
    fault: Exception | None = None

    def capabilities(self) -> Capabilities:
        latency = ActionView(
            provider=ProviderName.TOXIPROXY,
            action="latency",
            title="Slow it down",
            kinds=("proxy",),
            parameters=(ParameterView(name="latency", type="integer"),),
            reversible=True,
            dosed=True,
        )
        return Capabilities(provider=ProviderName.TOXIPROXY, actions=(latency,), own_time_limit=False)

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        return ()

    def preview(self, request: FaultRequest) -> Preview:
        if self.fault is not None:
            raise self.fault
        return Preview(
            candidates=len(self.targets),
            targets=self.targets,
            compensation={"toxics": [each.name for each in self.targets]},
            undo=("remove the toxic",),
        )

    def inject(self, injection: Injection) -> FaultStatus:
        raise AssertionError("a preview injects nothing")

    def status(self, injection: Injection) -> FaultStatus:
        raise AssertionError(injection.marker)

    def stop(self, injection: Injection) -> None:
        raise AssertionError(injection.marker)

    def verify_removed(self, injection: Injection) -> FaultStatus:
        raise AssertionError(injection.marker)

    def get(self, name: ProviderName) -> "Previewing":
        assert name is ProviderName.TOXIPROXY
        return self

    def available(self) -> tuple[ProviderName, ...]:
        return (ProviderName.TOXIPROXY,)


class Told:
    """Engine, queues and monitors: they keep what they were told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.watched: list[str] = []
        self.cancelled: list[str] = []
        self.closed: list[str] = []
        self.fault: Exception | None = None

    def start(self, name: str, payload: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.started.append(name)

    def watch(self, run_id: str, *, delay_seconds: int = 0) -> None:
        self.watched.append(run_id)

    def state(self, run_id: str) -> None:
        return None

    def cancel(self, run_id: str, *, reason: str) -> None:
        self.cancelled.append(run_id)


@dataclass
class World:
    """Everything that the API's use cases of experiments need."""

    clock: SettableClock = field(default_factory=SettableClock)
    provider: Previewing = field(default_factory=Previewing)
    told: Told = field(default_factory=Told)
    facts: MemoryFactStore = field(default_factory=MemoryFactStore)

    def __post_init__(self) -> None:
        self.experiments = MemoryExperimentStore()
        self.runs = MemoryExperimentRunStore(self.clock)
        self.reports = MemoryObjectStore()
        guard = Guard(decide)
        self.facts.put_policy(StoredPolicy(environment="staging", version="1", spec=POLICY))
        policies = Policies(facts=self.facts, stage="prod")
        rules = Rules(providers=self.provider, policy_of=policies.spec_of)
        find, find_run = FindExperiment(self.experiments, guard), FindRun(self.runs, guard)
        resolve = Resolve(self.provider, rules)
        change = ChangeReview(self.experiments, find, _no_pause)
        evidence = (HaltEvidence, IncidentEvidence, DeploymentEvidence)
        sources = [each(self.facts) for each in evidence]
        gate = AskGate(policies, self.runs, sources, _counting, self.clock)
        self.put = PutExperiment(self.experiments, guard, rules, self.clock, _no_pause)
        self.delete = DeleteExperiment(self.experiments, self.runs, find, _no_pause)
        self.schedule = ScheduleExperiment(self.experiments, find, self.clock, _no_pause)
        self.submit = SubmitExperiment(change, self.clock)
        self.approve = ApproveExperiment(change, resolve, policies, self.clock)
        self.request_changes = RequestChanges(change, self.clock)
        self.preview = PreviewExperiment(self.experiments, find, resolve, gate, policies, self.clock)
        self.start = StartExperiment(
            experiments=self.experiments,
            runs=self.runs,
            facts=self.facts,
            policies=policies,
            engine=self.told,
            queues=self.told,
            rules=rules,
            guard=guard,
            clock=self.clock,
            ids=CountingIds(),
        )
        record = RecordAbort(
            runs=self.runs,
            monitors=self.told,
            change=ChangeRun(self.runs, self.clock, _no_pause),
            clock=self.clock,
        )
        abort = AbortRun(record, self.told.closed.append, self.runs)
        self.abort = AbortExperiment(self.runs, find_run, abort, guard)
        self.get = GetExperiment(find, ShowExperiment(self.experiments, self.runs, policies, self.clock))
        self.list = ListExperiments(self.experiments, self.runs, guard)
        self.list_runs = ListExperimentRuns(self.runs, guard)
        self.get_run = GetExperimentRun(find_run, ShowRun(self.runs))
        self.timeline = ReadTimeline(self.runs, find_run)
        self.results = ReadResults(self.runs, find_run, ShowRun(self.runs), self.reports)

    def approved(self, **spec: Any) -> str:
        """A definition that grace approved; its name."""
        stored, _ = self.put(document(**spec), name=None, actor=ADA)
        self.submit(stored.name, team=None, actor=ADA)
        request = ReviewRequest(digest=stored.revision.spec_digest)
        self.approve(stored.name, request, team=None, actor=GRACE)
        return stored.name

    def move(self, run_id: str, **changes: Any) -> None:
        """Put a run somewhere else."""
        self.runs.save(replace(self.runs.get(run_id), **changes))


def _no_pause(repetition: int) -> None:
    return None


def _counting(revision: Revision, target_ids: Sequence[str], now: datetime) -> Sequence[Approval]:
    return counting(revision, target_ids=target_ids, now=now)
