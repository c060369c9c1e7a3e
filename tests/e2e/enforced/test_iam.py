"""IAM enforced: a grant that is taken away is missed at once, and runners have no more than their role.

They run on an emulator that checks every call.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from crosswind.local import emulator
from tests.e2e.conftest import Cloud
from tests.e2e.enforced.test_access import problem
from tests.e2e.runs import Api, command_job, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("enforced")]

PASSES = 'echo \'<testsuite name="s"><testcase name="n"/></testsuite>\' > report.xml'


def role_of(cloud: Cloud, function: str) -> str:
    """The name of a function's role."""
    pages = cloud.client("lambda").get_paginator("list_functions").paginate()
    roles = [
        each["Role"]
        for page in pages
        for each in page["Functions"]
        if f"-{function}Function" in each["FunctionName"]
    ]
    (role,) = roles
    return str(role).rsplit("/", 1)[-1]


@contextmanager
def without_grant(cloud: Cloud, function: str, action: str) -> Iterator[None]:
    """Take one action out of a function's own policy, and give it back."""
    iam, role = cloud.client("iam"), role_of(cloud, function)
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    granted = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    lessened = json.loads(json.dumps(granted))
    for statement in lessened["Statement"]:
        actions = statement["Action"]
        statement["Action"] = [
            each for each in ([actions] if isinstance(actions, str) else actions) if each != action
        ]
    assert lessened != granted, f"{function} was never allowed {action}"
    lessened["Statement"] = [each for each in lessened["Statement"] if each["Action"]]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(lessened))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(granted))


def wait_for(reached: Callable[[], bool], *, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not reached in {seconds} s"
        time.sleep(0.2)


def test_a_function_that_loses_a_grant_answers_with_a_problem_and_the_run_is_unaffected(
    api: Api, cloud: Cloud
) -> None:
    run = api.submit(suite([command_job(PASSES)], name="grants"), files={"readme": "x"})
    assert api.run(run)["executionId"] == run

    def is_listed_as_finished() -> bool:
        items = api.http.get("/api/v1/tests").json()["items"]
        return any(item["executionId"] == run and item["state"] == "finished" for item in items)

    with without_grant(cloud, "GetRun", "dynamodb:GetItem"):
        document = problem(api.http.get(f"/api/v1/tests/{run}"), 500)
        assert "AccessDenied" not in json.dumps(document)  # the inside stays inside
        wait_for(is_listed_as_finished)  # by another function, whose grants are its own
        problem(api.http.get(f"/api/v1/tests/{run}"), 500)
    assert api.run(run)["verdict"]["kind"] == "passed"


def test_runners_work_with_their_roles_credentials_only(api: Api, cloud: Cloud) -> None:
    iam = cloud.client("iam")
    role = cloud.state.outputs["RunnerRoleArn"].rsplit("/", 1)[-1]
    policy = cloud.state.outputs["RunnerPolicyArn"]
    logs = list(cloud.home.logs.glob("runner-*.log"))
    before = {log: log.stat().st_size for log in logs}
    iam.detach_role_policy(RoleName=role, PolicyArn=policy)
    try:
        refused = f"assumed-role/{role}/local-pool is not authorized to perform: sqs:ReceiveMessage"
        wait_for(lambda: all(refused in log.read_text(encoding="utf-8")[before[log] :] for log in logs))
    finally:
        iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    run = api.submit(suite([command_job(PASSES)], name="again"), files={"readme": "x"})
    assert api.finished(run)["verdict"]["kind"] == "passed"


def test_a_runner_reads_its_stages_secrets(api: Api, cloud: Cloud) -> None:
    cloud.client("secretsmanager").create_secret(Name="crosswind/local/demo/till", SecretString="1234-5678")
    job = command_job(f'test "$TILL" = 1234-5678 && {PASSES}', secretRefs={"TILL": "till"})
    run = api.submit(suite([job], name="secrets"), files={"readme": "x"})
    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view


def test_the_runners_role_may_not_do_what_its_policy_does_not_say(cloud: Cloud) -> None:
    outputs = cloud.state.outputs
    environment = json.loads(outputs["RunnerEnvironment"])
    opened = cloud.client("sts").assume_role(RoleArn=outputs["RunnerRoleArn"], RoleSessionName="test")
    credentials = opened["Credentials"]
    environ = emulator.client_environment(cloud.home, cloud.state)

    def client(service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            region_name=environ["AWS_REGION"],
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            verify=environ["AWS_CA_BUNDLE"],
        )

    table, bucket = environment["CROSSWIND_RUNS_TABLE"], environment["CROSSWIND_ARTIFACTS_BUCKET"]
    client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "none"}, "sk": {"S": "none"}})
    client("s3").put_object(Bucket=bucket, Key="runs/from-a-test", Body=b"")
    refused: list[Callable[[], Any]] = [
        lambda: client("stepfunctions").start_execution(stateMachineArn=outputs["StateMachineArn"]),
        lambda: client("lambda").invoke(FunctionName=outputs["SweepFunctionName"]),
        lambda: client("dynamodb").scan(TableName=table),
        lambda: client("s3").put_object(Bucket=bucket, Key="elsewhere/from-a-test", Body=b""),
        lambda: client("s3").delete_object(Bucket=bucket, Key="runs/from-a-test"),
        lambda: client("sqs").receive_message(QueueUrl=environment["CROSSWIND_ADMISSION_QUEUE_URL"]),
        lambda: client("secretsmanager").get_secret_value(SecretId="crosswind/prod/demo/till"),
        lambda: client("iam").list_roles(),
    ]
    for number, call in enumerate(refused):
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}, number
