"""What a run in pods came to: each shard once, none lost, nothing left behind, each death told rightly and soon."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from crosswind.contracts.work import WorkKind
from crosswind.runs.infrastructure import InfrastructureReason as Reason
from crosswind.runs.model import Work
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api
from tests.storm.judging import work_store

Line = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All figures of one run; times in seconds."""

    shards: int
    seconds: float
    verdict: str
    reason: str
    most_at_once: int
    lost: int
    """Shards without a result."""
    doubled: int
    """Results of a shard beyond its first."""
    left_behind: int
    """Jobs, pods and secrets that were still there when all had had its time to go."""
    attempts: int
    lost_attempts: Mapping[str, int]
    """By the reason that the work item tells."""
    replaced: int
    """Pods that took the place of one that waited for too long."""
    moved: int
    """Those of them that went to another offer."""
    wrong: tuple[str, ...]
    """Pods whose end is told otherwise than it was, as sentences."""
    told: int
    """Pods whose end was told, and rightly."""
    detected_p50: float | None
    detected_p95: float | None
    detected_worst: float | None
    """From an agent's death to the attempt being given up, on to its next one."""
    launches_per_second: float
    """From the first launch to the last of first attempts."""
    most_launches_per_second: float
    """Over any five seconds."""
    calls: Mapping[str, int]
    """Of launcher and observer to the API server."""
    calls_per_shard: float
    memory_mib: Mapping[str, float]
    faults: Mapping[str, int]
    course: tuple[tuple[float, int], ...]
    """How many agents were at work, over time."""
    marks: tuple[tuple[float, str], ...]


def judge(
    cloud: Cloud,
    api: Api,
    run: str,
    *,
    began: float,
    shards: int,
    journals: Path,
    left_behind: int,
    calls: Mapping[str, int],
    memory: Mapping[str, float],
    expected: Mapping[str, frozenset[Reason]],
    faults: Mapping[str, int],
    marks: Sequence[tuple[float, str]],
) -> Outcome:
    """Compare what the API, the work items and the agents' journals say."""
    view = api.run(run)
    works = [work for work in work_store(cloud).of_run(run) if work.kind is WorkKind.SHARD]
    pods = [
        pod
        for pod in api.http.get(f"/api/v1/tests/{run}/pods").raise_for_status().json()["items"]
        if pod["workId"].startswith("shard")
    ]
    recorded = Counter(case["workId"] for case in api.cases(run))
    journal = [line for line in _read(journals) if line["work"].startswith("shard")]
    course = _course(journal, began)
    detected = sorted(_detected(works, journal))
    wrong = tuple(_wrong(pods, expected))
    return Outcome(
        shards=shards,
        seconds=datetime.fromisoformat(view["finishedAt"]).timestamp() - began,
        verdict=view["verdict"]["kind"],
        reason=view["verdict"]["reason"][:500],
        most_at_once=max((count for _, count in course), default=0),
        lost=shards - len(recorded),
        doubled=recorded.total() - len(recorded),
        left_behind=left_behind,
        attempts=sum(line["event"] == "leased" for line in journal),
        lost_attempts=dict(Counter(failure.reason for work in works for failure in work.failures)),
        replaced=sum(pod["number"] for pod in pods),
        moved=sum("did not start its pod" in pod["placement"] for pod in pods),
        wrong=wrong,
        told=sum(pod["state"] == "failed" for pod in pods) - len(wrong),
        detected_p50=_quantile(detected, 0.5),
        detected_p95=_quantile(detected, 0.95),
        detected_worst=detected[-1] if detected else None,
        launches_per_second=_rate(pods),
        most_launches_per_second=_most(pods, 5.0),
        calls=calls,
        calls_per_shard=sum(calls.values()) / shards,
        memory_mib=memory,
        faults=faults,
        course=tuple(course),
        marks=tuple((at - began, name) for at, name in marks),
    )


def _read(folder: Path) -> list[Line]:
    lines = [
        json.loads(line)
        for path in folder.glob("journal-*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.endswith("}")
    ]
    return sorted(lines, key=lambda line: float(line["at"]))


def _course(journal: Sequence[Line], began: float) -> list[tuple[float, int]]:
    count, course = 0, []
    for line in journal:
        count += 1 if line["event"] == "leased" else -1
        course.append((float(line["at"]) - began, count))
    return course


def _detected(works: Sequence[Work], journal: Sequence[Line]) -> list[float]:
    """Seconds from each death to the failure that tells of it."""
    found = []
    for work in works:
        deaths = [
            float(line["at"])
            for line in journal
            if line["event"] == "died" and line["work"] == work.key.work_id
        ]
        told = [failure.at.timestamp() for failure in work.failures]
        found += [max(0.0, at - death) for death, at in zip(deaths, told, strict=False)]
    return found


def _wrong(pods: Sequence[Line], expected: Mapping[str, frozenset[Reason]]) -> list[str]:
    """A pod is named by its Job. One whose agent had ended before is told as succeeded; of one whose lease ran out before
    anybody looked, and whose Job was gone then, nothing more can be known than that."""
    by_job = {name.rpartition("-")[0]: reasons for name, reasons in expected.items()}
    wrong = []
    for pod in pods:
        reasons = by_job.get(pod["job"])
        if reasons is None or pod["state"] == "succeeded" or pod.get("reason") in reasons:
            continue
        if (pod["state"], pod.get("reason")) != ("gone", Reason.LEASE_LOST):
            wrong.append(f"{pod['job']}: {pod['state']}, {pod.get('reason')}, not {sorted(reasons)}")
    return wrong


def _rate(pods: Sequence[Line]) -> float:
    launched = sorted(_at(pod) for pod in pods if pod["attempt"] == 1 and pod["number"] == 0)
    return (len(launched) - 1) / max(0.001, launched[-1] - launched[0]) if len(launched) > 1 else 0.0


def _most(pods: Sequence[Line], window: float) -> float:
    launched = sorted(_at(pod) for pod in pods)
    most, first = 0, 0
    for last, at in enumerate(launched):
        while at - launched[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most / window


def _at(pod: Line) -> float:
    return datetime.fromisoformat(pod["launchedAt"]).timestamp()


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
