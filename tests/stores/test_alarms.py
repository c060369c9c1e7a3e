"""Alarms in the words of EventBridge Scheduler: each call is checked against the service's own model by botocore."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from crosswind.adapters.aws.alarms import EventBridgeAlarms, alarm_name
from crosswind.kernel.errors import ThrottledError
from crosswind.runs.schedules.model import Timing
from tests.fakes import START
from tests.fakes.schedules import make_schedule

GROUP = "crosswind-group"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:fire"
ROLE = "arn:aws:iam::123456789012:role/alarms"


@pytest.fixture
def scheduler() -> Iterator[tuple[EventBridgeAlarms, Stubber]]:
    client = boto3.client(
        "scheduler", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield EventBridgeAlarms(client, GROUP, ROLE, FUNCTION), stubber
        stubber.assert_no_pending_responses()


def expected(**changes: Any) -> dict[str, Any]:
    return {
        "Name": alarm_name("demo", "hourly"),
        "GroupName": GROUP,
        "Description": ANY,
        "ScheduleExpression": "cron(0 * * * ? *)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": FUNCTION,
            "RoleArn": ROLE,
            "Input": '{"team":"demo","name":"hourly"}',
            "RetryPolicy": {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 5},
        },
    } | changes


def test_an_alarm_that_is_there_is_changed(scheduler: tuple[EventBridgeAlarms, Stubber]) -> None:
    alarms, stubber = scheduler
    stubber.add_response("update_schedule", {"ScheduleArn": "arn:aws:scheduler:x"}, expected())
    alarms.set(make_schedule(), now=START)


def test_an_alarm_that_is_not_there_is_made_with_zone_bounds_and_jitter(
    scheduler: tuple[EventBridgeAlarms, Stubber],
) -> None:
    alarms, stubber = scheduler
    wanted = Timing(
        cron="30 2 * * 1-5",
        at=None,
        timezone="Europe/Berlin",
        start=START + timedelta(days=1),
        expiry=START + timedelta(days=9),
        jitter=timedelta(minutes=15),
    )
    call = expected(
        ScheduleExpression="cron(30 2 ? * 2-6 *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        StartDate=wanted.start,
        EndDate=wanted.expiry,
    )
    stubber.add_client_error("update_schedule", "ResourceNotFoundException", http_status_code=404)
    stubber.add_response("create_schedule", {"ScheduleArn": "arn:aws:scheduler:x"}, call)
    alarms.set(make_schedule(timing=wanted), now=START)


def test_a_start_that_is_over_is_not_told(scheduler: tuple[EventBridgeAlarms, Stubber]) -> None:
    alarms, stubber = scheduler
    wanted = Timing(cron="0 * * * *", at=None, timezone="UTC", start=START)
    stubber.add_response("update_schedule", {"ScheduleArn": "arn:aws:scheduler:x"}, expected())
    alarms.set(make_schedule(timing=wanted), now=START)


def test_one_moment_is_told_in_utc(scheduler: tuple[EventBridgeAlarms, Stubber]) -> None:
    alarms, stubber = scheduler
    wanted = Timing(cron=None, at=START, timezone="Europe/Berlin")
    call = expected(ScheduleExpression="at(2026-01-31T08:00:00)")
    stubber.add_response("update_schedule", {"ScheduleArn": "arn:aws:scheduler:x"}, call)
    alarms.set(make_schedule(timing=wanted), now=START)


def test_of_two_who_make_an_alarm_at_once_the_second_changes_it(
    scheduler: tuple[EventBridgeAlarms, Stubber],
) -> None:
    alarms, stubber = scheduler
    stubber.add_client_error("update_schedule", "ResourceNotFoundException", http_status_code=404)
    stubber.add_client_error("create_schedule", "ConflictException", http_status_code=409)
    stubber.add_response("update_schedule", {"ScheduleArn": "arn:aws:scheduler:x"}, expected())
    alarms.set(make_schedule(), now=START)


def test_an_alarm_that_is_gone_can_be_cleared_again(scheduler: tuple[EventBridgeAlarms, Stubber]) -> None:
    alarms, stubber = scheduler
    call = {"Name": alarm_name("demo", "hourly"), "GroupName": GROUP}
    stubber.add_response("delete_schedule", {}, call)
    stubber.add_client_error("delete_schedule", "ResourceNotFoundException", http_status_code=404)
    alarms.clear("demo", "hourly")
    alarms.clear("demo", "hourly")


def test_throttling_may_be_tried_again(scheduler: tuple[EventBridgeAlarms, Stubber]) -> None:
    alarms, stubber = scheduler
    stubber.add_client_error("update_schedule", "ThrottlingException", http_status_code=429)
    with pytest.raises(ThrottledError):
        alarms.set(make_schedule(), now=START)


def test_names_of_alarms_fit_and_differ_by_team_and_name() -> None:
    long = "n" * 63
    names = {alarm_name(team, name) for team in ("a", "b") for name in (long, long[:-1] + "m", "x")}
    assert len(names) == 6
    assert all(len(name) <= 64 for name in names)
