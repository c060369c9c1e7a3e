"""What is done about a Job, seen beside its work."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.pods import PodState
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.infrastructure import InfrastructureReason as Reason
from crosswind.runs.model import Commit, Work, WorkState
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.model import Condition, ContainerFacts, JobFacts, PodFacts, PodRecord
from crosswind.runs.pods.naming import carrier_of
from crosswind.runs.pods.observing import Act, GiveUp, Lose, Observation, Remove, Replace, observe
from tests.fakes import START
from tests.unit.runs.pods.samples import (
    FARGATE,
    ON_DEMAND,
    admitted,
    disrupted,
    leased,
    make_cluster,
    make_job,
    make_pod,
    make_record,
    running_pod,
)

CLUSTER = make_cluster(FARGATE, ON_DEMAND, pending="4m")
WORK = admitted()
CARRIER = carrier_of(WORK)
SOON = START + timedelta(seconds=30)
LATE = START + timedelta(minutes=5)


def look(
    *pods: PodFacts,
    work: Work | None = WORK,
    record: PodRecord | None = None,
    now: datetime = SOON,
    **job: Any,
) -> Observation:
    facts: JobFacts = make_job(CARRIER, *pods, **job)
    return observe(facts, work, record or make_record(WORK), CLUSTER, now=now)


def acts(*pods: PodFacts, **given: Any) -> tuple[Act, ...]:
    return look(*pods, **given).acts


def failed(agent: ContainerFacts | None = None, **changes: Any) -> PodFacts:
    return make_pod("Failed", containers=(agent,) if agent else (), **changes)


def test_a_pod_that_runs_its_work_is_left_alone_and_noted() -> None:
    seen = look(running_pod(node="n1", provisioned=Size(1000, 3072)), work=leased(WORK))

    assert seen.acts == ()
    assert seen.record is not None
    assert (seen.record.state, seen.record.node) == (PodState.RUNNING, "n1")
    assert seen.record.started_at == START + timedelta(seconds=20)
    assert seen.record.provisioned == Size(1000, 3072)


@pytest.mark.parametrize(
    ("reason", "spot", "code"),
    [
        ("PreemptionByScheduler", False, Reason.POD_PREEMPTED),
        ("EvictionByEvictionAPI", False, Reason.EVICTED),
        ("EvictionByEvictionAPI", True, Reason.SPOT),
        ("DeletionByTaintManager", False, Reason.NODE_LOST),
        ("DeletionByPodGC", True, Reason.SPOT),
        ("TerminationByKubelet", False, Reason.EVICTED),
    ],
)
def test_a_disruption_is_told_by_its_kind(reason: str, spot: bool, code: Reason) -> None:
    pod = failed(conditions=(disrupted(reason),), spot=spot)

    (act,) = acts(pod, work=leased(WORK))

    assert isinstance(act, Lose)
    assert act.reason is code


def test_pressure_on_a_spot_machine_is_no_reclaim() -> None:
    message = "The node was low on resource: memory."
    pod = failed(conditions=(disrupted("TerminationByKubelet", message),), spot=True)

    (act,) = acts(pod, work=leased(WORK))

    assert act == Lose(Reason.EVICTED, message)


def test_a_pod_under_deletion_by_a_disruption_is_lost_before_it_is_gone() -> None:
    pod = running_pod(conditions=(disrupted("EvictionByEvictionAPI"),), deleted_at=START)

    (act,) = acts(pod, work=leased(WORK))

    assert isinstance(act, Lose)


@pytest.mark.parametrize(
    ("container", "code", "text"),
    [
        (ContainerFacts(name="agent", exit_code=137, terminated="OOMKilled"), Reason.OOM_RUNNER, "memory"),
        (ContainerFacts(name="agent", exit_code=137, terminated="Error"), Reason.RUNNER_ERROR, "was killed"),
        (ContainerFacts(name="agent", exit_code=2, terminated="Error"), Reason.RUNNER_ERROR, "status 2"),
    ],
)
def test_an_agent_that_fails_says_how(container: ContainerFacts, code: Reason, text: str) -> None:
    (act,) = acts(failed(container), work=leased(WORK))

    assert isinstance(act, Lose)
    assert act.reason is code
    assert text in act.detail


@pytest.mark.parametrize("status", [0, 143, 137])
def test_a_pod_that_somebody_deletes_is_told_as_such_and_not_by_how_its_agent_ended(status: int) -> None:
    agent = ContainerFacts(name="agent", exit_code=status, terminated="Error")

    (act,) = acts(failed(agent, deleted_at=START), work=leased(WORK))

    assert act == Lose(Reason.POD_GONE, "somebody deleted its pod")


def test_a_pod_that_its_jobs_deadline_deletes_was_late() -> None:
    agent = ContainerFacts(name="agent", exit_code=143, terminated="Error")
    late = Condition(type="FailureTarget", status=True, reason="DeadlineExceeded", message="too long")

    (act,) = acts(failed(agent, deleted_at=START), work=leased(WORK), conditions=(late,))

    assert act == Lose(Reason.POD_DEADLINE, "too long")


def test_an_end_that_was_told_is_not_told_anew_by_what_is_left_of_it() -> None:
    told = make_record(WORK, state=PodState.FAILED, reason="evicted", detail="low on memory")
    gone = Condition(type="Failed", status=True, reason="PodFailurePolicy", message="exit code 143")

    assert look(record=told, conditions=(gone,)).record == told


@pytest.mark.parametrize(
    ("condition", "spot", "code"),
    [
        (("BackoffLimitExceeded", "Job has reached the specified backoff limit"), False, Reason.POD_GONE),
        (("DeadlineExceeded", "Job was active longer than specified deadline"), False, Reason.POD_DEADLINE),
        (
            ("PodFailurePolicy", "Pod a/b has condition DisruptionTarget matching FailJob rule at index 0"),
            True,
            Reason.SPOT,
        ),
        (
            ("PodFailurePolicy", "Pod a/b has condition DisruptionTarget matching FailJob rule at index 0"),
            False,
            Reason.EVICTED,
        ),
    ],
)
def test_a_job_whose_pod_is_gone_still_tells_why(
    condition: tuple[str, str], spot: bool, code: Reason
) -> None:
    ended = Condition(type="Failed", status=True, reason=condition[0], message=condition[1], at=START)

    (act,) = acts(conditions=(ended,), spot=spot)

    assert isinstance(act, Lose)
    assert act.reason is code


def test_a_pod_that_ended_well_without_its_work_is_lost_after_a_moment() -> None:
    agent = ContainerFacts(name="agent", exit_code=0, terminated="Completed", finished_at=START)
    pod = make_pod("Succeeded", containers=(agent,))

    assert acts(pod, work=leased(WORK), now=START + timedelta(seconds=5)) == ()
    (act,) = acts(pod, work=leased(WORK), now=START + timedelta(seconds=11))
    assert isinstance(act, Lose)
    assert "without ending its work" in act.detail


def test_a_pending_pod_is_made_again_then_moved_then_given_up() -> None:
    waiting = make_pod(
        "Pending",
        conditions=(Condition(type="PodScheduled", status=False, message="0/3 nodes are available"),),
    )

    def after(number: int) -> tuple[Act, ...]:
        carrier = carrier_of(WORK, number=number)
        return observe(
            make_job(carrier, waiting), WORK, make_record(WORK, carrier=carrier), CLUSTER, now=LATE
        ).acts

    assert acts(waiting, now=SOON) == ()
    assert after(0) == (Replace("0/3 nodes are available", elsewhere=False),)
    assert after(1) == (Replace("0/3 nodes are available", elsewhere=True),)
    assert after(2) == (Replace("0/3 nodes are available", elsewhere=False),)
    lost, removed = after(3)
    assert lost == Lose(Reason.CAPACITY, "0/3 nodes are available", unless_begun=True)
    assert isinstance(removed, Remove)


def test_an_image_that_cannot_be_pulled_is_lost_with_what_the_kubelet_says() -> None:
    pod = make_pod(
        "Pending", containers=(ContainerFacts(name="tests", waiting="ImagePullBackOff", message="not found"),)
    )

    assert acts(pod, now=SOON) == ()
    lost, removed = acts(pod, now=START + timedelta(seconds=60))
    assert lost == Lose(Reason.IMAGE_PULL, "container tests: ImagePullBackOff: not found", unless_begun=True)
    assert isinstance(removed, Remove)


def test_an_image_has_its_time_from_the_moment_that_the_pod_has_a_machine() -> None:
    machine = START + timedelta(seconds=70)
    scheduled = Condition(type="PodScheduled", status=True, at=machine)
    failing = ContainerFacts(name="tests", waiting="ErrImagePull", message="too many requests")
    pod = make_pod("Pending", containers=(failing,), conditions=(scheduled,))

    assert acts(pod, now=machine + timedelta(seconds=10)) == ()
    assert len(acts(pod, now=machine + timedelta(seconds=60))) == 2


def test_a_service_that_is_not_ready_in_time_is_named() -> None:
    pod = make_pod("Pending", containers=(ContainerFacts(name="service-db", restarts=1),))

    lost, _ = acts(pod, now=SOON)

    assert isinstance(lost, Lose)
    assert lost.reason is Reason.SERVICE_NOT_READY
    assert "service db" in lost.detail


def test_a_pod_that_admission_refuses_ends_the_work_with_the_reason() -> None:
    told = 'FailedCreate: Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest"'

    assert acts(events=(told,), now=START + timedelta(seconds=5)) == ()
    given_up, removed = acts(events=(told,), now=SOON)
    assert given_up == GiveUp(Reason.CLUSTER_REFUSED, told)
    assert isinstance(removed, Remove)


def test_a_full_quota_is_waited_out_before_the_attempt_is_lost() -> None:
    told = 'FailedCreate: Error creating: pods "x" is forbidden: exceeded quota: team'

    assert acts(events=(told,), now=SOON) == ()
    lost, _ = acts(events=(told,), now=LATE)
    assert lost == Lose(Reason.CLUSTER_QUOTA, told, unless_begun=True)


@pytest.mark.parametrize(
    "work",
    [
        replace(WORK, epoch=1),
        replace(WORK, attempt=2),
        replace(WORK, state=WorkState.WAITING),
        leased(replace(WORK, epoch=4)),
    ],
)
def test_a_job_whose_work_has_moved_on_is_removed_and_loses_nothing(work: Work) -> None:
    (act,) = acts(running_pod(), work=work)

    assert act == Remove("its work has moved on")


@pytest.mark.parametrize("forged", [{"name": "cw-of-somebody"}, {"namespace": "crosswind-other"}])
def test_a_job_of_somebody_else_that_names_this_work_says_nothing_of_it(forged: dict[str, Any]) -> None:
    agent = ContainerFacts(name="agent", exit_code=1, terminated="Error")

    assert look(failed(agent), work=leased(WORK), **forged) == Observation(None)


def test_a_job_that_was_replaced_is_removed() -> None:
    record = make_record(WORK, carrier=carrier_of(WORK, number=1))

    (act,) = acts(running_pod(), record=record)

    assert isinstance(act, Remove)


def test_a_pod_may_finish_after_its_commit_and_not_after_a_cancel() -> None:
    commit = Commit(outcome=WorkOutcome.COMPLETED, attempt=1, epoch=1, at=START, prefix="runs/x")
    done = replace(WORK, state=WorkState.DONE, commit=commit)
    cancelled = replace(done, commit=replace(commit, outcome=WorkOutcome.CANCELLED, prefix=None))

    assert acts(running_pod(), work=done) == ()
    assert acts(running_pod(), work=done, now=START + timedelta(seconds=61)) == (Remove("its work is over"),)
    assert acts(running_pod(), work=cancelled) == (Remove("its work is over"),)


def test_what_no_work_needs_is_an_orphan_and_one_that_is_going_is_left() -> None:
    assert len(acts(running_pod(), work=None)) == 1
    assert acts(running_pod(), work=None, deleted_at=START) == ()


def test_a_record_says_what_the_pod_waits_for_and_on_which_capacity_it_really_is() -> None:
    record = make_record(WORK, capacity=CapacityKind.ON_DEMAND)
    waiting = make_pod(
        "Pending", containers=(ContainerFacts(name="tests", waiting="ErrImagePull"),), spot=True
    )

    seen = look(waiting, record=record).record

    assert seen is not None
    assert (seen.state, seen.reason) == (PodState.PENDING, "image_pull")
    assert seen.capacity is CapacityKind.SPOT
