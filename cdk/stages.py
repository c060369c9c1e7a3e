"""What makes one stage differ from another: values only, never code. The stacks read these and nothing else."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """Where pods of tests run: sizes of the network, the cluster and the registry."""

    network: str
    """Addresses of the VPC. Three subnets of 4,091 each take the pods: one address for a pod on Fargate."""

    endpoint_zones: int
    """Zones that have the interface endpoints: each costs some 7 USD a month and endpoint; the others' traffic crosses."""

    nat_gateways: int
    """0: no pod reaches the internet. Otherwise one subnet in each zone is public, and so many gateways lead out."""

    kubernetes_version: str

    kept_images: int
    """Of each repository, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Sizes, retention, protection and alarms of one deployment."""

    name: str

    protected: bool
    """Tables and buckets survive the deletion of their stack, and tables refuse deletion."""

    point_in_time_recovery: bool
    tracing: bool
    alarms: bool
    web_firewall: bool
    gateway_logs: bool
    """Access and error logs of the API; they need an account-wide role, which an emulator has no use for."""

    log_retention_days: int
    encrypted_logs: bool
    """Log groups are encrypted with the data key, as everything else is; on an emulator they stay plain."""

    archive_days: int
    """After so many days objects of runs move to Glacier Instant Retrieval."""

    recording_days: int
    """After so many days screenshots, videos and traces of runs expire: they are most of the bytes, and are looked at
    soon or never."""

    retention_days: int
    """After so many days runs, their objects and unused sources expire."""

    authorizer_cache_seconds: int
    requests_per_second: int
    request_burst: int
    requests_per_day: int
    firewall_requests_per_five_minutes: int

    default_slots: int
    """Shards at once while no executor has registered its capacity."""

    launches_per_second: float
    """How fast the default executor starts shards (EKS on Fargate: 20 pods a second); 0 where it is not paced."""

    launch_burst: int
    """Launches at once after a quiet time."""

    default_cluster: str
    """Where work runs whose suite and team name no cluster; empty where a pool of runners stands ready."""

    queue_limit: int
    """Waiting shards before the API answers 429."""

    admission_concurrency: int
    """The most admission workers at once; each enqueues a batch, only one of them schedules."""

    watchers: int
    """The most workers at once that look after running experiments."""

    fault_injection: bool
    """AWS FIS injects, with a role and stop conditions of its own; an emulator has no FIS."""

    compute: Compute | None
    """None: pods run nowhere but in clusters that people add."""

    layer_python: str | None
    """Python version of the AWS runtime; None builds for the interpreter that runs the emulator."""


LOCAL: Final = Stage(
    name="local",
    protected=False,
    point_in_time_recovery=False,
    tracing=False,
    alarms=False,
    web_firewall=False,
    gateway_logs=False,
    log_retention_days=7,
    encrypted_logs=False,
    archive_days=30,
    recording_days=30,
    retention_days=90,
    authorizer_cache_seconds=0,
    requests_per_second=1_000,
    request_burst=2_000,
    requests_per_day=10_000_000,
    firewall_requests_per_five_minutes=100_000,
    default_slots=4,
    launches_per_second=0,
    launch_burst=1,
    default_cluster="",
    queue_limit=10_000,
    admission_concurrency=2,
    watchers=2,
    fault_injection=False,
    compute=None,
    layer_python=None,
)

DEV: Final = Stage(
    name="dev",
    protected=False,
    point_in_time_recovery=True,
    tracing=True,
    alarms=False,
    web_firewall=True,
    gateway_logs=True,
    log_retention_days=14,
    encrypted_logs=True,
    archive_days=30,
    recording_days=30,
    retention_days=90,
    authorizer_cache_seconds=300,
    requests_per_second=50,
    request_burst=100,
    requests_per_day=500_000,
    firewall_requests_per_five_minutes=10_000,
    default_slots=20,
    launches_per_second=20,
    launch_burst=20,
    default_cluster="main",
    queue_limit=5_000,
    admission_concurrency=2,
    watchers=2,
    fault_injection=True,
    compute=Compute(
        network="10.64.0.0/16",
        endpoint_zones=1,
        nat_gateways=0,
        kubernetes_version="1.34",
        kept_images=10,
    ),
    layer_python="3.13",
)

STAGING: Final = Stage(
    name="staging",
    protected=True,
    point_in_time_recovery=True,
    tracing=True,
    alarms=True,
    web_firewall=True,
    gateway_logs=True,
    log_retention_days=30,
    encrypted_logs=True,
    archive_days=30,
    recording_days=30,
    retention_days=90,
    authorizer_cache_seconds=300,
    requests_per_second=100,
    request_burst=200,
    requests_per_day=1_000_000,
    firewall_requests_per_five_minutes=20_000,
    default_slots=100,
    launches_per_second=20,
    launch_burst=20,
    default_cluster="main",
    queue_limit=20_000,
    admission_concurrency=5,
    watchers=5,
    fault_injection=True,
    compute=Compute(
        network="10.65.0.0/16",
        endpoint_zones=3,
        nat_gateways=0,
        kubernetes_version="1.34",
        kept_images=20,
    ),
    layer_python="3.13",
)

PROD: Final = Stage(
    name="prod",
    protected=True,
    point_in_time_recovery=True,
    tracing=True,
    alarms=True,
    web_firewall=True,
    gateway_logs=True,
    log_retention_days=90,
    encrypted_logs=True,
    archive_days=30,
    recording_days=30,
    retention_days=90,
    authorizer_cache_seconds=300,
    requests_per_second=500,
    request_burst=1_000,
    requests_per_day=10_000_000,
    firewall_requests_per_five_minutes=100_000,
    default_slots=1_000,
    launches_per_second=20,
    launch_burst=20,
    default_cluster="main",
    queue_limit=50_000,
    admission_concurrency=10,
    watchers=5,
    fault_injection=True,
    compute=Compute(
        network="10.66.0.0/16",
        endpoint_zones=3,
        nat_gateways=0,
        kubernetes_version="1.34",
        kept_images=50,
    ),
    layer_python="3.13",
)

STAGES: Final[Mapping[str, Stage]] = MappingProxyType(
    {stage.name: stage for stage in (LOCAL, DEV, STAGING, PROD)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lies beside a deployment and is told by the context. Empty texts stand for what there is not."""

    toxiproxy_url: str = ""
    """Context `toxiproxyUrl`: the Toxiproxy server whose proxies experiments may poison."""

    process_home: str = ""
    """Context `processHome`: where local applications keep their registries, for faults on processes."""

    refused_addresses: str = ""
    """Context `refusedAddresses`: host:port of the control plane's own listeners, with commas; no probe may ask them."""

    fis_stop_alarms: str = ""
    """Context `fisStopAlarms`: ARNs of further alarms that stop FIS, with commas."""

    teams: str = ""
    """Context `teams`: with commas, whose agents get an IAM role of their own in the deployment's cluster."""

    cluster_admins: str = ""
    """Context `clusterAdmins`: ARNs of IAM roles that administer the deployment's cluster, with commas."""

    def providers(self, stage: Stage) -> str:
        """Who can inject here, with commas."""
        there = {
            "process": bool(self.process_home),
            "toxiproxy": bool(self.toxiproxy_url),
            "fis": stage.fault_injection,
        }
        return ",".join(name for name, is_there in there.items() if is_there)


class StageError(Exception):
    """The context names no stage that exists, or describes issuers wrongly."""


def stage_named(name: str) -> Stage:
    """The stage of a context value. Raises StageError."""
    if name not in STAGES:
        raise StageError(f"There is no stage {name!r}; choose one of {', '.join(STAGES)}: -c stage=NAME")
    return STAGES[name]


def surroundings_of(context: Callable[[str], str | None]) -> Surroundings:
    """What the context tells of what lies beside the deployment."""
    return Surroundings(
        toxiproxy_url=context("toxiproxyUrl") or "",
        process_home=context("processHome") or "",
        refused_addresses=context("refusedAddresses") or "",
        fis_stop_alarms=context("fisStopAlarms") or "",
        teams=context("teams") or "",
        cluster_admins=context("clusterAdmins") or "",
    )


def issuers_json(*, local_issuer: str | None, issuers: str | None) -> str:
    """The authorizer's issuers as JSON. With none configured it is an empty list: every token is then refused.

    Args:
        local_issuer: Context `localIssuer`: the address of the issuer that `crosswind up` serves.
        issuers: Context `issuers`: a JSON list of {issuer, audience, jwksUri?, teamsClaim?, rolesClaim?}.
    """
    listed: list[dict[str, str]] = []
    if local_issuer:
        listed.append(_issuer({"issuer": local_issuer}))
    if issuers:
        try:
            given = json.loads(issuers)
        except json.JSONDecodeError as error:
            raise StageError(f"The context value `issuers` is no JSON: {error}") from error
        if not isinstance(given, list) or not all(
            isinstance(item, dict) and "issuer" in item for item in given
        ):
            raise StageError("The context value `issuers` must be a list of objects with an `issuer` each")
        listed.extend(_issuer(item) for item in given)
    return json.dumps(listed, separators=(",", ":"))


def _issuer(given: Mapping[str, str]) -> dict[str, str]:
    return {
        "audience": "crosswind",
        "teamsClaim": "crosswind_teams",
        "rolesClaim": "crosswind_roles",
        **given,
    }
