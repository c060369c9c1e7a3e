"""The schedules behind a run, as EventBridge Scheduler is asked for them."""

import json
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from crosswind.adapters.aws.dead_man import SchedulerDeadMan
from crosswind.contracts.chaos.tasks import ChaosWatchMessage, ReapTask
from tests.fakes import START

RUN_ID = "exp-" + "0" * 26


class Scheduler:
    """Schedules by name."""

    def __init__(self) -> None:
        self.schedules: dict[str, dict[str, Any]] = {}

    def create_schedule(self, **call: Any) -> Any:
        if call["Name"] in self.schedules:
            raise _error("ConflictException")
        self.schedules[call["Name"]] = call

    def update_schedule(self, **call: Any) -> Any:
        if call["Name"] not in self.schedules:
            raise _error("ResourceNotFoundException")
        self.schedules[call["Name"]] = call

    def delete_schedule(self, **call: Any) -> Any:
        if self.schedules.pop(call["Name"], None) is None:
            raise _error("ResourceNotFoundException")


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "schedule")


def _dead_man(scheduler: Scheduler) -> SchedulerDeadMan:
    return SchedulerDeadMan(
        client=scheduler,
        group="chaos",
        role_arn="arn:aws:iam::1:role/scheduler",
        reap_function_arn="arn:aws:lambda:::function:reap",
        watch_queue_arn="arn:aws:sqs:::watch",
    )


def test_the_dead_man_rings_once_at_the_deadline_and_names_its_run() -> None:
    scheduler = Scheduler()
    _dead_man(scheduler).arm(RUN_ID, at=START)
    (schedule,) = scheduler.schedules.values()
    assert schedule["ScheduleExpression"] == "at(2026-01-31T08:00:00)"
    assert schedule["ActionAfterCompletion"] == "DELETE"
    assert len(schedule["Name"]) <= 64
    assert schedule["Target"]["Arn"].endswith(":reap")
    assert ReapTask.model_validate(json.loads(schedule["Target"]["Input"])).run_id == RUN_ID


def test_arming_again_moves_it() -> None:
    scheduler = Scheduler()
    dead_man = _dead_man(scheduler)
    dead_man.arm(RUN_ID, at=START)
    dead_man.arm(RUN_ID, at=START + timedelta(minutes=5))
    (schedule,) = scheduler.schedules.values()
    assert schedule["ScheduleExpression"] == "at(2026-01-31T08:05:00)"


def test_a_wake_up_goes_to_the_watch_queue() -> None:
    scheduler = Scheduler()
    _dead_man(scheduler).wake(RUN_ID, at=START)
    (schedule,) = scheduler.schedules.values()
    assert schedule["Target"]["Arn"].endswith(":watch")
    assert ChaosWatchMessage.model_validate(json.loads(schedule["Target"]["Input"])).run_id == RUN_ID


def test_disarming_takes_both_away_and_may_be_repeated() -> None:
    scheduler = Scheduler()
    dead_man = _dead_man(scheduler)
    dead_man.arm(RUN_ID, at=START)
    dead_man.wake(RUN_ID, at=START)
    dead_man.disarm(RUN_ID)
    dead_man.disarm(RUN_ID)
    assert scheduler.schedules == {}
