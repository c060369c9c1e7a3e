"""Answers to the task tokens of Step Functions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.work import WorkAnswer

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_OVER = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})


@dataclass(frozen=True)
class SfnTaskTokens:
    """TaskTokens by SendTaskSuccess: an answer is always a value, never a failure."""

    client: "SFNClient"

    def answer(self, token: str, answer: WorkAnswer) -> bool:
        with aws_errors("stepfunctions"):
            try:
                self.client.send_task_success(taskToken=token, output=answer.to_wire())
            except ClientError as error:
                if error_code(error) not in _OVER:
                    raise
                return False
        return True
