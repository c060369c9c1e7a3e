"""Schedules, triggers and deployments as DynamoDB items, and back. Explicit: a field that is not named here is not stored."""

import json
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, Values, from_item, iso, moment, to_item
from crosswind.adapters.aws.keys import DUE_KEY, deployment_key, due_order, schedule_key, trigger_key
from crosswind.adapters.aws.work_items import expires_at
from crosswind.contracts.events import DeploymentRecorded, DomainEvent
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.schedules import EventType, FiringOutcome, MissedPolicy, Overlap
from crosswind.contracts.suites import Priority
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.runs.schedules.model import Firing, Schedule, Timing, Trigger, TriggerFiring


def schedule_item(schedule: Schedule) -> Item:
    """The stored form of a schedule. Only one with a due run is in the sparse index."""
    due = schedule.due
    return schedule_key(schedule.team, schedule.name) | to_item(
        {
            "schema": SCHEMA,
            "unfinishedKey": DUE_KEY if due else None,
            "runKey": due_order(due, schedule.team, schedule.name) if due else None,
            "team": schedule.team,
            "name": schedule.name,
            "suite": schedule.suite,
            "timing": _timing_values(schedule.timing),
            "overlap": schedule.overlap.value,
            "missed": schedule.missed.value,
            "graceSeconds": int(schedule.grace.total_seconds()),
            "owner": schedule.owner,
            "updatedAt": to_iso(schedule.updated_at),
            "version": schedule.version,
            "labels": schedule.labels,
            "parameters": json.dumps(schedule.parameters),
            "priority": schedule.priority.value if schedule.priority else None,
            "due": iso(due),
            "pausedAt": iso(schedule.paused_at),
            "pausedBy": schedule.paused_by,
            "lastRun": schedule.last_run,
            "firings": [_firing_values(each) for each in schedule.firings],
        }
    )


def read_schedule(item: Item) -> Schedule:
    """The schedule that an item holds."""
    values = from_item(item)
    return Schedule(
        team=values["team"],
        name=values["name"],
        suite=values["suite"],
        timing=_read_timing(values["timing"]),
        overlap=Overlap(values["overlap"]),
        missed=MissedPolicy(values["missed"]),
        grace=timedelta(seconds=values["graceSeconds"]),
        owner=values["owner"],
        updated_at=from_iso(values["updatedAt"]),
        version=values["version"],
        labels=values["labels"],
        parameters=json.loads(values["parameters"]),
        priority=_read_priority(values),
        due=moment(values.get("due")),
        paused_at=moment(values.get("pausedAt")),
        paused_by=values.get("pausedBy"),
        last_run=values.get("lastRun"),
        firings=tuple(_read_firing(each) for each in values["firings"]),
    )


def trigger_item(trigger: Trigger) -> Item:
    """The stored form of a trigger."""
    return trigger_key(trigger.team, trigger.name) | to_item(
        {
            "schema": SCHEMA,
            "team": trigger.team,
            "name": trigger.name,
            "event": trigger.event.value,
            "suite": trigger.suite,
            "owner": trigger.owner,
            "updatedAt": to_iso(trigger.updated_at),
            "ofSuite": trigger.of_suite,
            "ofVerdicts": [each.value for each in trigger.of_verdicts],
            "ofService": trigger.of_service,
            "ofEnvironment": trigger.of_environment,
            "labels": trigger.labels,
            "parameters": json.dumps(trigger.parameters),
            "priority": trigger.priority.value if trigger.priority else None,
            "paused": trigger.paused,
            "allowRepeat": trigger.allow_repeat,
            "last": trigger_firing_values(trigger.last) if trigger.last else None,
        }
    )


def read_trigger(item: Item) -> Trigger:
    """The trigger that an item holds."""
    values = from_item(item)
    last = values.get("last")
    return Trigger(
        team=values["team"],
        name=values["name"],
        event=EventType(values["event"]),
        suite=values["suite"],
        owner=values["owner"],
        updated_at=from_iso(values["updatedAt"]),
        of_suite=values.get("ofSuite"),
        of_verdicts=tuple(VerdictKind(each) for each in values["ofVerdicts"]),
        of_service=values.get("ofService"),
        of_environment=values.get("ofEnvironment"),
        labels=values["labels"],
        parameters=json.loads(values["parameters"]),
        priority=_read_priority(values),
        paused=values["paused"],
        allow_repeat=values["allowRepeat"],
        last=_read_trigger_firing(last) if last else None,
    )


def trigger_firing_values(firing: TriggerFiring) -> dict[str, Any]:
    """The stored form of a trigger's last firing."""
    return {
        "eventId": firing.event_id,
        "at": to_iso(firing.at),
        "outcome": firing.outcome.value,
        "reason": firing.reason,
        "runId": firing.run_id,
    }


def deployment_item(event: DomainEvent, *, until: datetime) -> Item:
    """The record of a deployment: what its event says."""
    values = event.detail.model_dump(mode="json", by_alias=True)
    times = {"occurredAt": event.occurred_at, "expiresAt": expires_at(until)}
    return deployment_key(event.team, event.id) | to_item({"schema": SCHEMA, **values, **times})


def read_deployment(item: Item) -> DeploymentRecorded:
    """What was deployed, as a record of it says."""
    values = from_item(item)
    names = [field.alias or name for name, field in DeploymentRecorded.model_fields.items()]
    return DeploymentRecorded.model_validate({name: values[name] for name in names if name in values})


def _timing_values(timing: Timing) -> dict[str, Any]:
    return {
        "cron": timing.cron,
        "at": iso(timing.at),
        "timezone": timing.timezone,
        "start": iso(timing.start),
        "expiry": iso(timing.expiry),
        "jitterSeconds": int(timing.jitter.total_seconds()),
    }


def _read_timing(values: Values) -> Timing:
    return Timing(
        cron=values.get("cron"),
        at=moment(values.get("at")),
        timezone=values["timezone"],
        start=moment(values.get("start")),
        expiry=moment(values.get("expiry")),
        jitter=timedelta(seconds=values["jitterSeconds"]),
    )


def _firing_values(firing: Firing) -> dict[str, Any]:
    return {
        "due": to_iso(firing.due),
        "at": to_iso(firing.at),
        "outcome": firing.outcome.value,
        "reason": firing.reason,
        "runId": firing.run_id,
    }


def _read_firing(values: Values) -> Firing:
    return Firing(
        due=from_iso(values["due"]),
        at=from_iso(values["at"]),
        outcome=FiringOutcome(values["outcome"]),
        reason=values.get("reason"),
        run_id=values.get("runId"),
    )


def _read_trigger_firing(values: Values) -> TriggerFiring:
    return TriggerFiring(
        event_id=values["eventId"],
        at=from_iso(values["at"]),
        outcome=FiringOutcome(values["outcome"]),
        reason=values.get("reason"),
        run_id=values.get("runId"),
    )


def _read_priority(values: Values) -> Priority | None:
    priority = values.get("priority")
    return Priority(priority) if priority else None
