"""Least privilege, read from the templates: who may do what, and that no wildcard stands without its reason."""

from typing import Any

import pytest

from tests.infra.conftest import ROOT
from tests.infra.templates import Assembly, listed, text
from tests.statemachines import definition as asl

pytestmark = pytest.mark.infra

_NO_RESOURCE = {
    "states:SendTaskSuccess",
    "cloudwatch:GetMetricData",
    "cloudwatch:DescribeAlarms",  # of composite alarms it tells only with this scope
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    "fis:ListExperiments",
    "fis:ListExperimentTemplates",
    "ec2:DescribeInstances",
    "ec2:DescribeVpcs",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeSubnets",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeVpcEndpoints",
    "iam:ListRoles",
    "tag:GetResources",
}
"""Actions for which IAM knows no resource."""

_CHAOS_TASKS = {
    "preflight_check",
    "inject_step",
    "close_step",
    "recover",
    "analyze",
    "record_engine_failure",
}
_CARRIES_EXPERIMENTS = _CHAOS_TASKS | {
    "reap_experiments",
    "watch_experiments",
    "abort_experiment",
    "halt_chaos",
    "accompany_runs",
}
_STARTS_EXPERIMENTS = {
    "start_experiment",
    "start_experiments",
    "start_on_event",
    "accompany_runs",
    "watch_experiments",
}
_ASKS_PROVIDERS = {
    "preflight_check",
    "inject_step",
    "close_step",
    "recover",
    "reap_experiments",
    "watch_experiments",
    "approve_experiment",
    "preview_experiment",
}
_ASKS_GATE = {
    "preflight_check",
    "inject_step",
    "watch_experiments",
    "preview_experiment",
}
_ANSWERS = _CARRIES_EXPERIMENTS | {
    "launch_work",
    "observe_pods",
    "ingest_shard",
    "record_failure",
    "cancel_run",
    "admit_work",
    "watch_run",
    "sweep_runs",
    "recover_run",
    "fail_dead_letters",
    "fire_schedules",
}
_STARTS = _STARTS_EXPERIMENTS | {
    "submit_run",
    "create_plan",
    "rerun_run",
    "watch_run",
    "sweep_runs",
    "recover_run",
    "fire_schedules",
    "fire_triggers",
}
_PUBLISHES = (
    _CARRIES_EXPERIMENTS
    | _STARTS_EXPERIMENTS
    | {"publish_run", "close_stage", "watch_run", "sweep_runs", "recover_run", "record_deployment"}
)
_CONSUMES = {
    "launch_work",
    "admit_work",
    "watch_run",
    "fail_dead_letters",
    "record_history",
    "build_archive",
    "fire_triggers",
    "watch_experiments",
    "start_on_event",
    "accompany_runs",
    "fan_out",
}
_READS_ONLY = {
    "list_runs",
    "get_run",
    "get_plan",
    "why_run",
    "list_results",
    "list_artifacts",
    "read_logs",
    "list_suites",
    "get_suite",
    "validate_suite",
    "list_frameworks",
    "get_framework",
    "get_queue",
    "get_team_queue",
    "list_flaky",
    "get_test_history",
    "list_quarantines",
    "list_schedules",
    "get_schedule",
    "list_triggers",
    "get_trigger",
    "list_experiments",
    "get_experiment",
    "list_experiment_runs",
    "get_experiment_run",
    "get_experiment_results",
    "get_experiment_timeline",
    "preview_experiment",
    "get_halt",
    "list_chaos_policies",
    "get_chaos_policy",
    "validate_experiment",
}
_ARMS = {"preflight_check", "recover", "analyze", "watch_experiments", "start_experiments"}
_SETS_ALARMS = {"put_schedule", "resume_schedule"} | _ARMS
_CLEARS_ALARMS = {
    "delete_schedule",
    "pause_schedule",
    "reap_experiments",
    "abort_experiment",
    "accompany_runs",
    "halt_chaos",
} | _ARMS
_WRITES_TESTS = {"record_history", "put_quarantine", "delete_quarantine"}
_NEEDS_NOTHING = {
    "authorize",
    "whoami",
    "describe_api",
    "describe_suite",
    "preview_schedule",
    "authorize_socket",
    "describe_experiment",
    "list_experiment_templates",
}
_MACHINES = (
    ("TestRun", "statemachines/runs/test-run.asl.json"),
    ("Experiment", "statemachines/chaos/experiment.asl.json"),
)
_PREFIXES = ("runs", "sources", "chaos", "prices")
_WRITES = {
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "s3:PutObject",
    "sqs:SendMessage",
}


def test_no_action_is_a_wildcard(assembly: Assembly) -> None:
    for name, statement in assembly.all_statements():
        assert not [each for each in listed(statement["Action"]) if "*" in each], name


def test_a_bare_star_stands_only_for_actions_without_resources(assembly: Assembly) -> None:
    for name, statement in assembly.all_statements():
        if "*" in listed(statement["Resource"]):
            assert set(listed(statement["Action"])) <= _NO_RESOURCE, name


@pytest.mark.parametrize(
    ("action", "modules"),
    [
        ("states:SendTaskSuccess", _ANSWERS),
        ("states:StartExecution", _STARTS),
        ("events:PutEvents", _PUBLISHES),
        ("sqs:ReceiveMessage", _CONSUMES),
        ("scheduler:CreateSchedule", _SETS_ALARMS),
        ("iam:PassRole", _SETS_ALARMS | _ASKS_PROVIDERS),
        ("fis:StartExperiment", _ASKS_PROVIDERS),
        ("fis:UpdateSafetyLeverState", {"halt_chaos", "release_chaos"}),
        ("cloudwatch:DescribeAlarms", _ASKS_GATE),
        ("sns:Publish", _CARRIES_EXPERIMENTS),
        ("scheduler:DeleteSchedule", _CLEARS_ALARMS),
        ("execute-api:ManageConnections", {"answer_socket", "fan_out"}),
    ],
)
def test_only_those_who_must_may(prod: Assembly, action: str, modules: set[str]) -> None:
    assert {module for module in prod.functions() if action in prod.actions_of(module)} == modules


def test_readers_cannot_write_and_documents_need_nothing(prod: Assembly) -> None:
    for module in _READS_ONLY:
        assert not prod.actions_of(module) & _WRITES, module
    for module in _NEEDS_NOTHING:
        services = {action.split(":")[0] for action in prod.actions_of(module)}
        assert services <= {"logs", "xray"}, module


def test_only_the_recorder_and_quarantine_change_what_is_known_of_tests(prod: Assembly) -> None:
    """A runner that could write there could make a test gate no more."""
    writers = {
        module
        for module, function in prod.functions().items()
        if any(map(_writes_tests, prod.statements_of(function["Properties"]["Role"]["Fn::GetAtt"][0])))
    }
    assert writers == _WRITES_TESTS
    (runner,) = prod.resources("AWS::IAM::ManagedPolicy").values()
    assert not any(map(_writes_tests, runner["Properties"]["PolicyDocument"]["Statement"]))


def test_the_sockets_lambdas_reach_no_run_but_to_ask_whose_it_is(prod: Assembly) -> None:
    for module in ("open_socket", "fan_out", "answer_socket"):
        role = prod.functions()[module]["Properties"]["Role"]["Fn::GetAtt"][0]
        for statement in prod.statements_of(role):
            resources = text(statement["Resource"])
            if "LiveTable" in resources or "LiveNews" in resources:
                continue
            actions = set(listed(statement["Action"]))
            assert not actions & _WRITES, module
            assert "RunsTable" not in resources or module == "answer_socket"
    (runner,) = prod.resources("AWS::IAM::ManagedPolicy").values()
    allowed = {
        action
        for statement in runner["Properties"]["PolicyDocument"]["Statement"]
        if "LiveTable" in text(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert allowed == {"dynamodb:GetItem"}, "a runner learns whether it is watched, not by whom"


def _writes_tests(statement: dict[str, Any]) -> bool:
    return "TestsTable" in text(statement["Resource"]) and bool(_WRITES & set(listed(statement["Action"])))


def test_alarms_are_set_in_the_areas_own_group_and_reach_what_they_wake(assembly: Assembly) -> None:
    """Who sets an alarm hands Scheduler a role: it must be the area's own, and it must not reach further."""
    roles = {
        name: role
        for name, role in assembly.resources("AWS::IAM::Role").items()
        if "scheduler.amazonaws.com" in text(role["Properties"]["AssumeRolePolicyDocument"])
    }
    assert len(roles) == 2
    for role in roles.values():
        assert "aws:SourceAccount" in text(role["Properties"]["AssumeRolePolicyDocument"])
    reached = {
        (action, text(statement["Resource"]).split('"')[3])
        for role in roles
        for statement in assembly.statements_of(role)
        for action in listed(statement["Action"])
        if not action.startswith("kms:")
    }
    woken = {("lambda:InvokeFunction", "FireSchedules"), ("lambda:InvokeFunction", "ReapExperiments")}
    assert {(action, _readable(name)) for action, name in reached} == woken | {
        ("sqs:SendMessage", "ExperimentWatchQueue")
    }
    for name, statement in assembly.all_statements():
        actions = set(listed(statement["Action"]))
        if any(action.startswith("scheduler:") for action in actions):
            assert "SchedulesGroup" in text(statement["Resource"]), name


def test_a_role_is_passed_on_by_its_name_and_to_one_service(assembly: Assembly) -> None:
    for name, statement in assembly.all_statements():
        if "iam:PassRole" in listed(statement["Action"]):
            service = statement["Condition"]["StringEquals"]["iam:PassedToService"]
            wanted = {"scheduler.amazonaws.com": "SchedulesRole", "fis.amazonaws.com": "FaultInjectionRole"}
            assert wanted[service] in text(statement["Resource"]), name


def _readable(name: str) -> str:
    """A logical id, or the export of one, without its stack and its digits."""
    known = ("FireSchedules", "ReapExperiments", "ExperimentWatchQueue")
    return next((each for each in known if each in name), name)


def test_objects_are_reached_under_their_prefix_only(assembly: Assembly) -> None:
    for name, statement in assembly.all_statements():
        actions = set(listed(statement["Action"]))
        if actions & {"s3:GetObject", "s3:PutObject"}:
            for resource in listed(statement["Resource"]):
                assert any(f"/{prefix}/*" in text(resource) for prefix in _PREFIXES), name
        if "s3:ListBucket" in actions:
            assert set(statement["Condition"]) == {"StringLikeIfExists"}, name
            (prefix,) = listed(statement["Condition"]["StringLikeIfExists"]["s3:prefix"])
            assert prefix in {f"{each}/*" for each in _PREFIXES}, name


def test_who_reads_an_object_is_told_that_it_is_missing(assembly: Assembly) -> None:
    """Without s3:ListBucket, or with a condition that HeadObject cannot meet, S3 answers 403 in place of 404."""
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name, policy in assembly.resources(kind).items():
            statements = policy["Properties"]["PolicyDocument"]["Statement"]
            for prefix in (f"/{each}/*" for each in _PREFIXES):
                reads = any(_allows(each, "s3:GetObject", prefix) for each in statements)
                lists = any(
                    "s3:ListBucket" in listed(each["Action"])
                    and prefix[1:] in text(each["Condition"]["StringLikeIfExists"])
                    for each in statements
                )
                assert lists or not reads, f"{name} {prefix}"


def _allows(statement: dict[str, Any], action: str, ending: str) -> bool:
    resources = [text(each) for each in listed(statement["Resource"])]
    return action in listed(statement["Action"]) and any(f'{ending}"' in each for each in resources)


def test_a_runner_may_do_its_work_and_no_more(assembly: Assembly) -> None:
    (policy,) = assembly.resources("AWS::IAM::ManagedPolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in listed(statement["Action"])}
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage", "states:SendTaskSuccess"} <= actions
    assert {"s3:GetObject", "s3:PutObject", "secretsmanager:GetSecretValue", "dynamodb:UpdateItem"} <= actions
    assert not actions & {
        "states:StartExecution",
        "lambda:InvokeFunction",
        "events:PutEvents",
        "s3:DeleteObject",
    }
    written = [each for each in statements if "s3:PutObject" in listed(each["Action"])]
    of_experiments = {
        resource.split("/", 1)[1]
        for each in written
        for resource in map(_tail, listed(each["Resource"]))
        if resource.startswith("/chaos/")
    }
    assert of_experiments == {"chaos/*/samples/*", "chaos/*/monitor/*"}, (
        "what steers a monitor is not a runner's"
    )
    (secrets,) = [each for each in statements if each["Action"] == "secretsmanager:GetSecretValue"]
    assert f":secret:crosswind/{assembly.stage}/*" in text(secrets["Resource"])
    receive = next(each for each in statements if "sqs:ReceiveMessage" in each["Action"])
    assert "ExecutorQueue" in text(receive["Resource"])


def test_the_runners_role_has_the_policy_only_and_is_for_this_account(assembly: Assembly) -> None:
    roles = assembly.resources("AWS::IAM::Role")
    (name,) = [name for name in roles if name.startswith("RunnerRole")]
    (policy,) = assembly.resources("AWS::IAM::ManagedPolicy")
    assert roles[name]["Properties"]["ManagedPolicyArns"] == [{"Ref": policy}]
    assert not assembly.statements_of(name)
    (trust,) = roles[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRole"
    assert '{"Ref": "AWS::AccountId"}, ":root"' in text(trust["Principal"])


def _tail(resource: dict[str, Any]) -> str:
    return str(resource["Fn::Join"][1][-1])


@pytest.mark.parametrize(("logical", "file"), _MACHINES)
def test_a_machines_role_allows_exactly_what_its_definition_asks_for(
    assembly: Assembly, logical: str, file: str
) -> None:
    definition = asl.load(ROOT / file)
    needed = asl.needed_actions(definition)
    machine = _machine(assembly, logical)
    role = machine["Properties"]["RoleArn"]["Fn::GetAtt"][0]
    statements = assembly.statements_of(role)
    allowed = {action for each in statements for action in listed(each["Action"])}
    assert allowed - needed <= _NO_RESOURCE
    assert needed <= allowed
    invoke = next(each for each in statements if each["Action"] == "lambda:InvokeFunction")
    functions = {name for name in asl.placeholders(definition) if name.endswith("FunctionArn")}
    assert len(listed(invoke["Resource"])) == len(functions)


@pytest.mark.parametrize(("logical", "file"), _MACHINES)
def test_placeholders_equal_the_substitutions_given(assembly: Assembly, logical: str, file: str) -> None:
    given = _machine(assembly, logical)["Properties"]["DefinitionSubstitutions"]
    assert set(given) == asl.placeholders(asl.load(ROOT / file))


def test_every_definition_is_a_machine(assembly: Assembly) -> None:
    assert {ROOT / file for _, file in _MACHINES} == set(asl.FILES)
    assert len(assembly.resources("AWS::StepFunctions::StateMachine")) == len(_MACHINES)


def _machine(assembly: Assembly, logical: str) -> dict[str, Any]:
    machines = assembly.resources("AWS::StepFunctions::StateMachine")
    (found,) = [each for name, each in machines.items() if name.startswith(logical)]
    return found
