"""A monitor is leased work without a run of its own: it is queued, admitted, announces, lapses and is cancelled as all work is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import WorkKind, WorkOutcome
from crosswind.kernel.errors import LeaseLostError
from crosswind.runs import protocol
from crosswind.runs.model import LEASE_DURATION, Work, WorkKey, WorkState
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.leasing import Announce
from crosswind.runs.usecases.scheduling import Admission, EnqueueWork
from crosswind.runs.usecases.watching import WatchWork
from tests.fakes import (
    MemoryQueues,
    MemoryRunStore,
    MemoryTaskTokens,
    MemoryWorkStore,
    SettableClock,
    make_ticket,
)

OWNER = "exp-00000000000000000000000001"


class Lab:
    """A monitor's surroundings."""

    def __init__(self) -> None:
        self.clock, self.works = SettableClock(), MemoryWorkStore()
        self.queues, self.tokens = MemoryQueues(), MemoryTaskTokens()
        change = ChangeWork(self.works, PerformEffects(self.queues, self.tokens), lambda _: None)
        self.enqueue = EnqueueWork(MemoryRunStore(self.clock), change, self.clock)
        self.announce = Announce(change, self.clock)
        self.watch = WatchWork(self.works, self.queues, change, self.clock)

    def send(self, name: str = "first", *, kind: WorkKind = WorkKind.MONITOR, awaits: int | None = 1) -> None:
        ticket = make_ticket(kind=kind, priority=Priority.P0, infrastructure_retries=0).model_copy(
            update={"run_id": OWNER, "awaits": awaits}
        )
        (self.stored,) = self.enqueue([Admission(ticket, name, self.clock.now())])

    def lease(self) -> Work:
        (waiting,) = self.works.of_run(OWNER)
        admitted = protocol.admit(waiting, now=self.clock.now())
        assert admitted is not None
        stored = self.works.save(waiting, admitted.work)
        held = protocol.claim(stored, attempt=1, runner_id="r", now=self.clock.now())
        assert held is not None
        return self.works.save(stored, held.work)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_its_ticket_needs_no_run(lab: Lab) -> None:
    lab.send()
    (work,) = lab.works.of_run(OWNER)
    assert work.state is WorkState.WAITING


def test_other_work_needs_its_run(lab: Lab) -> None:
    lab.send(kind=WorkKind.SHARD)
    assert not lab.stored


def test_what_it_announces_answers_the_token_that_waits(lab: Lab) -> None:
    lab.send()
    held = lab.lease()
    lab.announce(held, number=1, name="live")
    lab.announce(held, number=1, name="live")
    answer = lab.tokens.answers["first"]
    assert answer.outcome is WorkOutcome.ANNOUNCED
    assert answer.announcement is not None
    assert answer.announcement.name == "live"
    lab.announce(held, number=2, name="breach", detail="p95 is 900 ms")
    lab.send("second", awaits=2)
    second = lab.tokens.answers["second"].announcement
    assert second is not None
    assert (second.number, second.detail) == (2, "p95 is 900 ms")


def test_its_silence_ends_it_and_answers_whoever_waits(lab: Lab) -> None:
    lab.send()
    held = lab.lease()
    lab.clock.advance(LEASE_DURATION)
    (ended,) = lab.watch(OWNER)
    assert ended.state is WorkState.DONE
    assert lab.tokens.answers["first"].outcome is WorkOutcome.ERROR
    with pytest.raises(LeaseLostError):
        lab.announce(held, number=1, name="live")


def test_a_watch_over_waiting_work_wakes_the_scheduler(lab: Lab) -> None:
    lab.send()
    before = lab.queues.wakes
    lab.watch(OWNER)
    assert lab.queues.wakes > before


def test_a_watch_over_work_that_goes_on_changes_nothing(lab: Lab) -> None:
    lab.send()
    held = lab.lease()
    lab.clock.advance(timedelta(seconds=5))
    assert lab.watch(OWNER) == (held,)
    assert lab.tokens.answers == {}


def test_it_is_never_preempted(lab: Lab) -> None:
    lab.send()
    held = replace(lab.lease(), borrowed=True)
    assert held.priority is Priority.P0
    assert protocol.preempt(held, now=lab.clock.now()) is None


def test_nobody_watches_over_an_owner_without_work(lab: Lab) -> None:
    assert lab.watch("exp-00000000000000000000000009") == ()
    assert lab.works.get(WorkKey(OWNER, "monitor-00000")) is None
