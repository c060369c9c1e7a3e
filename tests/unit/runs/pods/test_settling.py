"""What is told of pods whose end nobody saw."""

from dataclasses import replace

import pytest

from crosswind.contracts.pods import PodState
from crosswind.runs.model import InfrastructureFailure, Work, WorkState
from crosswind.runs.pods.settling import settled
from tests.fakes import START
from tests.unit.runs.pods.samples import admitted, leased, make_record

LOST = InfrastructureFailure(attempt=1, reason="lease_lost", detail="no heartbeat for 30 s", at=START)


@pytest.mark.parametrize("work", [admitted(), leased(admitted())], ids=["admitted", "leased"])
def test_a_pod_that_carries_its_work_is_told_as_it_was_seen(work: Work) -> None:
    record = make_record(admitted(), state=PodState.RUNNING)
    assert settled(record, work) == record


def test_a_pod_whose_attempt_was_lost_unseen_is_gone_for_that_reason() -> None:
    again = replace(admitted(), attempt=2, epoch=1, state=WorkState.WAITING, failures=(LOST,))
    told = settled(make_record(admitted(), state=PodState.RUNNING), again)
    assert (told.state, told.reason, told.detail) == (PodState.GONE, "lease_lost", LOST.detail)


def test_a_pod_that_was_handed_back_is_gone_without_a_reason() -> None:
    again = replace(admitted(), epoch=2)
    told = settled(make_record(admitted(), state=PodState.RUNNING), again)
    assert (told.state, told.reason) == (PodState.GONE, None)


@pytest.mark.parametrize("state", [PodState.LAUNCHED, PodState.PENDING, PodState.RUNNING])
def test_a_pod_of_work_that_is_over_is_gone(state: PodState) -> None:
    over = replace(leased(admitted()), state=WorkState.DONE)
    assert settled(make_record(admitted(), state=state), over).state is PodState.GONE


def test_a_pod_of_work_that_nobody_knows_any_more_is_gone() -> None:
    assert settled(make_record(admitted(), state=PodState.RUNNING), None).state is PodState.GONE


@pytest.mark.parametrize("state", [PodState.FAILED, PodState.SUCCEEDED, PodState.REFUSED])
def test_an_end_that_was_seen_stays_what_it_was(state: PodState) -> None:
    record = make_record(admitted(), state=state, reason="evicted")
    over = replace(leased(admitted()), state=WorkState.DONE)
    assert settled(record, over) == record
