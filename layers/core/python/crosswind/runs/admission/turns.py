"""Whose turn it is: the order in which one round looks at what waits.

Teams take turns, and inside a team its lanes. Each admission moves only its own team and its own lane, so two heaps
keep the order: one of teams, and one of lanes in each team.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from crosswind.runs.admission.aging import class_of
from crosswind.runs.admission.limits import Holdings
from crosswind.runs.admission.model import Capacity, Lane, QueueEntry, Reason, Share, TeamPolicy
from crosswind.runs.admission.shares import charged, per_weight

DEFAULT_POLICY = TeamPolicy()


@dataclass(slots=True, eq=False)
class WaitingLane:
    """A lane during one round: how far it was looked through, and who of it waits first."""

    lane: Lane
    position: int = 0
    held: tuple[QueueEntry, Reason] | None = None  # the first that was looked at and did not get a slot

    @property
    def head(self) -> QueueEntry | None:
        """The next to be looked at; None when all that are listed were."""
        return self.lane.entries[self.position] if self.position < len(self.lane.entries) else None

    def hold(self, entry: QueueEntry, reason: Reason) -> None:
        """Note that the entry waits, and why."""
        self.held = self.held or (entry, reason)


class _LaneTurn(NamedTuple):
    """The lane whose head has the best class goes first, and of these the one whose head is the oldest."""

    entry_class: int
    enqueued_at: datetime
    run_id: str
    head: QueueEntry
    waiting: WaitingLane


@dataclass(slots=True, eq=False)
class WaitingTeam:
    """A team during one round."""

    name: str
    policy: TeamPolicy
    share: Share
    lanes: list[_LaneTurn] = field(default_factory=list)


class Standing(NamedTuple):
    """By what teams take turns: own slots before borrowed ones, then class, then the share, then the older entry."""

    borrowing: bool
    entry_class: int
    used: float  # slot-seconds per weight
    enqueued_at: datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class Turn:
    """The entry to be looked at next."""

    entry: QueueEntry
    waiting: WaitingLane
    team: WaitingTeam
    standing: Standing


class Turns:
    """The order of one round. After each `next`, exactly one of `charge`, `skip`, `drop_lane` or `drop_team` says what follows.

    The holdings are read, never changed here: whoever admits counts the entry in before it is charged.
    """

    def __init__(
        self,
        lanes: Iterable[WaitingLane],
        *,
        held: Holdings,
        shares: Mapping[str, Share],
        capacity: Capacity,
        now: datetime,
    ) -> None:
        self._held = held
        self._aging = capacity.aging
        self._now = now
        teams: dict[str, WaitingTeam] = {}
        for waiting in lanes:
            turn = self._turn_of(waiting)
            if turn is None:
                continue
            name = waiting.lane.entries[0].team
            if name not in teams:
                policy = capacity.teams.get(name, DEFAULT_POLICY)
                teams[name] = WaitingTeam(name, policy, shares.get(name, Share()))
            teams[name].lanes.append(turn)
        for team in teams.values():
            heapify(team.lanes)
        self._teams = [(self._standing(team), team) for team in teams.values()]
        heapify(self._teams)

    def next(self) -> Turn | None:
        """Whose turn it is; None when nobody is left."""
        if not self._teams:
            return None
        standing, team = self._teams[0]
        lane = team.lanes[0]
        return Turn(lane.head, lane.waiting, team, standing)

    def runner_up(self) -> tuple[Standing, WaitingTeam] | None:
        """The team that would have had the turn otherwise."""
        return min(self._teams[1:3], default=None)

    def charge(self, turn: Turn) -> Share:
        """The entry got a slot, or is going to get one that is taken back for it: its team pays, its lane moves on."""
        turn.team.share = charged(turn.team.share, turn.entry)
        self.skip(turn)
        return turn.team.share

    def skip(self, turn: Turn) -> None:
        """The entry was dealt with: the next of its lane takes its place."""
        turn.waiting.position += 1
        heappop(turn.team.lanes)
        following = self._turn_of(turn.waiting)
        if following is not None:
            heappush(turn.team.lanes, following)
        self._move(turn.team)

    def drop_lane(self, turn: Turn) -> None:
        """Nothing more of the lane can be admitted in this round."""
        heappop(turn.team.lanes)
        self._move(turn.team)

    def drop_team(self) -> None:
        """Nothing more of the team can be admitted in this round."""
        heappop(self._teams)

    def _move(self, team: WaitingTeam) -> None:
        heappop(self._teams)
        if team.lanes:
            heappush(self._teams, (self._standing(team), team))

    def _turn_of(self, waiting: WaitingLane) -> _LaneTurn | None:
        head = waiting.head
        if head is None:
            return None
        entry_class = class_of(head, now=self._now, aging=self._aging)
        return _LaneTurn(entry_class, head.enqueued_at, head.key.run_id, head, waiting)

    def _standing(self, team: WaitingTeam) -> Standing:
        first = team.lanes[0]
        return Standing(
            borrowing=self._held.beyond_quota(team.name, team.policy),
            entry_class=first.entry_class,
            used=per_weight(team.share, team.policy.weight),
            enqueued_at=first.enqueued_at,
            run_id=first.run_id,
        )
