"""What a storm came to: every shard once, nothing lost, nothing doubled, and in an order that the policy explains."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.work_store import DynamoWorkStore
from crosswind.contracts.work import WorkKind
from crosswind.runs.model import Work
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api

SEEN_WITHIN = timedelta(seconds=3)  # a ticket's way from the queue into the scheduler's next look


@dataclass(frozen=True, kw_only=True)
class Span:
    """One time on a runner: committed, or lost with its runner."""

    team: str
    priority: str
    start: float  # seconds since the storm began
    end: float
    committed: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All figures of a storm."""

    shards: int
    seconds: float
    verdicts: Mapping[str, int]
    reasons: tuple[str, ...]  # of the runs that did not pass, with what their lost shards met
    recorded: int  # cases over all runs
    lost: int  # shards without a record
    doubled: int  # records of one shard beyond the first
    unexplained: int  # admitted without a recorded reason
    out_of_order: tuple[str, ...]  # admissions before more urgent work that waited, as sentences
    attempts: int  # leases, lost ones included
    median_start: Mapping[str, float]  # by priority: seconds until half of its shards were admitted
    faults: Mapping[str, int]
    spans: tuple[Span, ...]


def judge(
    cloud: Cloud,
    api: Api,
    *,
    runs: Mapping[str, tuple[str, str]],
    began: float,
    shards: int,
    faults: Mapping[str, int],
    journal: Sequence[Mapping[str, Any]],
) -> Outcome:
    """Read every run's results and work items and compare them with what was submitted."""
    store = work_store(cloud)
    works = [work for run in runs for work in store.of_run(run) if work.kind is WorkKind.SHARD]
    recorded = Counter(case["workId"] + run for run in runs for case in api.cases(run))
    views = {run: api.run(run) for run in runs}
    ended = [_seconds(views[run]["finishedAt"], began) for run in runs]
    admitted = sorted(works, key=lambda work: work.admitted_at or work.enqueued_at)
    return Outcome(
        shards=shards,
        seconds=max(ended),
        verdicts=dict(Counter(view["verdict"]["kind"] for view in views.values())),
        reasons=tuple(
            _why(run, view, works) for run, view in views.items() if view["verdict"]["kind"] != "passed"
        ),
        recorded=recorded.total(),
        lost=shards - len(recorded),
        doubled=sum(count - 1 for count in recorded.values()),
        unexplained=sum(not work.decision for work in works),
        out_of_order=tuple(_out_of_order(admitted)),
        attempts=sum(line["event"] == "leased" for line in journal),
        median_start={
            priority: _median_start([work for work in works if work.priority == priority], began)
            for priority in ("P0", "P1", "P2")
        },
        faults=faults,
        spans=_spans(journal, runs, began),
    )


def _why(run: str, view: Mapping[str, Any], works: Sequence[Work]) -> str:
    met = {
        work.key.work_id: [str(each) for each in work.failures]
        for work in works
        if work.key.run_id == run and work.failures
    }
    return f"{run}: {json.dumps(view['verdict'])}; {met}"


def work_store(cloud: Cloud) -> DynamoWorkStore:
    """The work items of an embedded cloud."""
    environ = json.loads(cloud.state.outputs["RunnerEnvironment"])
    return DynamoWorkStore(
        dynamo=Dynamo(cloud.client("dynamodb")),
        runs_table=environ["CROSSWIND_RUNS_TABLE"],
        queue_table=environ["CROSSWIND_QUEUE_TABLE"],
        retention=timedelta(days=1),
    )


def _out_of_order(admitted: Sequence[Work]) -> list[str]:
    """Admissions of work that went undisturbed although more urgent, undisturbed work had waited for longer than a look takes."""
    calm = [work for work in admitted if not work.failures and not work.preemptions and work.admitted_at]
    found = []
    for index, work in enumerate(calm):
        for later in calm[index + 1 :]:
            at, other = work.admitted_at, later.admitted_at
            if at is None or other is None or other <= at + SEEN_WITHIN:
                continue
            if later.priority < work.priority and later.enqueued_at + SEEN_WITHIN < at:
                found.append(
                    f"{work.key.work_id} ({work.priority}, {work.team}) before {later.key.work_id} ({later.priority}, {later.team})"
                )
                break
    return found


def _median_start(works: Sequence[Work], began: float) -> float:
    starts = sorted(work.admitted_at.timestamp() - began for work in works if work.admitted_at)
    return starts[len(starts) // 2] if starts else 0.0


def _spans(
    journal: Sequence[Mapping[str, Any]], runs: Mapping[str, tuple[str, str]], began: float
) -> tuple[Span, ...]:
    ends = {
        (line["run"], line["work"], line["epoch"]): float(line["at"])
        for line in journal
        if line["event"] == "committed"
    }
    last = max((float(line["at"]) for line in journal), default=began)
    again = _next_leases(journal)
    spans = []
    for line in journal:
        if line["event"] != "leased" or not line["work"].startswith("shard"):
            continue
        key = (line["run"], line["work"], line["epoch"])
        team, priority = runs[line["run"]]
        end = ends.get(key, again.get(key, last))
        start = float(line["at"])
        spans.append(
            Span(team=team, priority=priority, start=start - began, end=end - began, committed=key in ends)
        )
    return tuple(spans)


def _next_leases(journal: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, int], float]:
    """When a lost lease's work was leased again."""
    found = {}
    for line in journal:
        if line["event"] == "leased":
            found[(line["run"], line["work"], int(line["epoch"]) - 1)] = float(line["at"])
    return found


def _seconds(at: str, began: float) -> float:
    return datetime.fromisoformat(at).timestamp() - began
