"""Findings of cdk-nag that stay, each on the narrowest scope with its reason.

A wildcard in a resource is acknowledged by its exact pattern on each role that has it. `tests/infra` checks on the
template that a bare `*` goes with the named actions only, whatever is acknowledged here.
"""

from dataclasses import dataclass

from constructs import IConstruct

from cdk import nag_chaos, nag_compute, nag_live, nag_pods
from cdk.acknowledging import (
    ACCOUNT,
    ALARMS,
    LOG_DELIVERY,
    RUN_OBJECTS,
    RUNTIME,
    TOKENS,
    TRACES,
    accept,
    accept_wildcards,
    imported,
)
from cdk.stacks.chaos import ChaosStack
from cdk.stacks.chaos_api import ChaosApiStack
from cdk.stacks.compute import ComputeStack
from cdk.stacks.edge import EdgeStack
from cdk.stacks.live import LiveStack
from cdk.stacks.objects import (
    ARCHIVE_OBJECTS,
    ARTIFACTS,
    CHAOS,
    CLASSED_OBJECTS,
    MONITOR_OBJECTS,
    PRICES,
    SOURCES,
)
from cdk.stacks.platform import PlatformStack
from cdk.stacks.pods import PodsStack
from cdk.stacks.runs import RunsStack
from cdk.stacks.runs_api import RunsApiStack
from cdk.stacks.schedules import SchedulesStack
from cdk.stages import Stage

_SOURCE_OBJECTS = "Archives are named by team and content, which are not known at deployment."
_EXPERIMENT_OBJECTS = "Objects of experiments are named by run ids, which are not known at deployment."
_PRICE_OBJECTS = "A folder of one file, an operator's price list."
_SECRETS = "Teams make their secrets under this prefix at any time."
_EXECUTIONS = "Executions are named by run ids, which are not known at deployment."


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The stacks of a stage."""

    stage: Stage
    platform: PlatformStack
    runs: RunsStack
    schedules: SchedulesStack
    pods: PodsStack
    chaos: ChaosStack
    live: LiveStack
    runs_api: RunsApiStack
    chaos_api: ChaosApiStack
    edge: EdgeStack
    compute: ComputeStack | None


def acknowledge(made: Deployment) -> None:
    """Acknowledge what is meant to be so in this stage."""
    stage, runs = made.stage, made.runs
    _acknowledge_schedules(made)
    _acknowledge_functions(made)
    _acknowledge_objects(made.platform, runs, made.runs_api)
    _acknowledge_runner(stage, made.platform, runs)
    _acknowledge_machine(stage, runs)
    _acknowledge_api(stage, made.edge)
    nag_chaos.acknowledge(stage, platform=made.platform, chaos=made.chaos, api=made.chaos_api)
    nag_live.acknowledge(stage, made.live)
    nag_pods.acknowledge(stage, platform=made.platform, pods=made.pods)
    if made.compute is not None:
        nag_compute.acknowledge(made.compute)
    if not stage.point_in_time_recovery:
        for table in (runs.runs_table, runs.queue_table, runs.tests_table, runs.live_table, made.chaos.table):
            accept(table, "DDB3", "This stage holds no data that must be recovered.")


def _acknowledge_functions(made: Deployment) -> None:
    runs, edge = made.runs, made.edge
    answering = {"record_failure", "cancel_run", *runs.workers}
    functions = runs.functions | made.runs_api.functions | edge.functions | {"authorize": edge.authorizer}
    for name, function in functions.items():
        accept(function.function, "L1", RUNTIME)
        reason = f"{TRACES} {TOKENS}" if name in answering else TRACES
        accept_wildcards(function.role, {"*": reason})
    for name in ("watch_run", "sweep_runs", "recover_run"):
        accept_wildcards(runs.workers[name].role, {f"{_executions(runs)}:*": _EXECUTIONS})


def _acknowledge_schedules(made: Deployment) -> None:
    platform, schedules = made.platform, made.schedules
    artifacts = imported(platform, platform.artifacts.bucket.bucket_arn)
    sources = imported(platform, platform.sources.bucket.bucket_arn)
    for name, function in schedules.firing.items():
        accept(function.function, "L1", RUNTIME)
        reasons = {
            "*": f"{TRACES} {TOKENS}" if name == "fire_schedules" else TRACES,
            f"{artifacts}/{ARTIFACTS}*": RUN_OBJECTS,
            f"{sources}/{SOURCES}*": _SOURCE_OBJECTS,
        }
        accept_wildcards(function.role, reasons)
    group = imported(schedules, schedules.schedules.group_name)
    alarms = f"arn:<AWS::Partition>:scheduler:{ACCOUNT}:schedule/{group}/*"
    for name in ("put_schedule", "resume_schedule", "pause_schedule", "delete_schedule"):
        reasons = {alarms: "Each schedule of a team has one alarm in the group."}
        accept_wildcards(made.runs_api.functions[name].role, reasons)


def _acknowledge_objects(platform: PlatformStack, runs: RunsStack, api: RunsApiStack) -> None:
    artifacts = imported(platform, platform.artifacts.bucket.bucket_arn)
    sources = imported(platform, platform.sources.bucket.bucket_arn)
    readers = (
        "submit_run",
        "list_results",
        "list_artifacts",
        "get_archive",
        "get_run_report",
        "get_run_cost",
        "get_team_costs",
        "read_logs",
        "rerun_run",
        "why_run",
        "create_plan",
        "get_plan",
    )
    tasks = ("plan_run", "ingest_shard", "close_stage", "fold_run", "judge_run")
    recovering = ("watch_run", "sweep_runs", "recover_run")
    grantees: list[IConstruct] = [
        *(runs.tasks[name].role for name in tasks),
        *(runs.workers[name].role for name in recovering),
        *(api.functions[name].role for name in readers),
        runs.recorder.role,
        runs.archives.builder.role,
        runs.runner_policy,
    ]
    for grantee in grantees:
        accept_wildcards(grantee, {f"{artifacts}/{ARTIFACTS}*": RUN_OBJECTS})
    for name in ("get_run_cost", "get_team_costs"):
        accept_wildcards(api.functions[name].role, {f"{artifacts}/{PRICES}*": _PRICE_OBJECTS})
    for grantee in (api.functions["get_archive"].role, runs.archives.builder.role):
        accept_wildcards(grantee, {f"{artifacts}/{ARCHIVE_OBJECTS}": RUN_OBJECTS})
    for grantee in (
        api.functions["submit_run"].role,
        api.functions["create_plan"].role,
        api.functions["create_source"].role,
        runs.runner_policy,
    ):
        accept_wildcards(grantee, {f"{sources}/{SOURCES}*": _SOURCE_OBJECTS})
    for pattern in ("*/stages/*/tickets.jsonl", "*/map/*"):
        accept_wildcards(runs.machine.role, {f"{artifacts}/{ARTIFACTS}{pattern}": RUN_OBJECTS})


def _acknowledge_runner(stage: Stage, platform: PlatformStack, runs: RunsStack) -> None:
    artifacts = imported(platform, platform.artifacts.bucket.bucket_arn)
    reasons = {
        "*": f"{TOKENS} Nor for GetMetricData. {ALARMS}",
        f"arn:<AWS::Partition>:secretsmanager:{ACCOUNT}:secret:crosswind/{stage.name}/*": _SECRETS,
        **{f"{artifacts}/{keys}": _EXPERIMENT_OBJECTS for keys in (f"{CHAOS}*", *MONITOR_OBJECTS)},
        f"{artifacts}/{CLASSED_OBJECTS}": RUN_OBJECTS,
    }
    accept_wildcards(runs.runner_policy, reasons)


def _acknowledge_machine(stage: Stage, runs: RunsStack) -> None:
    accept_wildcards(runs.machine.role, {"*": LOG_DELIVERY})
    children = {f"{_executions(runs)}/*": "Child executions of a map run get their names from AWS."}
    accept_wildcards(runs.machine, children)
    if not stage.tracing:
        accept(runs.machine, "SF2", "This stage has no X-Ray.")


def _acknowledge_api(stage: Stage, edge: EdgeStack) -> None:
    api = edge.api
    accept(
        api,
        "APIG2",
        "Functions check bodies against the contracts and name every fault; the gateway names one.",
    )
    for method in api.methods:
        accept(method, "COG4", "A Lambda authorizer takes tokens of any configured OIDC issuer (ADR 0003).")
    for method in api.public_methods:
        reason = "A public document: the API's description or the suite's schema."
        accept(method, "APIG4", reason)
        accept(method, "COG4", reason)
    if stage.gateway_logs:
        policy = (
            "Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        )
        accept(api, f"IAM4[{policy}]", "API Gateway takes this role for its logs, once per account.")
    else:
        for rule in ("APIG1", "APIG6"):
            accept(api, rule, "This stage keeps no gateway logs; functions log every request.")
    if not stage.web_firewall:
        accept(api, "APIG3", "This stage listens on loopback only.")


def _executions(runs: RunsStack) -> str:
    machine = runs.machine.machine.node.default_child
    name = runs.get_logical_id(machine)  # type: ignore[arg-type]  # the default child is a CfnElement
    return f"arn:<AWS::Partition>:states:{ACCOUNT}:execution:<{name}.Name>"
