"""Workers of a load job: they begin together or not at all, and hand in what they measured. The tool is a stand-in."""

import sys
import time
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest

from crosswind.contracts.load import LoadOrder, LoadResult
from crosswind.contracts.work import ShardOrder, ShardResult, WorkOutcome
from crosswind.kernel.clock import SystemClock
from crosswind.runner import loading
from crosswind.runs.layout import attempt_prefix, result_key
from crosswind.runs.load import barrier, merging
from crosswind.runs.load.barrier import Start, Stop
from crosswind.runs.model import LEASE_DURATION, Commit, Lease, Work, WorkKey, WorkState
from crosswind.runs.usecases.loading import MergeLoad
from tests.fakes import make_work
from tests.unit.runner.rig import Rig

GROUP = "load-shard-00000"
TOOL = """
import datetime, json, os, sys
if sys.argv[1] == "inspect":
    if os.path.exists("broken"):
        sys.exit("SyntaxError: load.js: unexpected token")
    print(json.dumps({"thresholds": {"http_req_duration": ["p(95)<500", {"threshold": "avg<9"}]}}))
    sys.exit()
print("segment", sys.argv[sys.argv.index("--execution-segment") + 1])
out = sys.argv[sys.argv.index("--out") + 1].removeprefix("json=")
with open(out, "w") as stream:
    def say(kind, metric, **data):
        stream.write(json.dumps({"metric": metric, "type": kind, "data": data}) + "\\n")
    say("Metric", "http_req_duration", name="http_req_duration", type="trend")
    for number in range(int(os.environ.get("REQUESTS", "200"))):
        tags = {"name": "/", "method": "GET", "status": "200", "expected_response": "true"}
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        say("Point", "http_req_duration", time=now, value=10.0 + number % 10, tags=tags)
        say("Point", "checks", time=now, value=1, tags={"check": "is 200", "group": "::buy"})
sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting beyond need."""
    monkeypatch.setattr(barrier, "LEAD", timedelta(seconds=0.4))
    monkeypatch.setattr(loading, "POLL_SECONDS", 0.05)


def order(
    rig: Rig, worker: int, workers: int, *, within: int = 20, files: tuple[str, ...] = (), **env: str
) -> ShardOrder:
    load = LoadOrder(
        group=GROUP,
        workers=tuple(f"shard-{number:05d}" for number in range(workers)),
        ready_within_seconds=within,
        thresholds={"latency": ("p(95)<500ms",)},
    )
    return rig.shard(
        {"k6.py": TOOL, "load.js": "", **dict.fromkeys(files, "")},
        framework="k6",
        command=f"{sys.executable} k6.py",
        args=("load.js",),
        env=env,
        load=load,
        shard_index=worker,
        shard_count=workers,
    )


def others(rig: Rig, *numbers: int) -> None:
    """Other workers, each leased by a runner elsewhere, that say they are ready."""
    now = SystemClock().now()
    for number in numbers:
        lease = Lease(runner_id=f"runner-{number}", started_at=now, expires_at=now + LEASE_DURATION)
        held = make_work(number, state=WorkState.LEASED, epoch=1, lease=lease, group=GROUP)
        held = rig.works.save(None, held)
        rig.barriers.open(held.key.run_id, GROUP, at=now)
        rig.barriers.say_ready(GROUP, holder=held, at=now)


def carry_out(rig: Rig, order: ShardOrder) -> Work:
    """Worker 0, as a runner carries it out."""
    message = rig.admit(order)
    rig.queue.messages.clear()
    rig.agent.take("receipt-0", message)
    return rig.works.items[WorkKey(message.run_id, message.work_id)]


def measured(rig: Rig, work: Work) -> LoadResult:
    assert work.commit is not None
    key = f"{work.commit.prefix}load.json"
    return LoadResult.model_validate_json(rig.artifacts.objects[key].data)


def result_of(rig: Rig, work: Work) -> ShardResult:
    assert work.commit is not None
    return ShardResult.model_validate_json(rig.artifacts.objects[result_key(str(work.commit.prefix))].data)


def test_a_worker_begins_with_the_others_and_hands_in_what_it_measured(rig: Rig) -> None:
    others(rig, 1, 2)
    work = carry_out(rig, order(rig, 0, 3))

    decision = rig.barriers.get(work.key.run_id, GROUP).decision
    assert isinstance(decision, Start)
    assert decision.epochs == {"shard-00000": 1, "shard-00001": 1, "shard-00002": 1}
    result = measured(rig, work)
    assert result.start_at == decision.at.timestamp()
    assert result.first_at is not None
    assert result.start_at <= result.first_at < result.start_at + 10
    assert result.unread == 0
    assert result.thresholds == {"http_req_duration": ("p(95)<500", "avg<9")}
    merged = merging.merge([result])
    assert merged.count == 200
    assert merged.checks == {"buy / is 200": (200, 0)}
    assert "segment 0:1/3" in rig.log()
    assert not list(rig.folder.glob("attempts/*/*"))


def test_the_last_one_that_is_read_judges_all(rig: Rig) -> None:
    given = order(rig, 0, 2)
    others(rig, 1)
    work = carry_out(rig, given)
    merge = MergeLoad(rig.runs, rig.works, rig.artifacts, rig.barriers)
    assert merge(work, given) is None  # the other one goes on
    other = rig.works.items[replace(work.key, work_id="shard-00001")]
    prefix = attempt_prefix(other)
    key = f"{prefix}load.json"
    rig.artifacts.put(key, measured(rig, work).to_wire().encode())
    rig.artifacts.put(
        result_key(prefix), result_of(rig, work).model_copy(update={"load_key": key}).to_wire().encode()
    )
    commit = Commit(WorkOutcome.COMPLETED, 1, 1, SystemClock().now(), prefix=prefix)
    other = rig.works.save(other, replace(other, state=WorkState.DONE, lease=None, commit=commit))

    judged = merge(other, given)

    assert judged is not None
    assert {case.name: case.status for case in judged.cases} == {
        "load": "passed",
        "threshold http_req_duration p(95)<500": "passed",
        "threshold http_req_duration avg<9": "failed",
        "threshold latency p(95)<500ms": "passed",
        "check buy / is 200": "passed",
        "request GET /": "passed",
    }
    assert judged.cases[0].message.startswith("400 requests by 2 workers")
    assert merge(work, given) is None  # the other one has it
    assert merge(other, given) == judged  # and may repeat it


def test_all_stop_with_the_reason_when_not_all_are_ready_in_time(rig: Rig) -> None:
    others(rig, 1, 2)
    work = carry_out(rig, order(rig, 0, 5, within=1))

    assert work.state is WorkState.DONE
    assert work.commit is not None
    assert work.commit.outcome is WorkOutcome.ERROR
    assert work.commit.reason == "not_started: 3 of 5 workers were ready within 1 s"
    assert work.failures == ()
    assert "segment" not in rig.log()


def test_one_that_cannot_run_the_script_keeps_all_from_beginning(rig: Rig) -> None:
    others(rig, 1)
    work = carry_out(rig, order(rig, 0, 2, files=("broken",)))

    decision = rig.barriers.get(work.key.run_id, GROUP).decision
    assert isinstance(decision, Stop)
    assert decision.reason.startswith("shard-00000: k6 cannot run the script: it ended with exit status 1")
    assert work.commit is not None
    assert work.commit.outcome is WorkOutcome.COMPLETED
    assert str(result_of(rig, work).load_error).startswith("k6 cannot run the script")
    assert "SyntaxError" in rig.log()


def test_a_worker_stops_with_what_another_one_said(rig: Rig) -> None:
    others(rig, 1)
    run_id = make_work(0).key.run_id
    rig.barriers.stop(run_id, GROUP, Stop("shard-00001: k6 cannot run the script", SystemClock().now()))

    work = carry_out(rig, order(rig, 0, 2))

    assert work.commit is not None
    assert work.commit.reason == "not_started: shard-00001: k6 cannot run the script"
    assert rig.log() == "[crosswind] The load does not begin here: shard-00001: k6 cannot run the script.\n"


def test_an_attempt_that_comes_after_the_start_does_not_begin(rig: Rig) -> None:
    at = SystemClock().now()
    run_id = make_work(0).key.run_id
    rig.barriers.barriers[run_id, GROUP] = barrier.Barrier(
        run_id, GROUP, at, {}, Start(at, {"shard-00000": 7})
    )

    work = carry_out(rig, order(rig, 0, 1))

    assert work.commit is not None
    assert work.commit.outcome is WorkOutcome.ERROR
    assert "the load began without it" in str(work.commit.reason)


def test_a_runner_that_must_stop_hands_its_worker_back(rig: Rig) -> None:
    message = rig.admit(order(rig, 0, 2))
    rig.queue.messages.clear()
    thread = Thread(target=rig.agent.take, args=("receipt-0", message))
    thread.start()
    while not any(known.ready for known in list(rig.barriers.barriers.values())):
        assert thread.is_alive()
        time.sleep(0.01)
    rig.agent.stop()
    thread.join(20)

    assert not thread.is_alive()
    assert rig.work().state is WorkState.WAITING
    assert rig.work().attempt == 1
