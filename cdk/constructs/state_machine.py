"""The only place that makes a state machine: its file, what is put into it, its logs and its role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import ArnFormat, Duration, Stack, aws_iam, aws_kms, aws_lambda, aws_s3, aws_sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.access import bucket_key, queue_key
from cdk.constructs.alarm import add_alarm
from cdk.constructs.log_group import log_group
from cdk.stages import Stage


@dataclass(frozen=True, kw_only=True)
class MapData:
    """Where Distributed Maps read their items and write their results."""

    bucket: aws_s3.IBucket
    items: str
    """Key pattern of what is read."""
    results: str
    """Key pattern of what is written."""


@dataclass(frozen=True, kw_only=True)
class StateMachineProps:
    """A definition and what its placeholders stand for: `${PlanRunFunctionArn}` is the function named `PlanRun`."""

    stage: Stage
    key: aws_kms.IKey
    """Encrypts the machine's log."""

    definition: Path
    functions: Mapping[str, aws_lambda.IFunction]
    queues: Mapping[str, aws_sqs.Queue]
    map_data: MapData | None = None
    ended_badly: str
    """What it means when an execution does not end by itself, for whoever is woken."""


class StateMachine(Construct):
    """A Standard workflow whose role may do exactly what its definition asks for."""

    machine: sfn.StateMachine
    role: aws_iam.Role

    def __init__(self, scope: Construct, construct_id: str, *, props: StateMachineProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_role()
        self._define_machine()
        self._allow_calls()
        if props.map_data is not None:
            self._allow_map_runs(props.map_data)
        if props.stage.alarms:
            self._add_alarms()

    @property
    def substitutions(self) -> dict[str, str]:
        """What the definition's placeholders stand for."""
        functions = {f"{name}FunctionArn": fn.function_arn for name, fn in self._props.functions.items()}
        queues = {f"{name}QueueUrl": queue.queue_url for name, queue in self._props.queues.items()}
        return functions | queues

    def _define_role(self) -> None:
        self.role = aws_iam.Role(
            self,
            "Role",
            assumed_by=aws_iam.ServicePrincipal("states.amazonaws.com"),
            description=f"State machine {self._props.definition.name}",
        )

    def _define_machine(self) -> None:
        stage = self._props.stage
        logs = log_group(self, "Logs", stage=stage, key=self._props.key)
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(
                self._props.definition.read_text(encoding="utf-8")
            ),
            definition_substitutions=self.substitutions,
            role=self.role,
            tracing_enabled=stage.tracing,
            logs=sfn.LogOptions(destination=logs, level=sfn.LogLevel.ALL, include_execution_data=False),
        )

    def _allow_calls(self) -> None:
        self._allow(["lambda:InvokeFunction"], [fn.function_arn for fn in self._props.functions.values()])
        for queue in self._props.queues.values():
            self._allow(["sqs:SendMessage"], [queue.queue_arn])
            self._allow(["kms:Decrypt", "kms:GenerateDataKey"], [queue_key(queue).key_arn])

    def _allow_map_runs(self, data: MapData) -> None:
        """A Distributed Map starts child executions of its own machine, reads its items and writes its results.

        In a policy of its own: the machine depends on its role, and these statements name the machine.
        """
        machine = self.machine
        self._allow(["s3:GetObject"], [data.bucket.arn_for_objects(data.items)])
        self._allow(
            ["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
            [data.bucket.arn_for_objects(data.results)],
        )
        self._allow(["kms:Decrypt", "kms:GenerateDataKey"], [bucket_key(data.bucket).key_arn])
        children = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine.state_machine_name}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        aws_iam.Policy(
            self,
            "MapRuns",
            roles=[self.role],
            statements=[
                aws_iam.PolicyStatement(
                    actions=["states:StartExecution"], resources=[machine.state_machine_arn]
                ),
                aws_iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:StopExecution"], resources=[children]
                ),
            ],
        )

    def _allow(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        self.role.add_to_policy(aws_iam.PolicyStatement(actions=list(actions), resources=list(resources)))

    def _add_alarms(self) -> None:
        for name, metric in (
            ("Failed", self.machine.metric_failed(period=Duration.minutes(5))),
            ("TimedOut", self.machine.metric_timed_out(period=Duration.minutes(5))),
            ("Aborted", self.machine.metric_aborted(period=Duration.minutes(5))),
        ):
            add_alarm(
                self,
                name,
                metric=metric,
                above=0,
                meaning=self._props.ended_badly,
            )
