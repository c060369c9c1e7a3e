"""How an attempt ends: interrupted, handed back, failed, committed after all."""

import threading
from dataclasses import replace
from typing import Any

import psutil

from crosswind.contracts.work import DispatchMessage, WorkOutcome
from crosswind.kernel.errors import DependencyError, LeaseLostError
from crosswind.runner.faults import Cause, Interruption
from crosswind.runner.heartbeat import Heartbeat
from crosswind.runs import protocol
from crosswind.runs.model import Progress, Work, WorkState
from tests.fakes import START, make_work
from tests.unit.runner.rig import Rig, wait_until

SLOW = "echo $$ > pid; echo begun; sleep 60"
TALKING = (
    "echo $$ > pid; echo begun; while :; do echo on; sleep 0.05; done"  # each line is progress, hence a beat
)


def begin(rig: Rig, command: str = SLOW, **changes: Any) -> threading.Thread:
    """Let the runner work in a thread until the command has begun."""
    rig.admit(rig.shard({}, command=command, **changes))
    thread = threading.Thread(target=rig.agent.run, daemon=True)
    thread.start()
    wait_until(lambda: list(rig.folder.glob("attempts/*/*/work/pid")) and "begun" in rig.log())
    return thread


def force(rig: Rig, work: Work) -> None:
    """Store a change of someone else, whatever the heartbeat does meanwhile."""
    with rig.works.queue.lock:
        rig.works.save(rig.work(), work)


def pid_of(rig: Rig) -> int:
    """The command's process."""
    (path,) = rig.folder.glob("attempts/*/*/work/pid")
    return int(path.read_text())


def test_a_stop_kills_the_tree_and_hands_the_work_back_uncounted(rig: Rig) -> None:
    thread = begin(rig)
    pid = pid_of(rig)
    rig.agent.stop()
    thread.join(15)
    assert not thread.is_alive()
    assert not psutil.pid_exists(pid)
    assert (rig.work().state, rig.work().attempt) == (WorkState.WAITING, 1)
    assert rig.work().failures == ()
    assert not rig.tokens.answers


def test_a_zombie_uploads_nothing_more_and_goes_on_with_the_next_message(rig: Rig) -> None:
    thread = begin(rig, TALKING, artifacts=("pid",), reports=("pid",))
    pid = pid_of(rig)
    force(rig, replace(rig.work(), state=WorkState.DONE))
    wait_until(lambda: not list(rig.folder.glob("attempts/*/*")))
    assert not psutil.pid_exists(pid)
    seen = rig.uploaded()
    rig.admit(rig.shard({}, command="true"), number=1)
    next_key = make_work(1).key
    wait_until(lambda: rig.works.items[next_key].state is WorkState.DONE)
    assert {key for key in rig.uploaded() if "shard-00000" in key} == seen
    assert all("/log/" in key or "/events/" in key for key in seen)
    rig.agent.stop()
    thread.join(15)
    assert not thread.is_alive()


def test_a_cancelled_shard_is_killed_by_the_next_heartbeat(rig: Rig) -> None:
    thread = begin(rig, TALKING)
    transition = protocol.cancel(rig.work(), reason="ada asked", now=START)
    assert transition is not None
    force(rig, transition.work)
    wait_until(lambda: not list(rig.folder.glob("attempts/*/*")))
    commit = rig.work().commit
    assert commit is not None
    assert commit.outcome is WorkOutcome.CANCELLED
    rig.agent.stop()
    thread.join(15)


def test_progress_is_told_while_a_command_runs(rig: Rig) -> None:
    thread = begin(rig)
    wait_until(lambda: rig.work().progress.log_bytes > 0)
    rig.agent.stop()
    thread.join(15)


def test_a_commit_is_tried_again_while_the_connection_is_away(rig: Rig) -> None:
    tries = []
    commit = rig.leasing.commit

    def unreliable(work: Work, **changes: Any) -> Work:
        tries.append(work)
        if len(tries) < 3:
            raise DependencyError("away")
        return commit(work, **changes)

    rig.agent.leasing = replace(rig.leasing, commit=unreliable)
    assert rig.carry_out(rig.shard({}, command="true")).state is WorkState.DONE
    assert len(tries) == 3


def test_an_unknown_fault_of_the_runner_never_loses_the_work(rig: Rig) -> None:
    def broken(key: str, data: bytes, *, content_type: str = "") -> None:
        raise RuntimeError("a bug")

    order = rig.shard({}, command="true")
    rig.admit(order)
    rig.artifacts.put = broken  # type: ignore[method-assign]
    receipt, message = rig.queue.messages.pop()
    rig.agent.take(receipt, message)
    (failure,) = rig.work().failures
    assert (failure.reason, failure.detail) == ("runner_error", "RuntimeError: a bug")


def test_a_message_stays_hidden_when_claiming_fails_and_goes_back_when_the_runner_stops(rig: Rig) -> None:
    message = rig.admit(rig.shard({}, command="true"))

    def away(*_: Any, **__: Any) -> Work | None:
        raise DependencyError("away")

    rig.agent.leasing = replace(rig.leasing, claim=away)
    rig.agent.take("first", message)
    rig.agent.stop()
    rig.agent.take("second", message)
    assert rig.queue.released == ["second"]
    assert rig.queue.deleted == []


def test_heartbeats_survive_a_lost_connection_and_notice_a_lost_lease() -> None:
    answers: list[Exception | None] = [DependencyError("away"), None, LeaseLostError("taken")]
    beats = []

    def beat(work: Work, progress: Progress) -> Work:
        beats.append(progress)
        answer = answers.pop(0)
        if answer:
            raise answer
        return replace(work, version=work.version + 1)

    interruption = Interruption()
    heartbeat = Heartbeat(
        beat,
        make_work(),
        progress=Progress,
        interruption=interruption,
        tick_seconds=0.01,
        interval_seconds=0.02,
    )
    heartbeat.start()
    assert interruption.wait(5)
    assert interruption.cause is Cause.LEASE_LOST
    assert heartbeat.stop().version == 1
    assert len(beats) == 3


def test_a_runner_of_one_job_carries_out_its_work_and_no_other(rig: Rig) -> None:
    rig.admit(rig.shard({}, command="true"))
    rig.admit(rig.shard({}, command="true"), number=1)
    key = make_work(1).key

    rig.agent.run_once(DispatchMessage(run_id=key.run_id, work_id=key.work_id, attempt=1))

    assert rig.works.items[key].state is WorkState.DONE
    assert rig.works.items[make_work().key].state is WorkState.ADMITTED
    assert len(rig.queue.messages) == 2, "no queue is read"


def test_a_runner_of_one_job_that_comes_too_late_takes_nothing(rig: Rig) -> None:
    rig.admit(rig.shard({}, command="true"))

    rig.agent.run_once(DispatchMessage(run_id=rig.work().key.run_id, work_id="shard-00000", attempt=2))

    assert rig.work().state is WorkState.ADMITTED
