"""Alarms of schedules on EventBridge Scheduler: one schedule there for each of ours, in the stage's own group.

Scheduler reads the cron expression, the time zone, the first and last moment and the jitter itself, so that an alarm
rings although nothing of ours runs. What is to be done when it rings is decided by crosswind.runs.schedules.firing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.schedules import FireTask
from crosswind.kernel.json import digest
from crosswind.runs.schedules import timing
from crosswind.runs.schedules.model import Schedule

_RETRIED_SECONDS = 300  # longer, and the rule of every minute has long been there
_RETRIES = 5
_READABLE_CHARACTERS = 40
_DIGEST_CHARACTERS = 20


class SchedulerClient(Protocol):
    """The calls of EventBridge Scheduler that are made here."""

    def create_schedule(self, **call: Any) -> Any: ...
    def update_schedule(self, **call: Any) -> Any: ...
    def delete_schedule(self, **call: Any) -> Any: ...


@dataclass(frozen=True)
class EventBridgeAlarms:
    """Alarms on EventBridge Scheduler."""

    client: SchedulerClient
    group: str
    role_arn: str
    function_arn: str

    def set(self, schedule: Schedule, *, now: datetime) -> None:
        call = self._call(schedule, now)
        with aws_errors("scheduler"):
            if self._try(self.client.update_schedule, call, unless="ResourceNotFoundException"):
                return
            if not self._try(self.client.create_schedule, call, unless="ConflictException"):
                self.client.update_schedule(**call)  # another caller created it in between

    def clear(self, team: str, name: str) -> None:
        call = {"Name": alarm_name(team, name), "GroupName": self.group}
        with aws_errors("scheduler"):
            self._try(self.client.delete_schedule, call, unless="ResourceNotFoundException")

    def _try(self, send: Any, call: dict[str, Any], *, unless: str) -> bool:
        try:
            send(**call)
        except ClientError as error:
            if error_code(error) != unless:
                raise
            return False
        return True

    def _call(self, schedule: Schedule, now: datetime) -> dict[str, Any]:
        wanted = schedule.timing
        once = wanted.at is not None
        minutes = int(wanted.jitter.total_seconds() // 60)
        bounds = {
            # Scheduler refuses a start that is over, and needs none then.
            "StartDate": wanted.start if wanted.start is not None and wanted.start > now else None,
            "EndDate": wanted.expiry,
        }
        return {
            "Name": alarm_name(schedule.team, schedule.name),
            "GroupName": self.group,
            "Description": f"Crosswind schedule {schedule.name} of team {schedule.team}",
            "ScheduleExpression": timing.expression(wanted),
            "ScheduleExpressionTimezone": "UTC" if once else wanted.timezone,
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}
            if minutes
            else {"Mode": "OFF"},
            "State": "ENABLED",
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": self.function_arn,
                "RoleArn": self.role_arn,
                "Input": FireTask(team=schedule.team, name=schedule.name).to_wire(),
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": _RETRIED_SECONDS,
                    "MaximumRetryAttempts": _RETRIES,
                },
            },
            **{field: moment for field, moment in bounds.items() if moment is not None},
        }


def alarm_name(team: str, name: str) -> str:
    """Readable, unique for team and name, and within Scheduler's 64 characters."""
    unique = digest([team, name]).removeprefix("sha256:")[:_DIGEST_CHARACTERS]
    return f"{name[:_READABLE_CHARACTERS]}-{unique}"
