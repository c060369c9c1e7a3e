"""Executions of the state machine chaos/experiment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.chaos.tasks import ExperimentInput

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True)
class SfnEngine:
    """Engine on Step Functions. A name is used once: starting it again changes nothing."""

    client: "SFNClient"
    state_machine_arn: str

    def start(self, name: str, payload: ExperimentInput) -> None:
        with aws_errors("stepfunctions"):
            try:
                self.client.start_execution(
                    stateMachineArn=self.state_machine_arn, name=name, input=payload.to_wire()
                )
            except ClientError as error:
                if error_code(error) != "ExecutionAlreadyExists":
                    raise
