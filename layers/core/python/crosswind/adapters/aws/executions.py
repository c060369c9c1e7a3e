"""Executions of the state machine runs/test-run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.runs.ports import ExecutionStatus

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_STATUS = {
    "RUNNING": ExecutionStatus.RUNNING,
    "PENDING_REDRIVE": ExecutionStatus.RUNNING,
    "SUCCEEDED": ExecutionStatus.SUCCEEDED,
}


@dataclass(frozen=True)
class SfnExecutions:
    """Executions of one state machine. A name is used once: starting it again changes nothing."""

    client: "SFNClient"
    state_machine_arn: str

    def start(self, name: str, payload: RunExecutionInput) -> None:
        with aws_errors("stepfunctions"):
            try:
                self.client.start_execution(
                    stateMachineArn=self.state_machine_arn, name=name, input=payload.to_wire()
                )
            except ClientError as error:
                if error_code(error) != "ExecutionAlreadyExists":
                    raise

    def status(self, name: str) -> ExecutionStatus:
        with aws_errors("stepfunctions"):
            try:
                answer = self.client.describe_execution(executionArn=self._arn(name))
            except ClientError as error:
                if error_code(error) != "ExecutionDoesNotExist":
                    raise
                return ExecutionStatus.UNKNOWN
        return _STATUS.get(answer["status"], ExecutionStatus.ENDED)

    def stop(self, name: str, *, cause: str) -> None:
        with aws_errors("stepfunctions"):
            try:
                self.client.stop_execution(executionArn=self._arn(name), cause=cause)
            except ClientError as error:
                if error_code(error) != "ExecutionDoesNotExist":
                    raise

    def _arn(self, name: str) -> str:
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
