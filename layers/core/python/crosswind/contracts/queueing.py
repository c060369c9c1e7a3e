"""The queue on the wire: what a team sees of it, a team's part of it, and why a run waits."""

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.suites import Priority, Team


class HolderView(WireModel):
    """A team, and how many slots it holds of what somebody waits for."""

    team: str
    slots: int


class WaitingView(WireModel):
    """Why a run's next shard waits, and what to expect. A forecast, no promise: it knows only what is queued now."""

    reason: str = Field(
        description="The limit that binds, such as no_slot, team_quota, run_paused or backoff."
    )
    explanation: str = Field(description="The same as a sentence with numbers.")
    since: str | None = Field(default=None, description="Since when the scheduler has given this reason.")
    position: int | None = Field(
        default=None,
        description="Place among the runs that wait, from 1; none while limits of its own hold it.",
    )
    expected_start: str | None = Field(
        default=None, description="When its next shard is expected to get a slot; none where nothing tells."
    )
    holders: tuple[HolderView, ...] = Field(default=(), description="Who holds what is waited for.")
    must_finish: int = Field(default=0, description="Pieces of work that end before, as expected.")
    waiting: int = Field(default=0, description="How many of the run's shards wait.")
    running: int = Field(default=0, description="How many of them hold a slot.")


class TeamQueueView(WireModel):
    """GET /api/v1/teams/{team}/queue: a team's part of the capacity."""

    team: Team
    weight: float = Field(default=1.0, description="Its part where teams compete, relative to the others'.")
    quota: int | None = Field(
        default=None,
        description="Slots that are its own; none: no quota, all that it uses counts as its own.",
    )
    may_borrow: bool = Field(default=True, description="Beyond its quota, from what others leave idle.")
    concurrency: int | None = Field(default=None, description="The most slots, borrowed ones included.")
    paused: bool = False
    reason: str | None = Field(default=None, description="Why it is paused, in the words of who paused it.")
    changed_by: str | None = None
    changed_at: str | None = None


class PutTeamQueueRequest(WireModel):
    """PUT /api/v1/teams/{team}/queue. What is left out stays as it is; null takes a quota or a limit away.

    Weight, quota, borrowing and concurrency are for admins, who see to all teams; a pause is for the team's editors.
    """

    weight: float | None = Field(default=None, gt=0, le=1000)
    quota: int | None = Field(default=None, ge=0, le=100_000)
    may_borrow: bool | None = None
    concurrency: int | None = Field(default=None, ge=1, le=100_000)
    paused: bool | None = None
    reason: str | None = Field(
        default=None, max_length=500, description="Why it is paused; for those who wait."
    )


class LaneView(WireModel):
    """A run of the team that has waiting work."""

    execution_id: str
    suite: str
    priority: Priority
    waiting: int
    running: int
    paused: bool = False
    reason: str | None = None
    explanation: str | None = None
    since: str | None = None


class QueueView(WireModel):
    """GET /api/v1/queue: the queue as one team sees it. Of other teams it tells only what they hold together."""

    team: Team
    slots: int = Field(description="Slots of the whole stage.")
    in_use: int = Field(description="Slots in use, by all teams.")
    running: int = Field(description="Slots that the team holds, borrowed ones included.")
    borrowed: int = Field(
        default=0, description="Slots that it holds beyond its quota: P0 of others may take them back."
    )
    waiting: int = Field(description="The team's waiting shards.")
    used_share: float = Field(
        description="Its part of what all teams have used lately (0 to 1): the smaller by its weight, the sooner its turn."
    )
    settings: TeamQueueView
    lanes: tuple[LaneView, ...] = Field(
        description="Its runs that have waiting work, at most 200, the oldest first."
    )
