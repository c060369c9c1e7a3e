"""Work and queue entries as DynamoDB items, and back. Explicit: a field that is not named here is not stored."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, Values, from_item, iso, moment, to_item
from crosswind.adapters.aws.keys import BEAT_SUFFIX, Key, active_key, beat_key, later_key, ready_key, work_key
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import (
    DEFAULT_CPU_MILLIS,
    DEFAULT_MEMORY_MIB,
    OrderRef,
    WorkKind,
    WorkOutcome,
)
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.runs.admission.model import QueueEntry
from crosswind.runs.model import (
    Announced,
    Commit,
    InfrastructureFailure,
    Lease,
    Progress,
    ShardSummary,
    Work,
    WorkKey,
    WorkState,
    WorkTally,
)

OUTLIVES_RUN = timedelta(days=7)


def work_item(work: Work, *, retention: timedelta) -> Item:
    """The stored form of a piece of work. It goes some days after its run's record would."""
    return work_key(work.key) | to_item(
        {
            "schema": SCHEMA,
            "runId": work.key.run_id,
            "workId": work.key.work_id,
            "kind": work.kind.value,
            "team": work.team,
            "suite": work.suite,
            "test": work.test,
            "priority": work.priority.value,
            "stage": work.stage,
            "concurrency": work.concurrency,
            "infrastructureRetries": work.infrastructure_retries,
            "queueSeconds": work.queue_seconds,
            "estimateSeconds": work.estimate_seconds,
            "order": {"key": work.order.key, "offset": work.order.offset, "length": work.order.length},
            "state": work.state.value,
            "version": work.version,
            "epoch": work.epoch,
            "attempt": work.attempt,
            "token": work.token,
            "tokenAt": iso(work.token_at),
            "enqueuedAt": to_iso(work.enqueued_at),
            "notBefore": iso(work.not_before),
            "admittedAt": iso(work.admitted_at),
            "redispatchedAt": iso(work.redispatched_at),
            "lease": _lease_values(work.lease),
            "progress": _progress_values(work.progress),
            "failures": [_failure_values(failure) for failure in work.failures],
            "commit": _commit_values(work.commit),
            "summary": _summary_values(work.summary),
            "suiteConcurrency": work.suite_concurrency,
            "cpuMillis": work.cpu_millis,
            "memoryMib": work.memory_mib,
            "antiAffinity": work.anti_affinity,
            "round": work.round,
            "pullId": work.pull_id,
            "group": work.group,
            "groupSize": work.group_size if work.group else None,
            "cluster": work.cluster,
            "interruptible": work.interruptible or None,
            "borrowed": work.borrowed or None,
            "preemptions": work.preemptions,
            "decision": work.decision,
            "announcements": [_announced_values(each) for each in work.announcements] or None,
            "awaits": work.awaits,
            "expiresAt": expires_at(work.enqueued_at + retention + OUTLIVES_RUN),
        }
    )


def read_work(item: Item) -> Work:
    """The work that an item holds."""
    values = from_item(item)
    return Work(
        key=WorkKey(run_id=values["runId"], work_id=values["workId"]),
        kind=WorkKind(values["kind"]),
        team=values["team"],
        suite=values["suite"],
        test=values["test"],
        priority=Priority(values["priority"]),
        stage=values["stage"],
        concurrency=values["concurrency"],
        infrastructure_retries=values["infrastructureRetries"],
        queue_seconds=values["queueSeconds"],
        estimate_seconds=float(values["estimateSeconds"]),
        order=OrderRef(**values["order"]),
        state=WorkState(values["state"]),
        version=values["version"],
        epoch=values["epoch"],
        attempt=values["attempt"],
        token=values.get("token"),
        token_at=moment(values.get("tokenAt")),
        enqueued_at=from_iso(values["enqueuedAt"]),
        not_before=moment(values.get("notBefore")),
        admitted_at=moment(values.get("admittedAt")),
        redispatched_at=moment(values.get("redispatchedAt")),
        lease=_read_lease(values.get("lease")),
        progress=_read_progress(values["progress"]),
        failures=tuple(_read_failure(failure) for failure in values["failures"]),
        commit=_read_commit(values.get("commit")),
        summary=_read_summary(values.get("summary")),
        suite_concurrency=values.get("suiteConcurrency"),
        cpu_millis=values.get("cpuMillis", DEFAULT_CPU_MILLIS),
        memory_mib=values.get("memoryMib", DEFAULT_MEMORY_MIB),
        anti_affinity=values.get("antiAffinity"),
        round=values.get("round", 1),
        pull_id=values.get("pullId"),
        group=values.get("group"),
        group_size=values.get("groupSize", 1),
        cluster=values.get("cluster"),
        interruptible=values.get("interruptible", False),
        borrowed=values.get("borrowed", False),
        preemptions=values.get("preemptions", 0),
        decision=values.get("decision"),
        announcements=tuple(_read_announced(each) for each in values.get("announcements") or ()),
        awaits=values.get("awaits"),
    )


def beat_item(work: Work, *, retention: timedelta) -> Item:
    """The heartbeats of a leased piece of work: small, so that each costs one write unit."""
    return _beats(work, retention, {"beats": work.beats, "lease": _lease_values(work.lease)})


def last_beat_item(lost: Work, *, retention: timedelta) -> Item:
    """What stands in its place when the lease is over: no beat of that epoch, or of one before, is taken any more."""
    return _beats(lost, retention, {})


def _beats(work: Work, retention: timedelta, more: Values) -> Item:
    return beat_key(work.key) | to_item(
        {
            "schema": SCHEMA,
            "epoch": work.epoch,
            "progress": _progress_values(work.progress),
            "expiresAt": expires_at(work.enqueued_at + retention + OUTLIVES_RUN),
            **more,
        }
    )


def with_beats(items: Iterable[Item]) -> Iterator[tuple[Item, Item | None]]:
    """Pieces of work, each with its heartbeats where it has some; they come in the order of their keys."""
    held: Item | None = None
    for item in items:
        if item["sk"].get("S", "").endswith(BEAT_SUFFIX):
            if held is not None:
                yield held, item
            held = None
            continue
        if held is not None:
            yield held, None
        held = item
    if held is not None:
        yield held, None


def read_leased(item: Item, beats: Item | None) -> Work:
    """The work as its heartbeats say, where they are of its present lease."""
    work = read_work(item)
    values = from_item(beats) if beats else {}
    if work.state is not WorkState.LEASED or values.get("epoch") != work.epoch or "lease" not in values:
        return work
    return replace(
        work,
        lease=_read_lease(values["lease"]),
        progress=_read_progress(values["progress"]),
        beats=values["beats"],
    )


TALLY_ATTRIBUTES = ("sk", "schema", "kind", "state", "epoch", "lease", "progress", "summary")


def read_tally(item: Item, beats: Item | None) -> WorkTally:
    """What is counted of a piece of work, from `TALLY_ATTRIBUTES` of its item and of its heartbeats."""
    values = from_item(item)
    beaten = from_item(beats) if beats else {}
    state = WorkState(values["state"])
    latest = beaten if state is WorkState.LEASED and beaten.get("epoch") == values["epoch"] else values
    return WorkTally(
        kind=WorkKind(values["kind"]),
        state=state,
        leased=values.get("lease") is not None,
        progress=_read_progress(latest["progress"]),
        summary=_read_summary(values.get("summary")),
    )


def queue_item(work: Work | None) -> Item | None:
    """The line that a piece of work has in the queue table: none, one in its run's lane, or an active one."""
    if work is None or work.state is WorkState.DONE:
        return None
    return _queue_key(work) | to_item(
        {
            "schema": SCHEMA,
            "runId": work.key.run_id,
            "workId": work.key.work_id,
            "team": work.team,
            "suite": work.suite,
            "priority": work.priority.value,
            "concurrency": work.concurrency,
            "enqueuedAt": to_iso(work.enqueued_at),
            "notBefore": iso(work.not_before),
            "estimateSeconds": work.estimate_seconds,
            "suiteConcurrency": work.suite_concurrency,
            "cpuMillis": work.cpu_millis,
            "memoryMib": work.memory_mib,
            "antiAffinity": work.anti_affinity,
            "admittedAt": iso(work.admitted_at),
            "borrowed": work.borrowed or None,
            "group": work.group,
            "groupSize": work.group_size if work.group else None,
        }
    )


def read_entry(item: Item) -> QueueEntry:
    """The queue entry that an item holds."""
    values = from_item(item)
    return QueueEntry(
        key=WorkKey(run_id=values["runId"], work_id=values["workId"]),
        team=values["team"],
        suite=values["suite"],
        priority=Priority(values["priority"]),
        concurrency=values["concurrency"],
        enqueued_at=from_iso(values["enqueuedAt"]),
        not_before=moment(values.get("notBefore")),
        estimate_seconds=float(values.get("estimateSeconds", 1.0)),
        suite_concurrency=values.get("suiteConcurrency"),
        cpu_millis=values.get("cpuMillis", DEFAULT_CPU_MILLIS),
        memory_mib=values.get("memoryMib", DEFAULT_MEMORY_MIB),
        anti_affinity=values.get("antiAffinity"),
        admitted_at=moment(values.get("admittedAt")),
        borrowed=values.get("borrowed", False),
        group=values.get("group"),
        group_size=values.get("groupSize", 1),
    )


def _queue_key(work: Work) -> Key:
    if work.state is not WorkState.WAITING:
        return active_key(work.key)
    if work.not_before is not None:
        return later_key(work.key, not_before=work.not_before)
    return ready_key(work.key, estimate_seconds=work.estimate_seconds, enqueued_at=work.enqueued_at)


def expires_at(at: datetime) -> int:
    """The form that DynamoDB's TTL wants: whole seconds since 1970."""
    return int(at.timestamp())


def _lease_values(lease: Lease | None) -> dict[str, Any] | None:
    if lease is None:
        return None
    return {
        "runnerId": lease.runner_id,
        "startedAt": to_iso(lease.started_at),
        "expiresAt": to_iso(lease.expires_at),
    }


def _read_lease(values: Values | None) -> Lease | None:
    if values is None:
        return None
    return Lease(
        runner_id=values["runnerId"],
        started_at=from_iso(values["startedAt"]),
        expires_at=from_iso(values["expiresAt"]),
    )


def _progress_values(progress: Progress) -> Values:
    return {
        "testsDone": progress.tests_done,
        "testsFailed": progress.tests_failed,
        "logBytes": progress.log_bytes,
    }


def _read_progress(values: Values) -> Progress:
    return Progress(
        tests_done=values["testsDone"], tests_failed=values["testsFailed"], log_bytes=values["logBytes"]
    )


def _failure_values(failure: InfrastructureFailure) -> dict[str, Any]:
    return {
        "attempt": failure.attempt,
        "reason": failure.reason,
        "detail": failure.detail,
        "at": to_iso(failure.at),
    }


def _read_failure(values: Values) -> InfrastructureFailure:
    return InfrastructureFailure(
        attempt=values["attempt"],
        reason=values["reason"],
        detail=values["detail"],
        at=from_iso(values["at"]),
    )


def _announced_values(announced: Announced) -> dict[str, Any]:
    return {"name": announced.name, "at": to_iso(announced.at), "detail": announced.detail}


def _read_announced(values: Values) -> Announced:
    return Announced(name=values["name"], at=from_iso(values["at"]), detail=values.get("detail"))


def _commit_values(commit: Commit | None) -> dict[str, Any] | None:
    if commit is None:
        return None
    return {
        "outcome": commit.outcome.value,
        "attempt": commit.attempt,
        "epoch": commit.epoch,
        "at": to_iso(commit.at),
        "reason": commit.reason,
        "prefix": commit.prefix,
    }


def _read_commit(values: Values | None) -> Commit | None:
    if values is None:
        return None
    return Commit(
        outcome=WorkOutcome(values["outcome"]),
        attempt=values["attempt"],
        epoch=values["epoch"],
        at=from_iso(values["at"]),
        reason=values.get("reason"),
        prefix=values.get("prefix"),
    )


def _summary_values(summary: ShardSummary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    return {
        "tests": summary.tests,
        "passed": summary.passed,
        "failed": summary.failed,
        "errors": summary.errors,
        "skipped": summary.skipped,
        "flaky": summary.flaky,
        "casesKey": summary.cases_key,
        "faults": list(summary.faults),
    }


def _read_summary(values: Values | None) -> ShardSummary | None:
    if values is None:
        return None
    return ShardSummary(
        tests=values["tests"],
        passed=values["passed"],
        failed=values["failed"],
        errors=values["errors"],
        skipped=values["skipped"],
        flaky=values["flaky"],
        cases_key=values.get("casesKey"),
        faults=tuple(values["faults"]),
    )
