"""The one table of moves: of a definition's revisions, and of the runs of an approved one.

Nothing else decides what may follow what. Whoever moves a revision (crosswind.chaos.reviewing) or a run (the engine, the
reaper, the API) asks here; docs/chaos-lifecycle.md shows the table as a diagram made from it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from crosswind.chaos.model import ExperimentRun, TimelineEvent
from crosswind.contracts.chaos.lifecycle import RevisionState, RunState
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.contracts.events import (
    EXPERIMENT_FINISHED,
    EXPERIMENT_MOVED,
    DomainEvent,
    ExperimentFinished,
    ExperimentMoved,
)
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError

_TEXT_CHARACTERS = 1000


class Who(StrEnum):
    """Who may make a move."""

    AUTHOR = "an author"
    REVIEWER = "a reviewer who wrote none of it"
    OPERATOR = "somebody who runs tests, the halt switch, the gate, a breached guard, the watch"
    ENGINE = "the engine, or the reaper in its place"


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move."""

    name: str
    source: RevisionState | RunState
    target: RevisionState | RunState
    who: Who
    asked_for: bool = False  # people ask for it by this name

    @property
    def of_revision(self) -> bool:
        """Whether it stays among revisions."""
        return isinstance(self.target, RevisionState)


def _moves(name: str, who: Who, *pairs: tuple[Any, Any], asked_for: bool = False) -> tuple[Move, ...]:
    return tuple(Move(name, source, target, who, asked_for) for source, target in pairs)


_DRAFT, _REVIEW, _APPROVED = RevisionState

MOVES: tuple[Move, ...] = (
    *_moves("edit", Who.AUTHOR, (_DRAFT, _DRAFT), (_REVIEW, _DRAFT), (_APPROVED, _DRAFT), asked_for=True),
    *_moves("submit", Who.AUTHOR, (_DRAFT, _REVIEW), asked_for=True),
    *_moves(
        "approve",
        Who.REVIEWER,
        (_REVIEW, _REVIEW),  # the quorum is not reached yet
        (_REVIEW, _APPROVED),
        (_APPROVED, _APPROVED),  # again, before or after approvals expire
        asked_for=True,
    ),
    *_moves("request-changes", Who.REVIEWER, (_REVIEW, _DRAFT), (_APPROVED, _DRAFT), asked_for=True),
    *_moves("start", Who.AUTHOR, (_APPROVED, RunState.SCHEDULED), asked_for=True),
    *_moves("check", Who.ENGINE, (RunState.SCHEDULED, RunState.PREFLIGHT_CHECK)),
    *_moves("block", Who.ENGINE, (RunState.PREFLIGHT_CHECK, RunState.BLOCKED)),
    *_moves("wake", Who.ENGINE, (RunState.BLOCKED, RunState.SCHEDULED)),
    *_moves(
        "inject",
        Who.ENGINE,
        (RunState.PREFLIGHT_CHECK, RunState.RUNNING),
        (RunState.MONITORING, RunState.RUNNING),  # the next step
    ),
    *_moves("watch", Who.ENGINE, (RunState.RUNNING, RunState.MONITORING)),
    *_moves("complete", Who.ENGINE, (RunState.MONITORING, RunState.COMPLETED)),
    *_moves(
        "abort",
        Who.OPERATOR,
        (RunState.SCHEDULED, RunState.ABORTED),
        (RunState.PREFLIGHT_CHECK, RunState.ABORTED),
        (RunState.BLOCKED, RunState.ABORTED),
        (RunState.RUNNING, RunState.ABORTED),
        (RunState.MONITORING, RunState.ABORTED),
        asked_for=True,
    ),
    *_moves(
        "recover",
        Who.ENGINE,
        (RunState.COMPLETED, RunState.RECOVERY),
        (RunState.ABORTED, RunState.RECOVERY),
        (RunState.RECOVERY_UNVERIFIED, RunState.RECOVERY),  # again
    ),
    *_moves("doubt", Who.ENGINE, (RunState.RECOVERY, RunState.RECOVERY_UNVERIFIED)),
    *_moves("analyze", Who.ENGINE, (RunState.RECOVERY, RunState.ANALYZED)),
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A run behind a move, with the line of its timeline and the event that tell of it: all three are saved together."""

    run: ExperimentRun
    line: TimelineEvent
    event: DomainEvent


def find(source: RevisionState | RunState, target: RevisionState | RunState) -> Move | None:
    """The move from one state to the other, if it is legal."""
    return next((each for each in MOVES if (each.source, each.target) == (source, target)), None)


def targets(source: RevisionState | RunState) -> tuple[RevisionState | RunState, ...]:
    """The states that may follow, each once, in the order of the table."""
    return tuple(dict.fromkeys(each.target for each in MOVES if each.source is source))


def actions(state: RevisionState | RunState) -> tuple[str, ...]:
    """What people may ask for in this state."""
    return tuple(dict.fromkeys(each.name for each in MOVES if each.source is state and each.asked_for))


def check_action(state: RevisionState | RunState, action: str, *, what: str) -> None:
    """Raises ConflictError saying what is allowed, where this action is not."""
    allowed = actions(state)
    if action not in allowed:
        raise ConflictError(
            f"{what} is {state.value}, so it cannot {action}: allowed is {', '.join(allowed) or 'nothing'}"
        )


def move(
    run: ExperimentRun, to: RunState, *, now: datetime, actor: str, reason: str, **changes: Any
) -> Moved:
    """The run in its next state. Raises ConflictError saying what is allowed, where it may not go there.

    Args:
        changes: Further fields of the run that change with it.
    """
    legal = find(run.state, to)
    if legal is None:
        allowed = ", ".join(each.value for each in targets(run.state)) or "no state any more"
        raise ConflictError(
            f"{run.run_id} is {run.state.value}, so it cannot become {to.value}: it can become {allowed}"
        )
    moved = replace(run, state=to, moved_at=now, **changes)
    line = TimelineEvent(
        at=now,
        kind=TimelineKind.MOVE,
        actor=actor,
        text=f"{run.state.value} → {to.value}: {reason}"[:_TEXT_CHARACTERS],
        state=to,
    )
    if to is RunState.ANALYZED:
        return Moved(moved, line, finished(moved, now=now))
    detail = ExperimentMoved(
        experiment=run.experiment,
        team=run.team,
        environment=run.environment,
        revision=run.revision,
        run_id=run.run_id,
        service=run.service,
        move=legal.name,
        from_state=run.state.value,
        to_state=to.value,
        actor=actor,
        reason=reason[:_TEXT_CHARACTERS],
    )
    return Moved(moved, line, _event(f"{run.run_id}-{run.version + 1}", detail, now=now))


def finished(run: ExperimentRun, *, now: datetime) -> DomainEvent:
    """The event of an analysed run. Raises ValueError where it has no verdict."""
    if run.verdict is None:
        raise ValueError(f"{run.run_id} has no verdict")
    detail = ExperimentFinished(
        run_id=run.run_id,
        experiment=run.experiment,
        team=run.team,
        environment=run.environment,
        revision=run.revision,
        service=run.service,
        verdict=run.verdict.value,
        reason=(run.reason or "")[:_TEXT_CHARACTERS],
        abort_cause=run.abort.cause.value if run.abort else None,
        started_at=to_iso(run.started_at) if run.started_at else None,
        finished_at=to_iso(run.finished_at or now),
        to_detect=run.timings.to_detect,
        to_abort=run.timings.to_abort,
        to_recover=run.timings.to_recover,
        actor=run.requested_by,
        trigger=run.trigger,
        parent_run=run.parent_run,
    )
    return _event(f"{run.run_id}-finished", detail, now=now)


def told(event_id: str, detail: ExperimentMoved, *, now: datetime) -> DomainEvent:
    """The event of a move that is made elsewhere: of a revision, or the start of a run."""
    return _event(event_id, detail, now=now)


def diagram() -> str:
    """The table as a Mermaid state diagram. It stands in docs/chaos-lifecycle.md."""
    names: dict[tuple[str, str], list[str]] = {}
    for each in MOVES:
        names.setdefault((each.source.value, each.target.value), []).append(each.name)
    lines = ["stateDiagram-v2", f"    [*] --> {RevisionState.DRAFT.value}"]
    lines += [f"    {source} --> {target}: {', '.join(of)}" for (source, target), of in names.items()]
    lines += [f"    {state.value} --> [*]" for state in RunState if not targets(state)]
    return "\n".join(lines) + "\n"


def table() -> str:
    """The table as Markdown: who may make which move."""
    rows = ["| from | move | to | by |", "|---|---|---|---|"]
    rows += [
        f"| {each.source.value} | {each.name} | {each.target.value} | {each.who.value} |" for each in MOVES
    ]
    return "\n".join(rows) + "\n"


def _event(event_id: str, detail: ExperimentMoved | ExperimentFinished, *, now: datetime) -> DomainEvent:
    return DomainEvent(
        id=event_id,
        type=EXPERIMENT_MOVED if isinstance(detail, ExperimentMoved) else EXPERIMENT_FINISHED,
        occurred_at=to_iso(now),
        team=detail.team,
        detail=detail,
    )
