"""The policy of admission (ADR 0008): one look at the queue, from values to values.

Own slots before borrowed ones; P0 before P1 before P2, each limit waited one class more; inside a class the team that
has used the least per weight; inside a team the oldest run; inside a run its own order. What is held by a limit of its
own is passed over, so that no room stays idle while somebody can use it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from crosswind.runs.admission import sentences
from crosswind.runs.admission.aging import starving
from crosswind.runs.admission.groups import Groups
from crosswind.runs.admission.limits import OF_ROOM, OF_RUN, OF_TEAM, Holdings, Room
from crosswind.runs.admission.model import (
    Account,
    Capacity,
    Decision,
    Lane,
    Preemption,
    Queue,
    QueueEntry,
    Reason,
    Round,
    TeamPolicy,
    Usage,
)
from crosswind.runs.admission.pacing import may_launch, next_launch_at, tokens_at
from crosswind.runs.admission.preempting import Borrowed, may_preempt
from crosswind.runs.admission.shares import holders, settled
from crosswind.runs.admission.turns import DEFAULT_POLICY, Turn, Turns, WaitingLane
from crosswind.runs.model import WorkKey


def admit(queue: Queue, usage: Usage, capacity: Capacity, now: datetime) -> Round:
    """Decide who gets the free slots, who gives a borrowed one back, and why the others wait.

    The cost is that of the lanes and of the slots given, not of what waits in the lanes. The answer does not depend on
    the order in which lanes or active entries are listed.
    """
    sitting = _Sitting(queue, usage, capacity, now)
    while sitting.take_turn():
        pass
    return sitting.round()


class _Sitting:
    """One round while it is decided. Limits, room and tokens only shrink in it: who is held once stays held."""

    def __init__(self, queue: Queue, usage: Usage, capacity: Capacity, now: datetime) -> None:
        self._usage = usage
        self._capacity = capacity
        self._now = now
        self._lanes = [WaitingLane(lane) for lane in queue.lanes if lane.entries]
        self._held = Holdings.of(usage.active)
        self._free = Room.of(capacity)
        for entry in usage.active:
            self._free.take(entry)
        self._groups = Groups(usage.active, [waiting.lane for waiting in self._lanes])
        self._borrowed = Borrowed(usage.active, self._held, capacity.teams)
        self._tokens = tokens_at(usage.account, capacity, now)
        self._shares = settled(usage.account, usage.active, half_life=capacity.half_life, now=now)
        self._turns = Turns(
            (waiting for waiting in self._lanes if not self._paused(waiting.lane)),
            held=self._held,
            shares=self._shares,
            capacity=capacity,
            now=now,
        )
        self._admitted: list[Decision] = []
        self._preemptions: list[Preemption] = []
        self._given_way: dict[WorkKey, Sequence[QueueEntry]] = {}  # who waits for whose slot
        self._kept_for: QueueEntry | None = None
        self._due: list[datetime] = []  # when time alone lets something more in
        self._ended_early = False

    def take_turn(self) -> bool:
        """Look at the next entry. False when nothing more can be admitted."""
        turn = self._turns.next()
        if turn is None:
            return False
        reason = self._binding(turn.entry, turn.waiting)
        if reason is None:
            self._admit(turn)
            return True
        turn.waiting.hold(turn.entry, reason)
        if reason is Reason.BACKOFF and turn.entry.not_before is not None:
            self._due.append(turn.entry.not_before)
        if reason in OF_TEAM:
            self._turns.drop_team()
        elif reason in OF_RUN:
            self._turns.drop_lane(turn)
        elif reason in OF_ROOM and self._take_back(turn):
            pass
        elif self._ends(turn.entry, reason):
            self._ended_early = True
            return False
        else:
            self._turns.skip(turn)
        return True

    def round(self) -> Round:
        """What was decided."""
        return Round(
            decisions=(*self._admitted, *self._waiting()),
            preemptions=tuple(self._preemptions),
            account=Account(
                at=self._now,
                shares=self._shares,
                launch_tokens=None if self._capacity.launches_per_second is None else self._tokens,
            ),
            again_at=min(self._due, default=None),
            cut_short=tuple(sorted(self._cut_short())),
        )

    def _binding(self, entry: QueueEntry, waiting: WaitingLane) -> Reason | None:
        policy = self._policy(entry)
        own = self._held.binding(entry, waiting.lane, policy, self._now)
        if own is not None:
            return own
        if self._groups.must_wait(entry):
            return Reason.LOAD_FILLING
        lacking = self._free.lacks(entry)
        if lacking is Reason.NO_SLOT and self._held.beyond_quota(entry.team, policy):
            return Reason.TEAM_QUOTA
        if lacking is None and not may_launch(self._tokens):
            return Reason.LAUNCH_RATE
        return lacking

    def _admit(self, turn: Turn) -> None:
        explanation = sentences.admission(
            turn, self._turns, free=self._free, capacity=self._capacity, now=self._now
        )
        self._admitted.append(
            Decision(turn.entry, Reason.ADMITTED, explanation, borrowed=turn.standing.borrowing)
        )
        self._free.take(turn.entry)
        self._held.take(turn.entry)
        if self._groups.take(turn.entry):
            self._due.append(self._now)
        self._tokens -= 1
        self._shares[turn.team.name] = self._turns.charge(turn)

    def _take_back(self, turn: Turn) -> bool:
        """Let borrowed work give way to the entry, where that is its right and helps it. It is admitted next round."""
        entry = turn.entry
        if not (self._borrowed and may_launch(self._tokens - len(self._given_way))):
            return False
        if not may_preempt(entry, borrowing=turn.standing.borrowing, capacity=self._capacity):
            return False
        victims = self._borrowed.take_back_for(entry, self._free)
        if victims is None:
            return False
        for victim in victims:
            explanation = sentences.preemption(
                victim, entry, held=self._held.teams[victim.team], quota=self._policy(victim).quota
            )
            self._preemptions.append(Preemption(victim, entry, explanation))
        self._given_way[entry.key] = victims
        self._held.take(entry)
        self._turns.charge(turn)
        return True

    def _ends(self, entry: QueueEntry, reason: Reason) -> bool:
        """Whether nobody behind the entry gets anything either."""
        if reason is Reason.LAUNCH_RATE:
            self._due.append(next_launch_at(self._tokens, self._capacity, self._now))
            return True
        if reason is Reason.NO_SLOT:
            return True
        if reason not in OF_ROOM or Room.of(self._capacity).lacks(entry) is not None:
            return False
        if starving(entry, now=self._now, aging=self._capacity.aging):
            self._kept_for = entry
            return True
        return False

    def _waiting(self) -> Iterator[Decision]:
        """Of each lane that still waits its first entry, the lanes in the order of their age."""
        waits = sentences.Waits(
            self._capacity,
            held=self._held,
            holders=holders([*self._usage.active, *(decision.entry for decision in self._admitted)]),
            kept_for=self._kept_for,
            victims=self._given_way,
        )
        first = [held for lane in self._lanes if (held := self._first_waiting(lane)) is not None]
        for entry, reason in sorted(first, key=lambda item: (item[0].enqueued_at, item[0].key)):
            yield Decision(entry, reason or self._kept_reason(), waits.sentence(entry, reason))

    def _first_waiting(self, waiting: WaitingLane) -> tuple[QueueEntry, Reason | None] | None:
        """The lane's first entry that waits; without a reason of its own where room is kept for another one."""
        head = waiting.head
        if waiting.held is not None or head is None:
            return waiting.held
        return head, self._binding(head, waiting)

    def _kept_reason(self) -> Reason:
        return (self._kept_for and self._free.lacks(self._kept_for)) or Reason.NO_SLOT

    def _paused(self, lane: Lane) -> bool:
        return lane.paused or self._policy(lane.entries[0]).paused

    def _policy(self, entry: QueueEntry) -> TeamPolicy:
        return self._capacity.teams.get(entry.team, DEFAULT_POLICY)

    def _cut_short(self) -> Iterator[str]:
        """Lanes of which everything listed was looked at, of which more waits, and for which there is room."""
        if self._ended_early or self._free.slots < 1 or not may_launch(self._tokens):
            return
        for waiting in self._lanes:
            lane, last = waiting.lane, waiting.lane.entries[-1]
            if waiting.head is None and lane.waiting > len(lane.entries):
                binding = self._held.binding(last, lane, self._policy(last), self._now)
                if binding not in OF_TEAM | OF_RUN:
                    yield lane.run_id
