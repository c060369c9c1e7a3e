"""Reading the queue: as the scheduler sees it, as a team sees it, and why a run waits. Setting a team's part of it."""

from collections import Counter
from dataclasses import dataclass, replace

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.contracts.queueing import (
    HolderView,
    LaneView,
    PutTeamQueueRequest,
    QueueView,
    TeamQueueView,
    WaitingView,
)
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs.admission.forecast import forecast
from crosswind.runs.admission.model import Capacity, Lane, Queue, TeamPolicy, Usage
from crosswind.runs.admission.ports import LaneLine, QueueStore, TeamSettings
from crosswind.runs.admission.shares import settled
from crosswind.runs.ports import Queues

LISTED_OF_A_LANE = 25
MOST_COUNTED = 10_000
LANES_SHOWN = 200
_QUOTAS = frozenset({"weight", "quota", "may_borrow", "concurrency"})


@dataclass(frozen=True)
class ReadQueue:
    """The queue, its usage and the capacity as the scheduler sees them, for forecasts. No part of an admission."""

    queue: QueueStore
    defaults: Capacity

    def __call__(self) -> tuple[Queue, Usage, Capacity]:
        """Of each lane some entries and how many it has: a forecast takes the others to be like the last one listed."""
        rules = self.queue.rules()
        heads = self.queue.heads({line.run_id: LISTED_OF_A_LANE for line in self.queue.lanes()})
        lanes = tuple(
            Lane(
                run_id,
                found.entries,
                waiting=self._count(run_id) if found.more else len(found.entries),
                paused=run_id in rules.paused_runs,
            )
            for run_id, found in heads.items()
            if found.entries
        )
        usage = Usage(self.queue.active(), self.queue.account())
        return Queue(lanes), usage, rules.capacity(self.defaults)

    def _count(self, run_id: str) -> int:
        return self.queue.waiting_count(at_most=MOST_COUNTED, run_id=run_id)


@dataclass(frozen=True)
class WhyWaiting:
    """Why the next shard of a run waits, who holds what it waits for, and when it may be expected to start."""

    queue: QueueStore
    read: ReadQueue
    clock: Clock

    def __call__(self, run_id: str) -> WaitingView | None:
        """None when nothing of the run waits. The caller has seen to it that the actor may read the run."""
        queue, usage, capacity = self.read()
        outlook = forecast(queue, usage, capacity, self.clock.now(), run_id=run_id)
        if outlook is None:
            return None
        line = next((line for line in self.queue.lanes() if line.run_id == run_id), None)
        kept = line.waiting if line else None
        lane = next(lane for lane in queue.lanes if lane.run_id == run_id)
        return WaitingView(
            reason=outlook.binding.value,
            explanation=outlook.explanation,
            since=to_iso(kept.since) if kept and kept.reason is outlook.binding else None,
            position=outlook.position,
            expected_start=to_iso(outlook.expected_start) if outlook.expected_start else None,
            holders=tuple(HolderView(team=team, slots=slots) for team, slots in outlook.holders),
            must_finish=outlook.must_finish,
            waiting=lane.waiting,
            running=sum(entry.key.run_id == run_id for entry in usage.active),
        )


@dataclass(frozen=True)
class GetQueue:
    """The queue as one team sees it."""

    queue: QueueStore
    defaults: Capacity
    guard: Guard
    clock: Clock

    def __call__(self, *, team: str | None, actor: Actor) -> QueueView:
        """Raises ForbiddenError, and InvalidInputError where the team has to be named."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_RUNS, team=owner)
        rules = self.queue.rules()
        capacity = rules.capacity(self.defaults)
        active = self.queue.active()
        running = Counter(entry.key.run_id for entry in active if entry.team == owner)
        lines = [line for line in self.queue.lanes() if line.team == owner]
        lanes = [
            self._lane(line, running=running[line.run_id], paused=line.run_id in rules.paused_runs)
            for line in sorted(lines, key=lambda line: line.run_id)[:LANES_SHOWN]
        ]
        account = self.queue.account()
        usage = Usage(active, account)
        return QueueView(
            team=owner,
            slots=capacity.slots,
            in_use=len(active),
            running=running.total(),
            borrowed=sum(entry.borrowed for entry in active if entry.team == owner),
            waiting=sum(lane.waiting for lane in lanes),
            used_share=self._used_share(owner, usage, capacity),
            settings=team_view(rules.teams.get(owner, TeamSettings(owner))),
            lanes=tuple(lane for lane in lanes if lane.waiting),
        )

    def _lane(self, line: LaneLine, *, running: int, paused: bool) -> LaneView:
        why = line.waiting
        return LaneView(
            execution_id=line.run_id,
            suite=line.suite,
            priority=line.priority,
            waiting=self.queue.waiting_count(at_most=MOST_COUNTED, run_id=line.run_id),
            running=running,
            paused=paused,
            reason=why.reason.value if why else None,
            explanation=why.explanation if why else None,
            since=to_iso(why.since) if why else None,
        )

    def _used_share(self, team: str, usage: Usage, capacity: Capacity) -> float:
        shares = settled(usage.account, usage.active, half_life=capacity.half_life, now=self.clock.now())
        total = sum(share.used for share in shares.values())
        mine = shares[team].used if team in shares else 0.0
        return round(mine / total, 4) if total > 0 else 0.0


@dataclass(frozen=True)
class GetTeamQueue:
    """A team's part of the capacity."""

    queue: QueueStore
    guard: Guard

    def __call__(self, team: str, *, actor: Actor) -> TeamQueueView:
        """Raises ForbiddenError."""
        self.guard.require(actor, Action.READ_RUNS, team=team)
        return team_view(self.queue.team(team))


@dataclass(frozen=True)
class PutTeamQueue:
    """Set a team's part of the capacity, or pause the team."""

    queue: QueueStore
    queues: Queues
    guard: Guard
    clock: Clock
    pause: Pause

    def __call__(self, team: str, request: PutTeamQueueRequest, *, actor: Actor) -> TeamQueueView:
        """What is set now. What the request leaves out stays as it is.

        Raises:
            ForbiddenError: Weight, quota and limits are for admins, a pause for the team's editors.
            InvalidInputError: The request changes nothing, or a reason is given without a pause.
        """
        given = request.model_fields_set
        if not given:
            raise InvalidInputError("the request sets nothing")
        if _QUOTAS & given:
            self.guard.require(actor, Action.SET_QUOTAS, team=team)
        if given - _QUOTAS:
            self.guard.require(actor, Action.PAUSE_QUEUE, team=team)
        _check(request)
        saved = retry_conflicts(lambda: self._save(team, request, actor), pause=self.pause)
        self.queues.wake_scheduler()
        return team_view(saved)

    def _save(self, team: str, request: PutTeamQueueRequest, actor: Actor) -> TeamSettings:
        stored = self.queue.team(team)
        given = {name: getattr(request, name) for name in request.model_fields_set}
        given.pop("reason", None)
        policy: TeamPolicy = replace(stored.policy, **given)
        reason = request.reason if "reason" in request.model_fields_set else stored.paused_reason
        return self.queue.save_team(
            replace(
                stored,
                policy=policy,
                paused_reason=reason if policy.paused else None,
                changed_by=actor.subject,
                changed_at=self.clock.now(),
            )
        )


def _check(request: PutTeamQueueRequest) -> None:
    unset = [
        FieldError(name, "cannot be null", expected="leave it out to keep what is set")
        for name in ("weight", "may_borrow", "paused")
        if name in request.model_fields_set and getattr(request, name) is None
    ]
    if unset:
        raise InvalidInputError("the request has faults", unset)
    if request.reason is not None and request.paused is not True:
        fault = FieldError("reason", "belongs to a pause", expected="`paused: true` beside it")
        raise InvalidInputError("the request has faults", [fault])


def team_view(settings: TeamSettings) -> TeamQueueView:
    """A team's settings as the API shows them."""
    policy = settings.policy
    return TeamQueueView(
        team=settings.team,
        weight=policy.weight,
        quota=policy.quota,
        may_borrow=policy.may_borrow,
        concurrency=policy.concurrency,
        paused=policy.paused,
        reason=settings.paused_reason,
        changed_by=settings.changed_by,
        changed_at=to_iso(settings.changed_at) if settings.changed_at else None,
    )
