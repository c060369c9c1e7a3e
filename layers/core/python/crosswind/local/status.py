"""Tells how each part of the embedded cloud is."""

import json
from dataclasses import dataclass

from crosswind.bootstrap.deployment import deployment as build_deployment
from crosswind.kernel.errors import DependencyError
from crosswind.local import emulator, processes, toxiproxy
from crosswind.local.cloud import GATEWAY, POOL, gateway_is_healthy
from crosswind.local.home import STACK_PREFIX, Home, LocalState


@dataclass(frozen=True, kw_only=True)
class PartStatus:
    """One part as `status` shows it."""

    name: str
    healthy: bool
    detail: str
    pid: int | None = None
    port: int | None = None


def inspect(home: Home) -> list[PartStatus]:
    """Every part and how it is; empty when nothing was ever started here."""
    state = home.load()
    if state is None:
        return []
    gateway = processes.find(state.processes.get(GATEWAY))
    host = processes.find(state.processes.get(emulator.NAME))
    pool = processes.find(state.processes.get(POOL))
    gateway_well = gateway is not None and gateway_is_healthy(state)
    host_well = host is not None and emulator.is_healthy(home, state)
    runners = len(pool.children()) if pool else 0
    parts = [
        PartStatus(
            name=GATEWAY,
            healthy=gateway_well,
            detail=state.endpoint if gateway_well else "not running",
            pid=gateway.pid if gateway else None,
            port=state.port,
        ),
        PartStatus(
            name=emulator.NAME,
            healthy=host_well,
            detail=state.emulator_url + (", IAM enforced" if state.iam_enforced else "")
            if host_well
            else "not running",
            pid=host.pid if host else None,
            port=state.emulator_port,
        ),
        PartStatus(
            name=POOL,
            healthy=runners == state.runners,
            detail=f"{runners} of {state.runners} runners",
            pid=pool.pid if pool else None,
        ),
    ]
    if state.toxiproxy_port:
        parts.append(_inspect_toxiproxy(state))
    return parts + (_inspect_deployment(home, state) if host_well else [])


def _inspect_toxiproxy(state: LocalState) -> PartStatus:
    process = processes.find(state.processes.get(toxiproxy.NAME))
    well = process is not None and toxiproxy.answers(state.toxiproxy_port)
    return PartStatus(
        name=toxiproxy.NAME,
        healthy=well,
        detail=state.toxiproxy_url if well else "not running",
        pid=process.pid if process else None,
        port=state.toxiproxy_port,
    )


def _inspect_deployment(home: Home, state: LocalState) -> list[PartStatus]:
    deployment = build_deployment(emulator.client_environment(home, state))
    try:
        parts = [
            PartStatus(name=stack.name, healthy=stack.is_well, detail=stack.status)
            for stack in deployment.stacks(STACK_PREFIX)
        ]
        environment = json.loads(state.outputs.get("RunnerEnvironment", "{}"))
        for key, name in (
            ("CROSSWIND_ADMISSION_QUEUE_URL", "admission queue"),
            ("CROSSWIND_EXECUTOR_QUEUE_URL", "executor queue"),
            ("CROSSWIND_LAUNCH_QUEUE_URL", "launch queue"),
            ("CROSSWIND_WATCH_QUEUE_URL", "watch queue"),
        ):
            if key in environment:
                depth = deployment.queue_depth(environment[key])
                parts.append(PartStatus(name=name, healthy=True, detail=f"{depth} messages"))
    except DependencyError as error:
        parts = [PartStatus(name="stacks", healthy=False, detail=str(error))]
    return parts
