"""The shard protocol, transition by transition."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.work import DispatchMessage, WorkOutcome
from crosswind.kernel.errors import LeaseLostError
from crosswind.runs import lifecycle, protocol
from crosswind.runs.answering import answer_of
from crosswind.runs.effects import AnswerToken, Closed, Dispatch, Transition, WakeScheduler
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import (
    LEASE_DURATION,
    REANSWER_AFTER,
    REDISPATCH_AFTER,
    Progress,
    ShardSummary,
    Work,
    WorkState,
)
from tests.fakes import START, make_ticket, make_work

SECOND = timedelta(seconds=1)
CANCELLED = Closed(WorkOutcome.CANCELLED, "cancelled by ada")
SUMMARY = ShardSummary(tests=1, passed=1, failed=0, errors=0, skipped=0, flaky=0, cases_key=None)


def enqueued(**changes: Any) -> Work:
    transition = protocol.enqueue(None, make_ticket(**changes), "t1", token_at=START, now=START, closed=None)
    assert transition is not None
    return transition.work


def admitted(**changes: Any) -> Work:
    transition = protocol.admit(enqueued(**changes), now=START)
    assert transition is not None
    return transition.work


def leased(**changes: Any) -> Work:
    work = admitted(**changes)
    transition = protocol.claim(work, attempt=1, runner_id="r1", now=START)
    assert transition is not None
    return transition.work


def done(**changes: Any) -> Work:
    return committed(leased(**changes)).work


def committed(work: Work, *, prefix: str = "p/") -> Transition:
    return protocol.commit(
        work, epoch=work.epoch, outcome=WorkOutcome.COMPLETED, prefix=prefix, reason=None, now=START
    )


def answers(transition: Transition) -> list[AnswerToken]:
    return [effect for effect in transition.effects if isinstance(effect, AnswerToken)]


class TestPreempt:
    def test_a_borrowed_slot_is_taken_back_and_its_holder_has_lost_its_lease(self) -> None:
        held = replace(leased(), borrowed=True)
        transition = protocol.preempt(held, now=START + SECOND, decision="P0 of team pay lacked a slot.")
        assert transition is not None
        work = transition.work
        assert (work.state, work.lease, work.admitted_at, work.borrowed) == (
            WorkState.WAITING,
            None,
            None,
            False,
        )
        assert (work.epoch, work.attempt, work.failures, work.preemptions) == (held.epoch + 1, 1, (), 1)
        assert work.decision == "P0 of team pay lacked a slot."
        assert transition.effects == ()  # the scheduler that does it looks at the queue again anyway
        with pytest.raises(LeaseLostError):
            protocol.beat(work, epoch=held.epoch, progress=Progress(), now=START + SECOND)

    def test_work_that_no_runner_has_yet_is_taken_back_too_and_its_message_is_stale(self) -> None:
        transition = protocol.preempt(replace(admitted(), borrowed=True), now=START)
        assert transition is not None
        assert protocol.claim(transition.work, attempt=1, runner_id="r1", now=START) is None

    @pytest.mark.parametrize("work", [enqueued(), leased(), replace(done(), borrowed=True)])
    def test_nothing_else_is_taken_back(self, work: Work) -> None:
        assert protocol.preempt(work, now=START) is None

    def test_the_next_admission_says_why_and_whether_it_is_borrowed(self) -> None:
        transition = protocol.admit(enqueued(), now=START, decision="One of 3.", borrowed=True)
        assert transition is not None
        assert (transition.work.decision, transition.work.borrowed) == ("One of 3.", True)

    def test_whoever_gives_back_a_borrowed_slot_owes_nothing_more(self) -> None:
        work = replace(leased(), borrowed=True)
        assert not protocol.hand_back(work, epoch=work.epoch, now=START).work.borrowed
        lost = protocol.fail_attempt(work, epoch=work.epoch, reason="r", detail="d", now=START).work
        assert not lost.borrowed


class TestEnqueue:
    def test_a_new_ticket_waits_with_its_token(self) -> None:
        work = enqueued()
        assert (work.state, work.attempt, work.epoch, work.token) == (WorkState.WAITING, 1, 0, "t1")

    def test_a_later_token_takes_the_work_over(self) -> None:
        transition = protocol.enqueue(
            leased(), make_ticket(), "t2", token_at=START + SECOND, now=START + SECOND, closed=None
        )
        assert transition is not None
        assert (transition.work.token, transition.work.state) == ("t2", WorkState.LEASED)
        assert transition.effects == ()

    def test_an_earlier_token_that_comes_late_changes_nothing(self) -> None:
        work = replace(leased(), token="t2", token_at=START + SECOND)
        assert protocol.enqueue(work, make_ticket(), "t1", token_at=START, now=START, closed=None) is None

    def test_the_same_message_twice_changes_nothing(self) -> None:
        assert (
            protocol.enqueue(enqueued(), make_ticket(), "t1", token_at=START, now=START, closed=None) is None
        )

    def test_done_work_answers_a_new_token_with_its_first_commit(self) -> None:
        work = done()
        transition = protocol.enqueue(
            work, make_ticket(), "t2", token_at=START + SECOND, now=START + SECOND, closed=None
        )
        assert transition is not None
        assert transition.work.commit == work.commit
        assert transition.work.token == "t2"
        assert [answer.token for answer in answers(transition)] == ["t2"]

    def test_done_work_answers_an_old_token_too_and_keeps_the_new_one(self) -> None:
        work = replace(done(), token="t2", token_at=START + SECOND)
        transition = protocol.enqueue(work, make_ticket(), "t1", token_at=START, now=START, closed=None)
        assert transition is not None
        assert transition.work is work
        assert [answer.token for answer in answers(transition)] == ["t1"]

    def test_a_ticket_of_a_cancelled_run_ends_at_once(self) -> None:
        transition = protocol.enqueue(None, make_ticket(), "t1", token_at=START, now=START, closed=CANCELLED)
        assert transition is not None
        (answer,) = answers(transition)
        assert (answer.token, answer.answer.outcome) == ("t1", WorkOutcome.CANCELLED)
        assert transition.work.state is WorkState.DONE

    def test_a_dead_letter_that_was_never_stored_ends_as_an_error(self) -> None:
        transition = protocol.refuse(None, make_ticket(), "t1", token_at=START, now=START, reason="poison")
        assert transition is not None
        assert answers(transition)[0].answer.outcome is WorkOutcome.ERROR

    def test_a_dead_letter_that_was_stored_is_left_in_the_queue(self) -> None:
        assert (
            protocol.refuse(enqueued(), make_ticket(), "t1", token_at=START, now=START, reason="poison")
            is None
        )


class TestAdmission:
    def test_admitted_work_is_dispatched_under_its_attempt(self) -> None:
        transition = protocol.admit(enqueued(), now=START)
        assert transition is not None
        work = transition.work
        assert transition.effects == (
            Dispatch(DispatchMessage(run_id=work.key.run_id, work_id=work.key.work_id, attempt=1)),
        )

    def test_only_waiting_work_is_admitted(self) -> None:
        assert [protocol.admit(work, now=START) for work in (admitted(), leased(), done())] == [None] * 3

    def test_a_message_that_nobody_claims_is_sent_again_once_per_interval(self) -> None:
        work = admitted()
        assert protocol.redispatch(work, now=START + REDISPATCH_AFTER - SECOND) is None
        again = protocol.redispatch(work, now=START + REDISPATCH_AFTER)
        assert again is not None
        assert isinstance(again.effects[0], Dispatch)
        assert protocol.redispatch(again.work, now=START + REDISPATCH_AFTER) is None

    def test_a_message_that_the_queue_gave_up_costs_an_attempt(self) -> None:
        transition = protocol.undelivered(admitted(), attempt=1, now=START, reason="undelivered", detail="x")
        assert transition is not None
        assert (transition.work.state, transition.work.attempt) == (WorkState.WAITING, 2)

    def test_a_given_up_message_of_an_earlier_attempt_is_ignored(self) -> None:
        work = replace(admitted(), attempt=2)
        assert protocol.undelivered(work, attempt=1, now=START, reason="undelivered", detail="x") is None


class TestLease:
    def test_each_claim_raises_the_epoch(self) -> None:
        work = leased()
        assert (work.epoch, work.lease and work.lease.expires_at) == (1, START + LEASE_DURATION)

    @pytest.mark.parametrize("work", [enqueued(), leased(), done()], ids=["waiting", "leased", "done"])
    def test_a_claim_of_what_is_not_admitted_is_stale(self, work: Work) -> None:
        assert protocol.claim(work, attempt=1, runner_id="r2", now=START) is None

    def test_a_claim_of_another_attempt_is_stale(self) -> None:
        assert protocol.claim(admitted(), attempt=2, runner_id="r2", now=START) is None

    def test_a_heartbeat_extends_the_lease_and_tells_progress(self) -> None:
        beaten = protocol.beat(leased(), epoch=1, progress=Progress(tests_done=3), now=START + SECOND).work
        assert beaten.lease is not None
        assert beaten.lease.expires_at == START + SECOND + LEASE_DURATION
        assert beaten.progress.tests_done == 3

    def test_a_holder_of_an_older_epoch_may_do_nothing(self) -> None:
        work = replace(leased(), epoch=2)
        with pytest.raises(LeaseLostError):
            protocol.beat(work, epoch=1, progress=Progress(), now=START)
        with pytest.raises(LeaseLostError):
            protocol.commit(work, epoch=1, outcome=WorkOutcome.COMPLETED, prefix="p/", reason=None, now=START)
        with pytest.raises(LeaseLostError):
            protocol.hand_back(work, epoch=1, now=START)
        with pytest.raises(LeaseLostError):
            protocol.fail_attempt(work, epoch=1, reason="runner_error", detail="x", now=START)

    def test_handing_back_costs_no_attempt(self) -> None:
        transition = protocol.hand_back(leased(), epoch=1, now=START)
        work = transition.work
        assert (work.state, work.attempt, work.failures) == (WorkState.WAITING, 1, ())
        assert WakeScheduler() in transition.effects


class TestCommit:
    def test_a_commit_answers_the_current_token_and_frees_the_slot(self) -> None:
        transition = committed(replace(leased(), token="t2"))
        assert [answer.token for answer in answers(transition)] == ["t2"]
        assert WakeScheduler() in transition.effects
        assert transition.work.commit is not None
        assert transition.work.commit.prefix == "p/"

    def test_a_repeated_commit_answers_again_and_changes_nothing(self) -> None:
        first = committed(leased())
        again = protocol.commit(
            first.work, epoch=1, outcome=WorkOutcome.COMPLETED, prefix="p/", reason=None, now=START + SECOND
        )
        assert again.work is first.work
        assert answers(again) == answers(first)

    def test_a_commit_after_a_cancel_is_lost(self) -> None:
        work = leased()
        cancelled = protocol.cancel(work, reason="x", now=START)
        assert cancelled is not None
        with pytest.raises(LeaseLostError):
            committed(cancelled.work)


class TestLoss:
    def test_a_lease_lapses_only_when_it_is_over(self) -> None:
        work = leased()
        assert protocol.lapse(work, now=START + LEASE_DURATION - SECOND) is None
        assert protocol.lapse(work, now=START + LEASE_DURATION) is not None

    def test_the_first_retry_is_immediate_and_later_ones_wait_longer(self) -> None:
        work, pauses = leased(infrastructure_retries=10), []
        for _ in range(4):
            work = protocol.fail_attempt(
                work, epoch=work.epoch, reason=InfrastructureReason.RUNNER_ERROR, detail="d", now=START
            ).work
            assert work.not_before is not None
            pauses.append((work.not_before - START).total_seconds())
            again = protocol.admit(work, now=START)
            assert again is not None
            claimed = protocol.claim(again.work, attempt=work.attempt, runner_id="r", now=START)
            assert claimed is not None
            work = claimed.work
        assert pauses[0] == 0
        assert all(
            longest / 2 <= pause <= longest for pause, longest in zip(pauses[1:], (2, 4, 8), strict=True)
        )

    def test_a_lost_attempt_without_budget_ends_as_an_error_that_tells_why(self) -> None:
        transition = protocol.lapse(leased(infrastructure_retries=0), now=START + LEASE_DURATION)
        assert transition is not None
        (answer,) = answers(transition)
        assert answer.answer.outcome is WorkOutcome.ERROR
        assert answer.answer.reason is not None
        assert answer.answer.reason.startswith("lease_lost: runner r1")

    def test_waiting_too_long_ends_as_a_queue_timeout(self) -> None:
        work = enqueued(queue_seconds=60)
        assert protocol.queue_timeout(work, now=START + 59 * SECOND) is None
        transition = protocol.queue_timeout(work, now=START + 60 * SECOND)
        assert transition is not None
        assert transition.work.commit is not None
        assert str(transition.work.commit.reason).startswith("queue_timeout")

    def test_time_spent_on_a_runner_is_no_time_in_the_queue(self) -> None:
        late = START + 50 * SECOND
        work = protocol.hand_back(leased(queue_seconds=60), epoch=1, now=late).work
        assert protocol.queue_timeout(work, now=START + 70 * SECOND) is None
        assert protocol.queue_timeout(work, now=late + 60 * SECOND) is not None

    def test_an_answer_that_nobody_consumed_is_repeated(self) -> None:
        work = done()
        assert protocol.answer_again(work, now=START + REANSWER_AFTER - SECOND) is None
        again = protocol.answer_again(work, now=START + REANSWER_AFTER)
        assert again is not None
        assert len(answers(again)) == 1

    def test_an_ingested_answer_is_not_repeated(self) -> None:
        assert protocol.answer_again(replace(done(), summary=SUMMARY), now=START + REANSWER_AFTER) is None

    @pytest.mark.parametrize(
        "work", [enqueued(), admitted(), leased()], ids=["waiting", "admitted", "leased"]
    )
    def test_cancel_and_give_up_end_work_wherever_it_is(self, work: Work) -> None:
        for end, outcome in ((protocol.cancel, WorkOutcome.CANCELLED), (protocol.give_up, WorkOutcome.ERROR)):
            transition = end(work, reason="why", now=START)
            assert transition is not None
            assert transition.work.commit is not None
            assert transition.work.commit.outcome is outcome
            assert answers(transition)

    def test_done_work_is_neither_cancelled_nor_given_up(self) -> None:
        assert protocol.cancel(done(), reason="x", now=START) is None
        assert protocol.give_up(done(), reason="x", now=START) is None
        assert protocol.close(done(), CANCELLED, now=START) is None

    def test_unfinished_work_has_no_answer(self) -> None:
        with pytest.raises(ValueError, match="not done"):
            answer_of(make_work())


class TestReading:
    def test_the_last_movement_is_the_latest_moment_told(self) -> None:
        work = protocol.beat(leased(), epoch=1, progress=Progress(), now=START + 9 * SECOND).work
        assert lifecycle.last_moved([enqueued(), work]) == START + 9 * SECOND
        assert lifecycle.last_moved([]) is None
