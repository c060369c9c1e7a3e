"""Findings of cdk-nag that stay, each on the narrowest scope with its reason.

A wildcard in a resource is acknowledged by its exact pattern on each role that has it. `tests/infra` checks on the
template that a bare `*` goes with the named actions only, whatever is acknowledged here.
"""

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from cdk.stacks.edge import EdgeStack
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import ARTIFACTS, SOURCES, RunsStack
from cdk.stacks.schedules import SchedulesStack
from cdk.stages import Stage

_RUNTIME = (
    "Layers are built and tested for Python 3.13, which AWS supports; newer runtimes follow with the layers."
)
_TRACES = "X-Ray's actions know no resources."
_TOKENS = "IAM knows no resource for SendTaskSuccess; the secret is the token itself."
_RUN_OBJECTS = "Objects of runs are named by run ids, which are not known at deployment."
_SOURCE_OBJECTS = "Archives are named by team and content, which are not known at deployment."
_EXECUTIONS = "Executions are named by run ids, which are not known at deployment."
_LOG_DELIVERY = "Log delivery and X-Ray, which state machines need, know no resources."


def acknowledge(
    stage: Stage, *, platform: PlatformStack, runs: RunsStack, schedules: SchedulesStack, edge: EdgeStack
) -> None:
    """Acknowledge what is meant to be so in this stage."""
    _acknowledge_schedules(platform, schedules, edge)
    _acknowledge_functions(runs, edge)
    _acknowledge_objects(platform, runs, edge)
    _acknowledge_runner(stage, runs)
    _acknowledge_machine(stage, runs)
    _acknowledge_api(stage, edge)
    if not stage.point_in_time_recovery:
        for table in (runs.runs_table, runs.queue_table, runs.tests_table):
            _accept(table, "DDB3", "This stage holds no data that must be recovered.")


def _acknowledge_functions(runs: RunsStack, edge: EdgeStack) -> None:
    answering = {"record_failure", "cancel_run", *runs.workers}
    for name, function in (runs.functions | edge.functions | {"authorize": edge.authorizer}).items():
        _accept(function.function, "L1", _RUNTIME)
        reason = f"{_TRACES} {_TOKENS}" if name in answering else _TRACES
        _accept_wildcard(function.role, "*", reason)
    for name in ("watch_run", "sweep_runs", "recover_run"):
        _accept_wildcard(runs.workers[name].role, f"{_executions(runs)}:*", _EXECUTIONS)


def _acknowledge_schedules(platform: PlatformStack, schedules: SchedulesStack, edge: EdgeStack) -> None:
    artifacts = _imported(platform, platform.artifacts.bucket.bucket_arn)
    sources = _imported(platform, platform.sources.bucket.bucket_arn)
    for name, function in schedules.firing.items():
        _accept(function.function, "L1", _RUNTIME)
        reason = f"{_TRACES} {_TOKENS}" if name == "fire_schedules" else _TRACES
        _accept_wildcard(function.role, "*", reason)
        _accept_wildcard(function.role, f"{artifacts}/{ARTIFACTS}*", _RUN_OBJECTS)
        _accept_wildcard(function.role, f"{sources}/{SOURCES}*", _SOURCE_OBJECTS)
    group = _imported(schedules, schedules.schedules.group_name)
    alarms = f"arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/{group}/*"
    for name in ("put_schedule", "resume_schedule", "pause_schedule", "delete_schedule"):
        _accept_wildcard(
            edge.functions[name].role, alarms, "Each schedule of a team has one alarm in the group."
        )


def _acknowledge_objects(platform: PlatformStack, runs: RunsStack, edge: EdgeStack) -> None:
    artifacts = _imported(platform, platform.artifacts.bucket.bucket_arn)
    sources = _imported(platform, platform.sources.bucket.bucket_arn)
    readers = (
        "submit_run",
        "list_results",
        "list_artifacts",
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
        *(edge.functions[name].role for name in readers),
        runs.recorder.role,
        runs.runner_policy,
    ]
    for grantee in grantees:
        _accept_wildcard(grantee, f"{artifacts}/{ARTIFACTS}*", _RUN_OBJECTS)
    for grantee in (
        edge.functions["submit_run"].role,
        edge.functions["create_plan"].role,
        edge.functions["create_source"].role,
        runs.runner_policy,
    ):
        _accept_wildcard(grantee, f"{sources}/{SOURCES}*", _SOURCE_OBJECTS)
    for pattern in ("*/stages/*/tickets.jsonl", "*/map/*"):
        _accept_wildcard(runs.machine.role, f"{artifacts}/{ARTIFACTS}{pattern}", _RUN_OBJECTS)


def _acknowledge_runner(stage: Stage, runs: RunsStack) -> None:
    _accept_wildcard(runs.runner_policy, "*", _TOKENS)
    account = "arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>"
    secrets = f"{account}:secret:crosswind/{stage.name}/*"
    _accept_wildcard(runs.runner_policy, secrets, "Teams make their secrets under this prefix at any time.")


def _acknowledge_machine(stage: Stage, runs: RunsStack) -> None:
    _accept_wildcard(runs.machine.role, "*", _LOG_DELIVERY)
    _accept_wildcard(
        runs.machine, f"{_executions(runs)}/*", "Child executions of a map run get their names from AWS."
    )
    if not stage.tracing:
        _accept(runs.machine, "SF2", "This stage has no X-Ray.")


def _acknowledge_api(stage: Stage, edge: EdgeStack) -> None:
    api = edge.api
    _accept(
        api,
        "APIG2",
        "Functions check bodies against the contracts and name every fault; the gateway names one.",
    )
    for method in api.methods:
        _accept(method, "COG4", "A Lambda authorizer takes tokens of any configured OIDC issuer (ADR 0003).")
    for method in api.public_methods:
        reason = "A public document: the API's description or the suite's schema."
        _accept(method, "APIG4", reason)
        _accept(method, "COG4", reason)
    if stage.gateway_logs:
        policy = (
            "Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        )
        _accept(api, f"IAM4[{policy}]", "API Gateway takes this role for its logs, once per account.")
    else:
        for rule in ("APIG1", "APIG6"):
            _accept(api, rule, "This stage keeps no gateway logs; functions log every request.")
    if not stage.web_firewall:
        _accept(api, "APIG3", "This stage listens on loopback only.")


def _executions(runs: RunsStack) -> str:
    machine = runs.machine.machine.node.default_child
    name = runs.get_logical_id(machine)  # type: ignore[arg-type]  # the default child is a CfnElement
    return f"arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<{name}.Name>"


def _imported(stack: Stack, value: str) -> str:
    """How other stacks' templates name a value of this one."""
    name: str = stack.resolve(stack.export_value(value))["Fn::ImportValue"]
    return name


def _accept_wildcard(scope: IConstruct, resource: str, reason: str) -> None:
    _accept(scope, f"IAM5[Resource::{resource}]", reason)


def _accept(scope: IConstruct, rule: str, reason: str) -> None:
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
