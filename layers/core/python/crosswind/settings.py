"""The environment of each group of functions, as classes that both sides share: CDK writes, the Lambda reads.

A field `runs_table` is the variable `CROSSWIND_RUNS_TABLE`. Every field is required: a missing one fails at cold start
with its name, not at the first use.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

_PREFIX = "CROSSWIND_"


class SettingsError(Exception):
    """The environment lacks a variable or holds a wrong one."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base: to and from environment variables. Field types are str, int and float."""

    def to_env(self) -> dict[str, str]:
        """The variables for a Lambda's or a process's environment."""
        return {_variable(field.name): str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the variables. Raises SettingsError naming every one that is missing or no number."""
        source = os.environ if environ is None else environ
        values: dict[str, str | int | float] = {}
        faults = []
        for field in fields(cls):
            raw = source.get(_variable(field.name))
            if raw is None:
                faults.append(f"{_variable(field.name)} is not set")
                continue
            kind = {"int": int, "float": float}.get(getattr(field.type, "__name__", str(field.type)), str)
            try:
                values[field.name] = kind(raw)
            except ValueError:
                faults.append(f"{_variable(field.name)} is {raw!r}, not a number")
        if faults:
            raise SettingsError("; ".join(faults))
        return cls(**values)


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


@dataclass(frozen=True, kw_only=True)
class StoreSettings(Settings):
    """Names that the stores need; every function of the runs area has them."""

    stage: str
    runs_table: str
    queue_table: str
    artifacts_bucket: str
    sources_bucket: str
    admission_queue_url: str
    executor_queue_url: str
    launch_queue_url: str  # work for pods
    default_cluster: str  # where work goes whose suite and team name none; empty: to the pool of runners
    watch_queue_url: str
    live_table: str
    live_queue_url: str
    event_bus_name: str
    retention_days: int


@dataclass(frozen=True, kw_only=True)
class ClusterCallerSettings(StoreSettings):
    """Launcher and observer: they call clusters, and tell the agents of pods what to know."""

    region: str


@dataclass(frozen=True, kw_only=True)
class SocketSettings(Settings):
    """Lambdas that talk through the socket. They know no run: only who is connected, and to what."""

    stage: str
    live_table: str
    socket_api_id: str
    socket_stage: str


@dataclass(frozen=True, kw_only=True)
class SocketAddressSettings(Settings):
    """The Lambda that tells clients where the socket is."""

    socket_url: str  # an address, or a path of the endpoint that the client has called


@dataclass(frozen=True, kw_only=True)
class HistorySettings(StoreSettings):
    """Functions that know the tests' history. Runners do not: what they wrote there could make a test gate no more."""

    tests_table: str


@dataclass(frozen=True, kw_only=True)
class TaskSettings(HistorySettings):
    """Lambdas that the state machine calls. They do not know the machine: it depends on them."""


@dataclass(frozen=True, kw_only=True)
class ControlSettings(HistorySettings):
    """Lambdas that start executions or decide admissions: API, workers, recovery."""

    state_machine_arn: str
    default_slots: int  # shards at once when no executor has registered its capacity
    launches_per_second: float  # of those default slots; 0 where launches are not paced
    launch_burst: int
    queue_limit: int  # waiting shards before the API answers 429


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings(ControlSettings):
    """The Lambda that orders archives of runs' files."""

    archive_queue_url: str


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings(ControlSettings):
    """Lambdas that set and clear the alarms of schedules."""

    schedule_group: str  # of EventBridge Scheduler
    schedule_role_arn: str  # what Scheduler assumes to call the function
    schedule_function_arn: str


@dataclass(frozen=True, kw_only=True)
class ChaosSettings(HistorySettings):
    """Functions of the chaos area. Empty texts stand for what a deployment does not have."""

    chaos_table: str
    chaos_watch_queue_url: str
    chaos_watch_queue_arn: str  # what Scheduler sends to when a blocked run is to start again
    chaos_schedule_group: str  # of EventBridge Scheduler: dead-man schedules, and wakes of blocked runs
    chaos_schedule_role_arn: str
    reap_function_arn: str
    operators_topic_arn: str
    providers: str  # those that this deployment has, with commas: "process,toxiproxy"
    toxiproxy_url: str
    process_home: str  # where local applications keep their registry (application.json)
    fis_role_arn: str
    fis_log_group_arn: str
    fis_stop_alarm_arns: str  # with commas
    refused_addresses: str  # host:port of the control plane's own listeners, with commas


@dataclass(frozen=True, kw_only=True)
class ChaosControlSettings(ChaosSettings):
    """Those that start runs of chaos/experiment."""

    chaos_machine_arn: str


@dataclass(frozen=True, kw_only=True)
class AuthorizerSettings(Settings):
    """The Lambda authorizer. `issuers` is JSON: a list of {issuer, audience, jwksUri?, teamsClaim, rolesClaim}."""

    stage: str
    issuers: str


@dataclass(frozen=True, kw_only=True)
class RunnerSettings(StoreSettings):
    """A runner agent, in a pod, a container or a local process."""

    runner_id: str
    work_folder: str
    live_seconds: float  # between shipments of what is new while someone watches: 1.5, and 0.5 on a laptop
    quiet_seconds: float  # while nobody does: 30, and 2 on a laptop, where uploads cost nothing
