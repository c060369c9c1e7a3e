"""Runs, suites and cases as DynamoDB items, and back. Explicit: a field that is not named here is not stored."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from crosswind.adapters.aws.attributes import (
    SCHEMA,
    Item,
    Values,
    from_item,
    iso,
    moment,
    pack,
    to_item,
    unpack,
)
from crosswind.adapters.aws.keys import UNFINISHED_KEY, created_key, document_key, run_key, team_partition
from crosswind.adapters.aws.work_items import expires_at
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict
from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import FileClass
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.kernel.errors import TooLargeError
from crosswind.runs.model import (
    Beside,
    Case,
    CaseFile,
    PlanSummary,
    RoundRecord,
    Run,
    RunFailure,
    RunPurpose,
    Verdict,
)
from crosswind.runs.ports import DocumentRecord

PACKED_LIMIT = 350_000  # of the 400 KB that an item may hold


def run_item(run: Run, *, retention: timedelta) -> Item:
    """The stored form of a run. Only an unfinished one is in the sparse index, only a finished one expires."""
    unfinished = run.state is not RunState.FINISHED
    ended = None if unfinished else run.finished_at or run.created_at
    listed = run.purpose is RunPurpose.RUN
    return run_key(run.run_id) | to_item(
        {
            "schema": SCHEMA,
            "teamKey": team_partition(run.team) if listed else None,
            "createdKey": created_key(run.created_at, run.run_id) if listed else None,
            "unfinishedKey": UNFINISHED_KEY if unfinished else None,
            "runKey": run.run_id if unfinished else None,
            "expiresAt": expires_at(ended + retention) if ended else None,
            "runId": run.run_id,
            "team": run.team,
            "suite": run.suite,
            "priority": run.priority.value,
            "actor": run.actor,
            "issuer": run.issuer,
            "specKey": run.spec_key,
            "specDigest": run.spec_digest,
            "timeoutSeconds": run.timeout_seconds,
            "state": run.state.value,
            "version": run.version,
            "createdAt": to_iso(run.created_at),
            "parameters": json.dumps(run.parameters),
            "labels": run.labels,
            "stageNames": list(run.stage_names),
            "currentStage": run.current_stage,
            "startedAt": iso(run.started_at),
            "finishedAt": iso(run.finished_at),
            "execution": run.execution,
            "recoveries": run.recoveries,
            "watchedAt": iso(run.watched_at),
            "cancelRequestedAt": iso(run.cancel_requested_at),
            "cancelledBy": run.cancelled_by,
            "plan": _plan_values(run.plan),
            "failure": _failure_values(run.failure),
            "verdictKind": run.verdict.kind.value if run.verdict else None,
            "verdictReason": run.verdict.reason if run.verdict else None,
            "caseCounts": run.case_counts,
            "purpose": run.purpose.value,
            "round": run.round,
            "rounds": [_round_values(each) for each in run.rounds],
            "roundPlans": list(run.round_plans),
            "reopenedAt": iso(run.reopened_at),
            "rerunBy": run.rerun_by,
            "muted": run.muted,
            "failedFast": run.failed_fast,
            "pausedAt": iso(run.paused_at),
            "pausedBy": run.paused_by,
            "commit": run.commit,
            "branch": run.branch,
            "defaultBranch": run.default_branch,
            "trigger": run.trigger,
            "chain": list(run.chain),
            "beside": [_beside_values(each) for each in run.beside],
        }
    )


def read_run(item: Item) -> Run:
    """The run that an item holds."""
    values = from_item(item)
    return Run(
        run_id=values["runId"],
        team=values["team"],
        suite=values["suite"],
        priority=Priority(values["priority"]),
        actor=values["actor"],
        issuer=values["issuer"],
        spec_key=values["specKey"],
        spec_digest=values["specDigest"],
        timeout_seconds=values["timeoutSeconds"],
        state=RunState(values["state"]),
        version=values["version"],
        created_at=from_iso(values["createdAt"]),
        parameters=json.loads(values["parameters"]),
        labels=values["labels"],
        stage_names=tuple(values["stageNames"]),
        current_stage=values.get("currentStage"),
        started_at=moment(values.get("startedAt")),
        finished_at=moment(values.get("finishedAt")),
        execution=values.get("execution"),
        recoveries=values["recoveries"],
        watched_at=moment(values.get("watchedAt")),
        cancel_requested_at=moment(values.get("cancelRequestedAt")),
        cancelled_by=values.get("cancelledBy"),
        plan=_read_plan(values.get("plan")),
        failure=_read_failure(values.get("failure")),
        verdict=_read_verdict(values),
        case_counts=values["caseCounts"],
        purpose=RunPurpose(values.get("purpose", RunPurpose.RUN)),
        round=values.get("round", 1),
        rounds=tuple(_read_round(each) for each in values.get("rounds", ())),
        round_plans=tuple(values.get("roundPlans", ())),
        reopened_at=moment(values.get("reopenedAt")),
        rerun_by=values.get("rerunBy"),
        muted=values.get("muted", 0),
        failed_fast=values.get("failedFast", {}),
        paused_at=moment(values.get("pausedAt")),
        paused_by=values.get("pausedBy"),
        commit=values.get("commit"),
        branch=values.get("branch"),
        default_branch=values.get("defaultBranch"),
        trigger=values.get("trigger"),
        chain=tuple(values.get("chain", ())),
        beside=tuple(_read_beside(each) for each in values.get("beside", ())),
    )


def document_item(record: DocumentRecord, *, noun: str, prefix: str) -> Item:
    """The stored form of a suite or a framework. Raises TooLargeError when its packed text does not fit into an item."""
    spec = pack(record.spec)
    if len(spec) > PACKED_LIMIT:
        raise TooLargeError(
            f"{noun} {record.name} has {len(spec)} bytes packed; at most {PACKED_LIMIT} can be stored under a name"
        )
    return document_key(prefix, record.team, record.name) | to_item(
        {
            "schema": SCHEMA,
            "team": record.team,
            "name": record.name,
            "digest": record.digest,
            "updatedAt": to_iso(record.updated_at),
            "updatedBy": record.updated_by,
            "spec": spec,
        }
    )


def read_document(item: Item) -> DocumentRecord:
    """The suite or framework that an item holds."""
    values = from_item(item)
    return DocumentRecord(
        team=values["team"],
        name=values["name"],
        digest=values["digest"],
        updated_at=from_iso(values["updatedAt"]),
        updated_by=values["updatedBy"],
        spec=unpack(values["spec"]),
    )


def pack_cases(cases: Sequence[Case]) -> bytes:
    """Cases for people who watch: as many from the start as fit into an item."""
    kept = list(cases)
    packed = pack([_case_values(case) for case in kept])
    while len(packed) > PACKED_LIMIT:
        kept = kept[: len(kept) // 2]
        packed = pack([_case_values(case) for case in kept])
    return packed


def read_cases(packed: bytes) -> tuple[Case, ...]:
    """What `pack_cases` kept."""
    return tuple(_read_case(values) for values in unpack(packed))


def _case_values(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "test": case.test,
        "variant": case.variant,
        "name": case.name,
        "status": case.status.value,
        "durationSeconds": case.duration_seconds,
        "workId": case.work_id,
        "attempt": case.attempt,
        "attempts": case.attempts,
        "message": case.message,
        "details": case.details,
        "muted": case.muted,
        "chaos": case.chaos,
        "artifacts": [[file.path, file.work_id, file.file_class.value] for file in case.artifacts],
    }


def _read_case(values: Values) -> Case:
    return Case(
        id=values["id"],
        test=values["test"],
        variant=values["variant"],
        name=values["name"],
        status=CaseStatus(values["status"]),
        duration_seconds=float(values["durationSeconds"]),
        work_id=values["workId"],
        attempt=values["attempt"],
        attempts=values["attempts"],
        message=values["message"],
        details=values["details"],
        muted=values.get("muted"),
        chaos=values.get("chaos"),
        artifacts=tuple(
            CaseFile(path, work_id, FileClass(name)) for path, work_id, name in values.get("artifacts", ())
        ),
    )


def _beside_values(each: Beside) -> dict[str, Any]:
    return {
        "stage": each.stage,
        "experiment": each.experiment,
        "round": each.round,
        "afterSeconds": each.after_seconds,
        "required": each.required,
        "parameters": json.dumps(each.parameters),
        "beganAt": iso(each.began_at),
        "endedAt": iso(each.ended_at),
        "experimentRun": each.experiment_run,
        "state": each.state.value if each.state else None,
        "verdict": each.verdict.value if each.verdict else None,
        "reason": each.reason,
        "refused": each.refused,
        "injectedAt": iso(each.injected_at),
        "removedAt": iso(each.removed_at),
    }


def _read_beside(values: Values) -> Beside:
    state, verdict = values.get("state"), values.get("verdict")
    return Beside(
        stage=values["stage"],
        experiment=values["experiment"],
        round=values["round"],
        after_seconds=values["afterSeconds"],
        required=values["required"],
        parameters=json.loads(values["parameters"]),
        began_at=moment(values.get("beganAt")),
        ended_at=moment(values.get("endedAt")),
        experiment_run=values.get("experimentRun"),
        state=ExperimentState(state) if state else None,
        verdict=ExperimentVerdict(verdict) if verdict else None,
        reason=values.get("reason"),
        refused=values["refused"],
        injected_at=moment(values.get("injectedAt")),
        removed_at=moment(values.get("removedAt")),
    )


def _round_values(record: RoundRecord) -> dict[str, Any]:
    return {
        "round": record.round,
        "verdictKind": record.verdict.kind.value,
        "verdictReason": record.verdict.reason,
        "caseCounts": record.case_counts,
        "startedAt": to_iso(record.started_at),
        "finishedAt": to_iso(record.finished_at),
    }


def _read_round(values: Values) -> RoundRecord:
    return RoundRecord(
        round=values["round"],
        verdict=Verdict(kind=VerdictKind(values["verdictKind"]), reason=values["verdictReason"]),
        case_counts=values["caseCounts"],
        started_at=from_iso(values["startedAt"]),
        finished_at=from_iso(values["finishedAt"]),
    )


def _plan_values(plan: PlanSummary | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {"tests": plan.tests, "shards": plan.shards, "stages": plan.stages, "method": plan.method}


def _read_plan(values: Values | None) -> PlanSummary | None:
    if values is None:
        return None
    return PlanSummary(
        tests=values.get("tests"),
        shards=values["shards"],
        stages=values["stages"],
        method=values["method"],
    )


def _failure_values(failure: RunFailure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "state": failure.state,
        "kind": failure.kind,
        "detail": failure.detail,
        "at": to_iso(failure.at),
    }


def _read_failure(values: Values | None) -> RunFailure | None:
    if values is None:
        return None
    return RunFailure(
        state=values["state"],
        kind=values["kind"],
        detail=values["detail"],
        at=from_iso(values["at"]),
    )


def _read_verdict(values: Values) -> Verdict | None:
    kind = values.get("verdictKind")
    return None if kind is None else Verdict(kind=VerdictKind(kind), reason=values["verdictReason"])
