"""The safety gate and the halt switch: use cases of the API's Lambdas, of the engine and of its watch. Made at first use."""

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from crosswind.bootstrap import chaos_stores, clients, stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.platform.access import decide
from crosswind.settings import ChaosSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from crosswind.chaos.model import Approval, ExperimentRun, Revision
    from crosswind.chaos.policies import Policies
    from crosswind.chaos.ports import FactStore, GateSource, SafetyLever
    from crosswind.chaos.usecases.facts import GetPolicy, ListPolicies, PutPolicy, RecordIncident
    from crosswind.chaos.usecases.gating import AskGate
    from crosswind.chaos.usecases.halting import HaltChaos, ReadHalt, ReleaseChaos
    from crosswind.contracts.chaos.lifecycle import AbortCause
    from crosswind.contracts.events import DomainEvent
    from crosswind.runs.schedules.ports import GateFacts

# Use cases and adapters are imported where they are made: a handler pays for those that it uses.
# ruff: noqa: PLC0415

DEPLOYMENT_SECRETS = "_deployment"  # in the place of a team, whose name cannot begin so

_GUARD = Guard(decide)
_CLOCK = SystemClock()


@cache
def policies(settings: ChaosSettings) -> "Policies":
    """The policy of an environment."""
    from crosswind.chaos.policies import Policies

    return Policies(facts=chaos_stores.fact_store(settings), stage=settings.stage)


@cache
def ask_gate(settings: ChaosSettings) -> "AskGate":
    """AskGate."""
    from crosswind.chaos.usecases.gating import AskGate

    return AskGate(
        policies=policies(settings),
        runs=chaos_stores.experiment_run_store(settings),
        sources=_sources(settings),
        counting=_counting,
        clock=_CLOCK,
    )


@cache
def halt_chaos() -> "HaltChaos":
    """HaltChaos."""
    from crosswind.chaos.usecases.halting import HaltChaos

    settings = _settings()
    return HaltChaos(
        facts=chaos_stores.fact_store(settings),
        runs=chaos_stores.experiment_run_store(settings),
        abort=_abort,
        lever=_lever(settings),
        guard=_GUARD,
        clock=_CLOCK,
    )


@cache
def release_chaos() -> "ReleaseChaos":
    """ReleaseChaos."""
    from crosswind.chaos.usecases.halting import ReleaseChaos

    settings = _settings()
    return ReleaseChaos(facts=chaos_stores.fact_store(settings), lever=_lever(settings), guard=_GUARD)


@cache
def read_halt() -> "ReadHalt":
    """ReadHalt."""
    from crosswind.chaos.usecases.halting import ReadHalt

    return ReadHalt(facts=chaos_stores.fact_store(_settings()), guard=_GUARD)


@cache
def list_policies() -> "ListPolicies":
    """ListPolicies."""
    from crosswind.chaos.usecases.facts import ListPolicies

    return ListPolicies(facts=chaos_stores.fact_store(_settings()), guard=_GUARD)


@cache
def get_policy() -> "GetPolicy":
    """GetPolicy."""
    from crosswind.chaos.usecases.facts import GetPolicy

    return GetPolicy(policies=policies(_settings()), guard=_GUARD)


@cache
def put_policy() -> "PutPolicy":
    """PutPolicy."""
    from crosswind.chaos.usecases.facts import PutPolicy

    return PutPolicy(facts=chaos_stores.fact_store(_settings()), guard=_GUARD, clock=_CLOCK)


@cache
def record_incident() -> "RecordIncident":
    """RecordIncident."""
    from crosswind.chaos.usecases.facts import RecordIncident

    return RecordIncident(facts=chaos_stores.fact_store(_settings()), guard=_GUARD, clock=_CLOCK)


@cache
def deployment_facts(settings: ChaosSettings) -> "GateFacts":
    """What tells the gate of deployments."""
    return _DeploymentFacts(chaos_stores.fact_store(settings))


@dataclass(frozen=True)
class _DeploymentFacts:
    facts: "FactStore"

    def tell(self, event: "DomainEvent") -> None:
        from crosswind.chaos.model import DeploymentFact
        from crosswind.chaos.policies import environment_named
        from crosswind.contracts.events import DeploymentRecorded
        from crosswind.kernel.clock import from_iso

        told = event.detail
        assert isinstance(told, DeploymentRecorded)  # noqa: S101  # the use case makes no other
        self.facts.put_deployment(
            DeploymentFact(
                team=told.team,
                service=told.service,
                environment=environment_named(told.environment),
                version=told.version,
                told_by=told.actor,
                at=from_iso(event.occurred_at),
                id=event.id,
            )
        )


@cache
def _sources(settings: ChaosSettings) -> "tuple[GateSource, ...]":
    from crosswind.adapters.gate.alarms import AlarmSource
    from crosswind.adapters.gate.codedeploy import CodeDeployDeployments
    from crosswind.adapters.gate.pagerduty import (
        PagerDutyApi,
        PagerDutyChanges,
        PagerDutyIncidents,
        PagerDutyOnCall,
    )
    from crosswind.adapters.gate.prometheus import PrometheusSlos
    from crosswind.chaos.own_evidence import DeploymentEvidence, HaltEvidence, IncidentEvidence

    facts = chaos_stores.fact_store(settings)
    pagerduty = PagerDutyApi(secret=partial(_secret, settings))
    refused = tuple(each for each in settings.refused_addresses.split(",") if each)
    return (
        HaltEvidence(facts),
        IncidentEvidence(facts),
        DeploymentEvidence(facts),
        PagerDutyIncidents(pagerduty),
        PagerDutyOnCall(pagerduty),
        PagerDutyChanges(pagerduty),
        PrometheusSlos(refused=refused),
        AlarmSource(clients.cloudwatch),
        CodeDeployDeployments(clients.codedeploy),
    )


def _secret(settings: ChaosSettings, name: str) -> str:
    return stores.secrets(settings).get(DEPLOYMENT_SECRETS, name)


def _counting(revision: "Revision", target_ids: "Sequence[str]", now: "datetime") -> "Sequence[Approval]":
    from crosswind.chaos.reviewing import counting

    return counting(revision, target_ids=target_ids, now=now)


def _abort(run: "ExperimentRun", *, cause: "AbortCause", reason: str, by: str) -> object:
    from crosswind.bootstrap import chaos

    return chaos.abort_run()(run, cause=cause, reason=reason, by=by)


def _lever(settings: ChaosSettings) -> "SafetyLever | None":
    from crosswind.bootstrap import fis

    return fis.safety_lever(settings)


@cache
def _settings() -> ChaosSettings:
    return ChaosSettings.from_env()
