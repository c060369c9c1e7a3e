"""One-shot schedules on EventBridge Scheduler: the dead man behind a run, and what asks a blocked run's gate again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from crosswind.adapters.aws.alarms import SchedulerClient
from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.chaos.tasks import ChaosWatchMessage, ReapTask

_RETRIED_SECONDS = 900
_RETRIES = 20


@dataclass(frozen=True)
class SchedulerDeadMan:
    """DeadMan on EventBridge Scheduler, exact to a minute. A schedule deletes itself when it was carried out.

    Args:
        reap_function_arn: What undoes a run whose deadline is over.
        watch_queue_arn: Where a blocked run's wake-up goes.
    """

    client: SchedulerClient
    group: str
    role_arn: str
    reap_function_arn: str
    watch_queue_arn: str

    def arm(self, run_id: str, *, at: datetime) -> None:
        task = ReapTask(run_id=run_id).to_wire()
        self._set(_dead_man(run_id), at, self.reap_function_arn, task, "undoes what is left of")

    def disarm(self, run_id: str) -> None:
        for name in (_dead_man(run_id), _wake(run_id)):
            call = {"Name": name, "GroupName": self.group}
            with aws_errors("scheduler"):
                self._try(self.client.delete_schedule, call, unless="ResourceNotFoundException")

    def wake(self, run_id: str, *, at: datetime) -> None:
        message = ChaosWatchMessage(run_id=run_id).to_wire()
        self._set(_wake(run_id), at, self.watch_queue_arn, message, "asks the gate again for")

    def _set(self, name: str, at: datetime, target: str, payload: str, purpose: str) -> None:
        call = {
            "Name": name,
            "GroupName": self.group,
            "Description": f"Crosswind: {purpose} {name.partition('-')[2]}",
            "ScheduleExpression": f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": target,
                "RoleArn": self.role_arn,
                "Input": payload,
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": _RETRIED_SECONDS,
                    "MaximumRetryAttempts": _RETRIES,
                },
            },
        }
        with aws_errors("scheduler"):
            if self._try(self.client.create_schedule, call, unless="ConflictException"):
                return
            if not self._try(self.client.update_schedule, call, unless="ResourceNotFoundException"):
                self.client.create_schedule(**call)  # it was carried out in between

    def _try(self, send: Any, call: dict[str, Any], *, unless: str) -> bool:
        try:
            send(**call)
        except ClientError as error:
            if error_code(error) != unless:
                raise
            return False
        return True


def _dead_man(run_id: str) -> str:
    return f"deadman-{run_id}"


def _wake(run_id: str) -> str:
    return f"wake-{run_id}"
