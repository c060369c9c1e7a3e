"""Every stage's stacks: they synthesize, satisfy cdk-nag and cfn-lint, and stay within what CloudFormation takes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crosswind.contracts.api import ROUTES
from crosswind.settings import (
    ChaosControlSettings,
    ChaosSettings,
    ControlSettings,
    ScheduleSettings,
    StoreSettings,
    TaskSettings,
)
from tests.infra.templates import Assembly, listed, text

pytestmark = pytest.mark.infra

_REFUSED_BY_EMULATOR = (
    "AWS::EKS::FargateProfile",
    "AWS::FIS::",
    "AWS::EC2::NatGateway",
    "AWS::EC2::EIP",
    "AWS::Budgets::",
    "AWS::Glue::",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::WAFv2::WebACLAssociation",
)
_TASKS = {"plan_run", "ingest_shard", "close_stage", "fold_run", "judge_run", "publish_run", "record_failure"}
_RECORDER = {"record_history", "build_archive"}  # fed by queues of their own, with the settings of a task
_WORKERS = {"admit_work", "watch_run", "sweep_runs", "recover_run", "fail_dead_letters"}
_FIRING = {"fire_schedules", "fire_triggers"}
_CHAOS_TASKS = {
    "preflight_check",
    "inject_step",
    "close_step",
    "recover",
    "analyze",
    "record_engine_failure",
    "reap_experiments",  # it knows no machine either
}
_CHAOS_WORKERS = {"watch_experiments", "start_experiments", "start_on_event", "accompany_runs"}
_LIVE = {"authorize_socket", "open_socket", "answer_socket", "fan_out"}
_PODS = {"launch_work", "observe_pods"}
_STACKS = {"platform", "runs", "schedules", "pods", "chaos", "live", "runs-api", "chaos-api", "edge"}

_SETS_ALARMS = {"put_schedule", "resume_schedule", "pause_schedule", "delete_schedule"}


def test_every_stage_synthesizes_and_cdk_nag_has_no_unexplained_finding(assembly: Assembly) -> None:
    outside_laptops = set() if assembly.stage == "local" else {"chaos-fis", "compute"}
    assert set(assembly.templates) == _STACKS | outside_laptops
    assert "AwsSolutions" not in assembly.log


@pytest.mark.parametrize("stage", ["local", "prod"])  # dev and staging differ from prod in sizes alone
def test_cfn_lint_has_no_error(stage: str, request: pytest.FixtureRequest) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    linter = Path(sys.executable).with_name("cfn-lint")
    options = [
        "--non-zero-exit-code",
        "error",
        "--ignore-checks",
        "W",
        "--format",
        "parseable",
        "--regions",
        "eu-central-1",
    ]
    command = [str(linter), *options, "--", *map(str, assembly.files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stacks_stay_within_500_resources_and_a_megabyte(assembly: Assembly) -> None:
    for name, template in assembly.templates.items():
        assert len(template["Resources"]) < 450, f"{name} nears CloudFormation's limit of 500: split it"
        assert len(template.get("Outputs", {})) < 180
    assert all(path.stat().st_size < 1_000_000 for path in assembly.files)


def test_nothing_has_a_fixed_physical_name(assembly: Assembly) -> None:
    names = (
        "BucketName",
        "TableName",
        "QueueName",
        "FunctionName",
        "RoleName",
        "StateMachineName",
        "LogGroupName",
        "ManagedPolicyName",
    )
    for template in assembly.templates.values():
        for logical, resource in template["Resources"].items():
            if resource["Type"].startswith("AWS::Lambda::") and resource["Type"] != "AWS::Lambda::Function":
                continue  # these name the function they belong to
            fixed = [name for name in names if isinstance(resource.get("Properties", {}).get(name), str)]
            if str(resource.get("Properties", {}).get("LogGroupName")).startswith("/aws/eks/"):
                continue  # EKS writes to this name: ours is there first, so that it ends and is encrypted
            assert not fixed, f"{logical}: {fixed}"


def test_the_local_stage_holds_nothing_that_the_emulator_refuses(local: Assembly) -> None:
    kinds = {each["Type"] for template in local.templates.values() for each in template["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith(_REFUSED_BY_EMULATOR)]


def test_every_route_has_its_function_and_only_documents_are_public(assembly: Assembly) -> None:
    operations = {route.function for route in ROUTES}
    inside = _TASKS | _RECORDER | _WORKERS | _FIRING | _CHAOS_TASKS | _CHAOS_WORKERS | _LIVE | _PODS
    assert set(assembly.functions()) == operations | inside | {"authorize"}
    assert assembly.in_stacks("runs-api", "chaos-api", "edge") == operations | {"authorize"}
    methods = [each["Properties"] for each in assembly.resources("AWS::ApiGateway::Method").values()]
    assert len(methods) == len(ROUTES)
    public = [each for each in methods if each["AuthorizationType"] == "NONE"]
    assert len(public) == sum(route.public for route in ROUTES)
    assert all("AuthorizerId" in each for each in methods if each not in public)


def test_a_functions_environment_is_its_settings_class(assembly: Assembly) -> None:
    for module, function in assembly.functions().items():
        variables = function["Properties"]["Environment"]["Variables"]
        assert len(text(variables)) < 4096, f"{module}: Lambda takes 4 KB of environment"
        plain = {name: "1" if isinstance(value, dict) else value for name, value in variables.items()}
        if module in _TASKS | _RECORDER:
            TaskSettings.from_env(plain)
        elif module in _SETS_ALARMS:
            ScheduleSettings.from_env(plain)
        elif module in _CHAOS_TASKS:
            ChaosSettings.from_env(plain)
            assert "CROSSWIND_CHAOS_MACHINE_ARN" not in variables, "the machine depends on them"
        elif "CROSSWIND_CHAOS_MACHINE_ARN" in variables and module != "record_deployment":
            ChaosControlSettings.from_env(plain)
        elif module in _WORKERS | _FIRING or "CROSSWIND_STATE_MACHINE_ARN" in variables:
            ControlSettings.from_env(plain)


def test_who_tells_of_a_deployment_tells_the_runs_area_and_the_safety_gate(assembly: Assembly) -> None:
    variables = assembly.functions()["record_deployment"]["Properties"]["Environment"]["Variables"]
    plain = {name: "1" if isinstance(value, dict) else value for name, value in variables.items()}
    ControlSettings.from_env(plain)
    ChaosControlSettings.from_env(plain)


def test_nobody_waits_for_an_alarm_that_calls_its_own_maker(assembly: Assembly) -> None:
    """The reaper knows no address of itself; what arms a dead-man schedule knows the reaper's."""
    known = {
        module: assembly.functions()[module]["Properties"]["Environment"]["Variables"]
        for module in _CHAOS_TASKS | _CHAOS_WORKERS
    }
    assert known["reap_experiments"]["CROSSWIND_REAP_FUNCTION_ARN"] == ""
    for module in known.keys() - {"reap_experiments"}:
        assert "ReapExperiments" in text(known[module]["CROSSWIND_REAP_FUNCTION_ARN"]), module
        assert "Watch" in text(known[module]["CROSSWIND_CHAOS_WATCH_QUEUE_ARN"]), module


def test_providers_are_those_that_the_stage_has(assembly: Assembly) -> None:
    variables = assembly.functions()["inject_step"]["Properties"]["Environment"]["Variables"]
    on_aws = assembly.stage != "local"
    assert variables["CROSSWIND_PROVIDERS"] == ("fis" if on_aws else "")
    assert bool(variables["CROSSWIND_FIS_ROLE_ARN"]) is on_aws
    assert bool(variables["CROSSWIND_FIS_STOP_ALARM_ARNS"]) is on_aws


def test_the_runners_environment_is_an_output(assembly: Assembly) -> None:
    value = assembly.templates["runs"]["Outputs"]["RunnerEnvironment"]["Value"]
    joined = "".join(part if isinstance(part, str) else "1" for part in value["Fn::Join"][1])
    StoreSettings.from_env(json.loads(joined))


def test_gateway_errors_are_problem_documents(assembly: Assembly) -> None:
    found = {}
    for each in assembly.resources("AWS::ApiGateway::GatewayResponse").values():
        properties = each["Properties"]
        found[properties["ResponseType"]] = properties.get("StatusCode")
        headers = properties["ResponseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        template = properties["ResponseTemplates"]["application/json"]
        shown = template.replace("$context.status", "400").replace("$context.error.messageString", '"text"')
        problem = json.loads(shown)
        assert {"type", "title", "status", "detail", "requestId"} == set(problem)
    statuses = {
        "UNAUTHORIZED": "401",
        "ACCESS_DENIED": "403",
        "REQUEST_TOO_LARGE": "413",
        "THROTTLED": "429",
        "INTEGRATION_TIMEOUT": "504",
    }
    assert statuses.items() <= found.items()
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(found)


def test_what_fed_workers_receive_they_answer_item_by_item(assembly: Assembly) -> None:
    mappings = assembly.resources("AWS::Lambda::EventSourceMapping").values()
    assert len(mappings) == 13
    assert all(
        each["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for each in mappings
    )


def test_ended_executions_and_the_minute_reach_their_workers(assembly: Assembly) -> None:
    rules = [
        each["Properties"]
        for template in assembly.templates.values()
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Events::Rule"
    ]
    minutes = [rule for rule in rules if rule.get("ScheduleExpression")]
    assert [rule["ScheduleExpression"] for rule in minutes] == ["rate(1 minute)"] * 4
    targets = " ".join(text(rule["Targets"]) for rule in minutes)
    assert "SweepRuns" in targets
    assert "ObservePods" in targets
    assert {"FireSchedules", "ReapExperiments", "StartExperiments"} <= set(
        re.findall(r"[A-Z][A-Za-z]+?(?=Function)", targets)
    )
    patterns = [rule for rule in rules if rule.get("EventPattern")]
    (ended,) = [rule for rule in patterns if rule["EventPattern"].get("source") == ["aws.states"]]
    assert set(ended["EventPattern"]["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
    assert "RecoverRun" in text(ended["Targets"])


def test_alarms_watch_dead_letters_errors_ages_machines_and_the_backstops(
    prod: Assembly, local: Assembly
) -> None:
    alarms = [each["Properties"] for each in prod.resources("AWS::CloudWatch::Alarm").values()]
    assert all(alarm["AlarmDescription"] for alarm in alarms)
    metrics = [alarm["MetricName"] for alarm in alarms]
    functions = len(prod.functions())
    assert metrics.count("Errors") == functions
    assert metrics.count("Throttles") == functions
    queues = len(prod.resources("AWS::SQS::Queue")) // 2  # each has its dead letters
    assert metrics.count("ApproximateNumberOfMessagesVisible") == queues
    assert metrics.count("ApproximateAgeOfOldestMessage") == queues + 1  # and the stop condition of FIS
    assert {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "5XXError"} <= set(metrics)
    silent = [alarm for alarm in alarms if alarm["ComparisonOperator"] == "LessThanThreshold"]
    assert len(silent) == 4, "the sweep of runs, the backstop of schedules, the observer of pods, the reaper"
    assert all(alarm["TreatMissingData"] == "breaching" for alarm in silent)
    assert not local.resources("AWS::CloudWatch::Alarm")


def test_every_alarm_tells_the_topic_when_it_goes_off_and_when_it_is_over(assembly: Assembly) -> None:
    alarms = assembly.resources("AWS::CloudWatch::Alarm")
    if assembly.stage == "dev":  # it has no alarms but the one that stops FIS
        ((name, stops),) = alarms.items()
        assert name.startswith("FaultInjectionUnwatched")
        assert "AlarmActions" not in stops["Properties"]
        return
    for name, alarm in alarms.items():
        for actions in ("AlarmActions", "OKActions"):
            (action,) = alarm["Properties"][actions]
            assert "AlarmsTopic" in text(action), name
    assert ("AlarmTopicArn" in assembly.templates["platform"].get("Outputs", {})) is bool(alarms)


def test_logs_end(assembly: Assembly) -> None:
    groups = assembly.resources("AWS::Logs::LogGroup")
    assert len(groups) >= len(assembly.functions()) + 1
    assert all(each["Properties"]["RetentionInDays"] <= 90 for each in groups.values())
    assert all(len(listed(each["Properties"]["RetentionInDays"])) == 1 for each in groups.values())
