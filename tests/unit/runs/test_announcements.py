"""Work that tells while it goes on: one leased piece of work answers several waits of a state machine in turn."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import Ticket, WorkAnswer, WorkKind, WorkOutcome
from crosswind.kernel.errors import InvalidInputError, LeaseLostError
from crosswind.runs import protocol
from crosswind.runs.effects import AnswerToken, Transition
from crosswind.runs.model import LEASE_DURATION, REANSWER_AFTER, Progress, Work
from tests.fakes import START, make_ticket

WAITS = (1, 2, 3, None)  # what the machine waits for, in this order


def ticket(awaits: int | None) -> Ticket:
    return make_ticket(
        kind=WorkKind.MONITOR, priority=Priority.P0, infrastructure_retries=0, concurrency=1
    ).model_copy(update={"awaits": awaits})


def enqueue(work: Work | None, awaits: int | None, *, after: float = 0.0) -> Transition | None:
    at = START + timedelta(seconds=after)
    return protocol.enqueue(work, ticket(awaits), f"token-{awaits}", token_at=at, now=at, closed=None)


def leased(awaits: int | None = 1) -> Work:
    waiting = enqueue(None, awaits)
    assert waiting is not None
    admitted = protocol.admit(waiting.work, now=START)
    assert admitted is not None
    held = protocol.claim(admitted.work, attempt=1, runner_id="r", now=START)
    assert held is not None
    return held.work


def announce(work: Work, number: int, name: str = "live") -> Transition:
    return protocol.announce(work, epoch=work.epoch, number=number, name=name, detail=None, now=START)


def answers(transition: Transition | None) -> list[tuple[str, str, int | None]]:
    effects = transition.effects if transition else ()
    return [
        (each.token, each.answer.outcome.value, told.number if (told := each.answer.announcement) else None)
        for each in effects
        if isinstance(each, AnswerToken)
    ]


def test_the_token_that_waits_for_an_announcement_is_answered_with_it() -> None:
    told = announce(leased(awaits=1), 1)
    assert answers(told) == [("token-1", "announced", 1)]
    assert told.work.commit is None


def test_one_that_waits_for_the_end_hears_of_no_announcement() -> None:
    assert answers(announce(leased(awaits=None), 1)) == []


def test_one_that_comes_after_the_announcement_is_answered_on_arrival() -> None:
    told = announce(announce(leased(awaits=1), 1).work, 2, "step-over")
    assert answers(enqueue(told.work, 2, after=1)) == [("token-2", "announced", 2)]


def test_one_that_comes_before_waits() -> None:
    told = announce(leased(awaits=1), 1)
    waiting = enqueue(told.work, 2, after=1)
    assert waiting is not None
    assert answers(waiting) == []
    assert answers(announce(waiting.work, 2)) == [("token-2", "announced", 2)]


def test_the_end_answers_whatever_is_waited_for() -> None:
    held = leased(awaits=3)
    done = protocol.commit(held, epoch=1, outcome=WorkOutcome.COMPLETED, prefix="p/", reason=None, now=START)
    assert answers(done) == [("token-3", "completed", None)]


def test_an_announcement_made_again_only_answers_again() -> None:
    told = announce(leased(awaits=1), 1)
    again = announce(told.work, 1, "other")
    assert again.work == told.work
    assert answers(again) == answers(told)


def test_announcements_come_in_their_order_and_are_bounded() -> None:
    work = leased(awaits=None)
    with pytest.raises(InvalidInputError):
        announce(work, 2)
    for number in range(1, protocol.MAX_ANNOUNCEMENTS + 1):
        work = announce(work, number).work
    with pytest.raises(InvalidInputError):
        announce(work, protocol.MAX_ANNOUNCEMENTS + 1)


def test_a_name_that_no_answer_can_carry_is_refused() -> None:
    for name in ("", "x" * 41):
        with pytest.raises(InvalidInputError):
            announce(leased(), 1, name)


def test_a_holder_without_its_lease_announces_nothing() -> None:
    work = leased()
    with pytest.raises(LeaseLostError):
        protocol.announce(work, epoch=work.epoch - 1, number=1, name="live", detail=None, now=START)


def test_an_answer_that_was_lost_is_repeated_by_the_watchdog() -> None:
    told = announce(leased(awaits=1), 1).work
    beaten = protocol.beat(told, epoch=1, progress=Progress(), now=START + REANSWER_AFTER).work
    again = protocol.watch(beaten, now=START + REANSWER_AFTER)
    assert answers(again) == [("token-1", "announced", 1)]


def test_a_monitor_that_falls_silent_ends_as_an_error_and_is_not_tried_again() -> None:
    told = announce(leased(awaits=1), 1).work
    waiting = enqueue(told, 2, after=1)
    assert waiting is not None
    lapsed = protocol.watch(waiting.work, now=START + LEASE_DURATION)
    assert answers(lapsed) == [("token-2", "error", None)]


class Announcing(RuleBasedStateMachine):
    """A machine waits for three announcements and the end; answers get lost, messages are doubled and late."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.work: Work | None = None
        self.holder: Work | None = None
        self.waits = 0  # index of what the machine waits for now
        self.sent: list[tuple[int | None, datetime]] = [(WAITS[0], START)]  # messages under way
        self.heard: list[WorkAnswer] = []
        self.lost = False

    def apply(self, transition: Transition | None) -> None:
        if transition is None:
            return
        self.work = transition.work
        for effect in transition.effects:
            if not isinstance(effect, AnswerToken) or self.lost:
                continue
            if self.waits < len(WAITS) and effect.token == f"token-{WAITS[self.waits]}":
                self.heard.append(effect.answer)
                ended = effect.answer.outcome is not WorkOutcome.ANNOUNCED
                self.waits = len(WAITS) if ended else self.waits + 1
                if not ended:
                    self.sent.append((WAITS[self.waits], self.now))
        self.lost = False

    @rule(seconds=st.sampled_from([1, 5, 21]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        if self.holder and self.work and self.work.lease:
            self.apply(protocol.beat(self.work, epoch=self.work.epoch, progress=Progress(), now=self.now))

    @rule()
    def the_next_answer_is_lost(self) -> None:
        self.lost = True

    @rule(index=st.integers(0, 9), doubled=st.booleans())
    def a_message_arrives(self, index: int, doubled: bool) -> None:
        if not self.sent:
            return
        place = index % len(self.sent)
        awaits, sent_at = self.sent[place] if doubled else self.sent.pop(place)
        self.apply(
            protocol.enqueue(
                self.work, ticket(awaits), f"token-{awaits}", token_at=sent_at, now=self.now, closed=None
            )
        )

    @precondition(lambda self: self.work is not None and self.holder is None)
    @rule()
    def a_runner_claims(self) -> None:
        assert self.work is not None
        self.apply(protocol.admit(self.work, now=self.now))
        self.apply(protocol.claim(self.work, attempt=1, runner_id="r", now=self.now))
        self.holder = self.work

    @precondition(lambda self: self.holder is not None)
    @rule(again=st.booleans())
    def it_announces(self, again: bool) -> None:
        assert self.work is not None
        number = max(1, len(self.work.announcements) + (0 if again else 1))
        if number <= len(WAITS) - 1 and self.work.commit is None:
            self.apply(
                protocol.announce(
                    self.work, epoch=self.work.epoch, number=number, name="n", detail=None, now=self.now
                )
            )

    @precondition(lambda self: self.holder is not None)
    @rule()
    def it_ends(self) -> None:
        assert self.work is not None
        self.apply(
            protocol.commit(
                self.work,
                epoch=self.work.epoch,
                outcome=WorkOutcome.COMPLETED,
                prefix="p/",
                reason=None,
                now=self.now,
            )
        )

    @rule()
    def the_watchdog_looks(self) -> None:
        if self.work is not None:
            self.apply(protocol.watch(self.work, now=self.now))

    @invariant()
    def each_wait_is_answered_with_what_it_waits_for(self) -> None:
        for awaited, answer in zip(WAITS, self.heard, strict=False):
            if answer.outcome is WorkOutcome.ANNOUNCED:
                assert answer.announcement is not None
                assert answer.announcement.number == awaited
            else:
                assert answer is self.heard[-1]

    def teardown(self) -> None:
        """Then everything is delivered, and the machine hears all that it waits for."""
        self.lost = False
        for _ in range(3 * len(WAITS)):
            while self.sent:
                self.a_message_arrives(0, doubled=False)
            if self.work and not self.work.lease and self.work.commit is None:
                self.a_runner_claims()
            if self.waits < len(WAITS) - 1:
                self.it_announces(again=False)
            elif self.waits == len(WAITS) - 1:
                self.it_ends()
            self.now += REANSWER_AFTER
            if self.work and self.work.lease:
                self.work = replace(
                    self.work, lease=replace(self.work.lease, expires_at=self.now + LEASE_DURATION)
                )
            self.the_watchdog_looks()
        assert self.waits == len(WAITS)


TestAnnouncing = Announcing.TestCase
TestAnnouncing.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
