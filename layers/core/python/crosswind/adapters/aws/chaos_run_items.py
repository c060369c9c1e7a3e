"""Runs of experiments and what lies beside them as DynamoDB items, and back. A field that is not named here is not stored."""

import json
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import (
    SCHEMA,
    Item,
    Values,
    from_item,
    iso,
    moment,
    to_item,
    unpack,
)
from crosswind.adapters.aws.chaos_items import packed, packed_spec, read_spec
from crosswind.adapters.aws.chaos_keys import (
    DECISION_PREFIX,
    TIMELINE_PREFIX,
    hold_key,
    injection_key,
    line_order,
    run_key,
    run_partition,
)
from crosswind.adapters.aws.keys import UNFINISHED_KEY, created_key, key, team_partition
from crosswind.adapters.aws.work_items import expires_at
from crosswind.chaos.model import Abort, ExperimentRun, Hold, Injection, Target, TimelineEvent
from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState, RunState
from crosswind.contracts.chaos.runs import TimelineKind, Timings
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.clock import from_iso, to_iso

_GONE = frozenset({FaultState.REMOVED, FaultState.REFUSED})


def run_item(run: ExperimentRun, *, retention: timedelta) -> Item:
    """The stored form of a run. Only an unfinished one is in the sparse index, only a finished one expires."""
    unfinished = run.state is not RunState.ANALYZED
    ended = None if unfinished else run.finished_at or run.created_at
    return run_key(run.run_id) | to_item(
        {
            "schema": SCHEMA,
            "teamKey": team_partition(run.team),
            "createdKey": created_key(run.created_at, run.run_id),
            "unfinishedKey": UNFINISHED_KEY if unfinished else None,
            "runKey": run.run_id if unfinished else None,
            "expiresAt": expires_at(ended + retention) if ended else None,
            "runId": run.run_id,
            "team": run.team,
            "experiment": run.experiment,
            "revision": run.revision,
            "environment": run.environment,
            "service": run.service,
            "state": run.state.value,
            "version": run.version,
            "createdAt": to_iso(run.created_at),
            "requestedBy": run.requested_by,
            "spec": packed_spec(run.spec),
            "specDigest": run.spec_digest,
            "parameters": json.dumps(dict(run.parameters)),
            "attempt": run.attempt,
            "step": run.step,
            "steps": run.steps,
            "startedAt": iso(run.started_at),
            "finishedAt": iso(run.finished_at),
            "deadline": iso(run.deadline),
            "movedAt": iso(run.moved_at),
            "blockedUntil": iso(run.blocked_until),
            "gateCheckedAt": iso(run.gate_checked_at),
            "watchedAt": iso(run.watched_at),
            "recoveryAttempts": run.recovery_attempts,
            "trigger": run.trigger,
            "parentRun": run.parent_run,
            "abort": _abort_values(run.abort) if run.abort else None,
            "decision": packed_decision(run.decision) if run.decision else None,
            "verdict": run.verdict.value if run.verdict else None,
            "reason": run.reason,
            "evidence": list(run.evidence),
            "timings": run.timings.to_wire(),
            "undoneAt": iso(run.undone_at),
            "stepBeganAt": iso(run.step_began_at),
            "stepUntil": iso(run.step_until),
            "gateFreshUntil": iso(run.gate_fresh_until),
        }
    )


def read_run(item: Item) -> ExperimentRun:
    """The run that an item holds."""
    values = from_item(item)
    verdict, decision, abort = values.get("verdict"), values.get("decision"), values.get("abort")
    return ExperimentRun(
        run_id=values["runId"],
        team=values["team"],
        experiment=values["experiment"],
        revision=values["revision"],
        environment=values["environment"],
        service=values.get("service"),
        state=RunState(values["state"]),
        version=values["version"],
        created_at=from_iso(values["createdAt"]),
        requested_by=values["requestedBy"],
        spec=read_spec(values["spec"]),
        spec_digest=values["specDigest"],
        parameters=json.loads(values["parameters"]),
        attempt=values["attempt"],
        step=values["step"],
        steps=values["steps"],
        started_at=moment(values.get("startedAt")),
        finished_at=moment(values.get("finishedAt")),
        deadline=moment(values.get("deadline")),
        moved_at=moment(values.get("movedAt")),
        blocked_until=moment(values.get("blockedUntil")),
        gate_checked_at=moment(values.get("gateCheckedAt")),
        watched_at=moment(values.get("watchedAt")),
        recovery_attempts=values["recoveryAttempts"],
        trigger=values.get("trigger"),
        parent_run=values.get("parentRun"),
        abort=_read_abort(abort) if abort else None,
        decision=read_decision(decision) if decision else None,
        verdict=ExperimentVerdict(verdict) if verdict else None,
        reason=values.get("reason"),
        evidence=tuple(values["evidence"]),
        timings=Timings.model_validate_json(values["timings"]),
        undone_at=moment(values.get("undoneAt")),
        step_began_at=moment(values.get("stepBeganAt")),
        step_until=moment(values.get("stepUntil")),
        gate_fresh_until=moment(values.get("gateFreshUntil")),
    )


def injection_item(injection: Injection, *, now: datetime, retention: timedelta) -> Item:
    """The stored form of an injection. It expires only when it is proven gone."""
    gone = injection.state in _GONE
    return injection_key(injection.run_id, injection.step, injection.fault) | to_item(
        {
            "schema": SCHEMA,
            "expiresAt": expires_at(now + retention) if gone else None,
            "runId": injection.run_id,
            "step": injection.step,
            "fault": injection.fault,
            "order": injection.order,
            "provider": injection.provider.value,
            "action": injection.action,
            "targets": packed([_target_values(each) for each in injection.targets], "the list of targets"),
            "percent": json.dumps(injection.percent),
            "durationSeconds": json.dumps(injection.duration_seconds),
            "parameters": json.dumps(dict(injection.parameters)),
            "compensation": packed(dict(injection.compensation), "the compensation"),
            "environment": injection.environment,
            "team": injection.team,
            "state": injection.state.value,
            "handle": json.dumps(dict(injection.handle)),
            "startsAfterSeconds": json.dumps(injection.starts_after_seconds),
            "askedAt": iso(injection.asked_at),
            "injectedAt": iso(injection.injected_at),
            "removedAt": iso(injection.removed_at),
            "detail": injection.detail,
            "version": injection.version,
        }
    )


def read_injection(item: Item) -> Injection:
    """The injection that an item holds."""
    values = from_item(item)
    return Injection(
        run_id=values["runId"],
        step=values["step"],
        fault=values["fault"],
        order=values["order"],
        provider=ProviderName(values["provider"]),
        action=values["action"],
        targets=tuple(_read_target(each) for each in unpack(values["targets"])),
        percent=json.loads(values["percent"]),
        duration_seconds=json.loads(values["durationSeconds"]),
        parameters=json.loads(values["parameters"]),
        compensation=unpack(values["compensation"]),
        environment=values["environment"],
        team=values["team"],
        state=FaultState(values["state"]),
        handle=json.loads(values["handle"]),
        starts_after_seconds=json.loads(values["startsAfterSeconds"]),
        asked_at=moment(values.get("askedAt")),
        injected_at=moment(values.get("injectedAt")),
        removed_at=moment(values.get("removedAt")),
        detail=values.get("detail"),
        version=values["version"],
    )


def hold_item(hold: Hold) -> Item:
    """The stored form of a hold. It never expires: only a proof releases it."""
    return hold_key(hold.target_id) | to_item(
        {
            "schema": SCHEMA,
            "targetId": hold.target_id,
            "runId": hold.run_id,
            "team": hold.team,
            "unverified": hold.unverified,
            "since": to_iso(hold.since),
        }
    )


def read_hold(item: Item) -> Hold:
    """The hold that an item holds."""
    values = from_item(item)
    return Hold(
        target_id=values["targetId"],
        run_id=values["runId"],
        team=values["team"],
        unverified=values["unverified"],
        since=from_iso(values["since"]),
    )


def line_item(run_id: str, line: TimelineEvent, *, until: datetime) -> Item:
    """The stored form of a line of a timeline."""
    place = key(run_partition(run_id), TIMELINE_PREFIX + line_order(line.at, line.number))
    return place | to_item(
        {
            "schema": SCHEMA,
            "expiresAt": expires_at(until),
            "at": to_iso(line.at),
            "number": line.number,
            "kind": line.kind.value,
            "actor": line.actor,
            "text": line.text,
            "state": line.state.value if line.state else None,
            "fault": line.fault,
        }
    )


def read_line(item: Item) -> TimelineEvent:
    """The line that an item holds."""
    values = from_item(item)
    state = values.get("state")
    return TimelineEvent(
        at=from_iso(values["at"]),
        kind=TimelineKind(values["kind"]),
        actor=values["actor"],
        text=values["text"],
        state=RunState(state) if state else None,
        fault=values.get("fault"),
        number=values["number"],
    )


def decision_item(run_id: str, decision: GateDecision, number: int) -> Item:
    """The stored form of a decision: it is kept for good."""
    order = line_order(from_iso(decision.decided_at), number)
    place = key(run_partition(run_id), DECISION_PREFIX + order)
    return place | to_item({"schema": SCHEMA, "decision": packed_decision(decision)})


def packed_decision(decision: GateDecision) -> bytes:
    """The stored form of a decision's content."""
    return packed(json.loads(decision.to_wire()), "the decision's evidence")


def read_decision(data: bytes) -> GateDecision:
    """What `packed_decision` packed."""
    return GateDecision.model_validate(unpack(data))


def _abort_values(abort: Abort) -> dict[str, Any]:
    return {"cause": abort.cause.value, "reason": abort.reason, "by": abort.by, "at": to_iso(abort.at)}


def _read_abort(values: Values) -> Abort:
    return Abort(
        cause=AbortCause(values["cause"]),
        reason=values["reason"],
        by=values["by"],
        at=from_iso(values["at"]),
    )


def _target_values(target: Target) -> dict[str, Any]:
    return {
        "provider": target.provider.value,
        "kind": target.kind,
        "id": target.id,
        "name": target.name,
        "namespace": target.namespace,
        "attributes": dict(target.attributes),
    }


def _read_target(values: Values) -> Target:
    return Target(
        provider=ProviderName(values["provider"]),
        kind=values["kind"],
        id=values["id"],
        name=values["name"],
        namespace=values["namespace"],
        attributes=values["attributes"],
    )
