"""From previews to what is stored before anything is injected: injections, holds, the monitor's plan, order and ticket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crosswind.chaos import layout
from crosswind.chaos.model import ExperimentRun, Hold, Injection
from crosswind.chaos.providing import FaultRequest, Preview
from crosswind.chaos.radius import Resolved, target_ids
from crosswind.chaos.stepping import MachineStep, longest_seconds, steps
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.monitoring import MONITOR_WORK_ID, MonitorPlan
from crosswind.contracts.chaos.spec import Fault
from crosswind.contracts.suites import Priority, duration_seconds
from crosswind.contracts.work import MonitorOrder, OrderRef, Ticket, WorkKind

_QUEUE_SECONDS = range(120, 601)
_MONITOR_CPU_MILLIS = 250
_MONITOR_MEMORY_MIB = 512


@dataclass(frozen=True, slots=True)
class Previewed:
    """One fault of one step, and what its provider said that it would hit."""

    step: MachineStep
    fault: Fault
    order: int  # within the step, 1-based
    preview: Preview


def requests(run: ExperimentRun) -> tuple[tuple[MachineStep, Fault, int, FaultRequest], ...]:
    """What the providers are asked, for every fault of every step."""
    return tuple(
        (step, fault, order, _request(run, step, fault))
        for step in steps(run.spec)
        for order, fault in enumerate(step.faults, 1)
    )


def resolved(previews: Sequence[Previewed]) -> tuple[Resolved, ...]:
    """What would be hit, for the gate."""
    return tuple(
        Resolved(
            step=each.step.number,
            fault=each.fault.name,
            candidates=each.preview.candidates,
            targets=each.preview.targets,
        )
        for each in previews
    )


def planned(injections: Sequence[Injection]) -> tuple[Resolved, ...]:
    """What was planned, for a gate that is asked again."""
    return tuple(
        Resolved(step=each.step, fault=each.fault, candidates=len(each.targets), targets=each.targets)
        for each in injections
    )


def refusals(previews: Sequence[Previewed]) -> tuple[str, ...]:
    """Why a provider would not inject now: its own problems, and permissions that it could not prove."""
    found = []
    for each in previews:
        missing = [permission.name for permission in each.preview.permissions if not permission.allowed]
        told = (*each.preview.problems, *(f"permission {name} is missing" for name in missing))
        found += [f"fault {each.fault.name}: {problem}" for problem in told]
    return tuple(dict.fromkeys(found))


def injections(run: ExperimentRun, previews: Sequence[Previewed]) -> tuple[Injection, ...]:
    """Every injection of the run with its compensation."""
    return tuple(
        Injection(
            run_id=run.run_id,
            step=each.step.number,
            fault=each.fault.name,
            order=each.order,
            provider=each.fault.provider,
            action=each.fault.action,
            targets=each.preview.targets,
            percent=each.step.percent,
            duration_seconds=duration_seconds(each.fault.duration),
            parameters=dict(each.fault.parameters),
            compensation=dict(each.preview.compensation),
            environment=run.environment,
            team=run.team,
        )
        for each in previews
    )


def holds(run: ExperimentRun, planned_: Sequence[Injection], *, now: datetime) -> tuple[Hold, ...]:
    """The targets that the run takes for itself, each once."""
    ids = target_ids(target for each in planned_ for target in each.targets)
    return tuple(
        Hold(target_id=each, run_id=run.run_id, team=run.team, unverified=False, since=now) for each in ids
    )


def held_ids(planned_: Sequence[Injection]) -> tuple[str, ...]:
    """The ids of what the run holds."""
    return target_ids(target for each in planned_ for target in each.targets)


def monitor_plan(run: ExperimentRun, policy: PolicySpec, *, refused_addresses: Sequence[str]) -> MonitorPlan:
    """What the monitor watches."""
    return MonitorPlan(
        run_id=run.run_id,
        team=run.team,
        environment=run.environment,
        probes=run.spec.hypothesis.probes,
        guards=run.spec.abort_on,
        baseline_seconds=duration_seconds(run.spec.baseline),
        recovery_seconds=duration_seconds(run.spec.recovery),
        timeout_seconds=duration_seconds(run.spec.timeout),
        hosts=policy.hosts,
        refused_addresses=tuple(refused_addresses),
        prometheus=policy.prometheus,
    )


def monitor_order(run: ExperimentRun) -> str:
    """What the runner is told: the MonitorOrder on the wire, the same bytes whenever it is asked for."""
    return MonitorOrder(
        team=run.team,
        experiment_run=run.run_id,
        plan_key=layout.monitor_key(run.run_id),
        timeout_seconds=duration_seconds(run.spec.timeout),
    ).to_wire()


def monitor_ticket(run: ExperimentRun, *, awaits: int | None, cluster: str | None = None) -> Ticket:
    """The same work whatever is waited for: it comes before all tests, and is not tried again."""
    return Ticket(
        run_id=run.run_id,
        work_id=MONITOR_WORK_ID,
        kind=WorkKind.MONITOR,
        team=run.team,
        suite=run.experiment,
        test="monitor",
        priority=Priority.P0,
        stage=0,
        concurrency=1,
        infrastructure_retries=0,
        queue_seconds=_queue_seconds(run),
        cpu_millis=_MONITOR_CPU_MILLIS,
        memory_mib=_MONITOR_MEMORY_MIB,
        awaits=awaits,
        cluster=cluster,
        order=OrderRef(key=layout.order_key(run.run_id), offset=0, length=len(monitor_order(run).encode())),
    )


def hold_seconds(run: ExperimentRun) -> Mapping[int, int]:
    """How long each step is watched."""
    return {step.number: step.hold_seconds for step in steps(run.spec)}


def _queue_seconds(run: ExperimentRun) -> int:
    """A monitor waits for its runner while the run could still end in time, and not for ever: its targets are held."""
    spare = duration_seconds(run.spec.timeout) - longest_seconds(run.spec)
    return max(_QUEUE_SECONDS[0], min(spare, _QUEUE_SECONDS[-1]))


def _request(run: ExperimentRun, step: MachineStep, fault: Fault) -> FaultRequest:
    return FaultRequest(
        run_id=run.run_id,
        step=step.number,
        fault=fault.name,
        action=fault.action,
        selector=fault.target,
        parameters=dict(fault.parameters),
        percent=step.percent,
        duration_seconds=duration_seconds(fault.duration),
        environment=run.environment,
        team=run.team,
    )
