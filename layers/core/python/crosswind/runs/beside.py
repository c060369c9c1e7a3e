"""Experiments beside the stages of a run: when one begins and ends, which shards were under it. Pure.

The runs area says when a stage began and ended; the chaos area starts and stops the experiment and tells what became of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.events import DomainEvent, StageMoved
from crosswind.contracts.resolved import ResolvedStage
from crosswind.contracts.work import WorkKind
from crosswind.kernel.clock import to_iso
from crosswind.runs.model import Beside, Run, Work, WorkState

TURN = timedelta(seconds=5)
"""How often a run is looked after while an experiment beside it is to begin or goes on: so late it begins at most."""

PATIENCE = timedelta(minutes=15)
"""How long the end of a stage waits for its experiment's verdict."""


def planned(stages: Sequence[ResolvedStage]) -> tuple[Beside, ...]:
    """The experiments of a new run, of the stages that their own conditions do not leave out."""
    return tuple(
        Beside(
            stage=index,
            experiment=stage.chaos.experiment,
            after_seconds=stage.chaos.after_seconds,
            required=stage.chaos.required,
            parameters=stage.chaos.parameters,
        )
        for index, stage in enumerate(stages)
        if stage.chaos is not None and stage.left_out is None
    )


def again(run: Run) -> tuple[Beside, ...]:
    """All of a run whose next round begins: what runs again, runs beside the same experiments."""
    fresh = (
        Beside(
            stage=each.stage,
            experiment=each.experiment,
            round=run.round + 1,
            after_seconds=each.after_seconds,
            required=each.required,
            parameters=each.parameters,
        )
        for each in run.beside
        if each.round == run.round
    )
    return (*run.beside, *fresh)


def of_stage(run: Run, stage: int) -> Beside | None:
    """The experiment beside a stage in the run's present round."""
    return next((each for each in run.beside if (each.stage, each.round) == (stage, run.round)), None)


def with_record(run: Run, record: Beside) -> Run:
    """The run with one of its records changed."""
    key = (record.stage, record.round)
    return replace(
        run, beside=tuple(record if (each.stage, each.round) == key else each for each in run.beside)
    )


def is_settled(record: Beside) -> bool:
    """Whether nothing more will become of it."""
    if record.experiment_run is None:
        return record.refused or record.ended_at is not None
    return record.state is ExperimentState.ANALYZED


def is_open(run: Run) -> bool:
    """Whether something of the present round may still begin or go on."""
    return any(each.round == run.round and not is_settled(each) for each in run.beside)


def begun(run: Run, works: Iterable[Work], *, now: datetime) -> Run:
    """The run with the moment noted at which the first shard of its present stage was seen to have a runner."""
    record = of_stage(run, run.current_stage) if run.current_stage is not None else None
    if record is None or record.began_at is not None or record.ended_at is not None:
        return run
    ran = any(
        work.kind is WorkKind.SHARD
        and (work.stage, work.round) == (record.stage, record.round)
        and (work.state is WorkState.LEASED or (work.state is WorkState.DONE and work.admitted_at))
        for work in works
    )
    return with_record(run, replace(record, began_at=now)) if ran else run


def is_due(record: Beside, now: datetime) -> bool:
    """Whether its experiment may start, or has started and goes on beside the stage."""
    if record.began_at is None or record.ended_at is not None:
        return False
    return now >= record.began_at + timedelta(seconds=record.after_seconds)


def ended(run: Run, stage: int, *, now: datetime) -> Run:
    """The run with the end of a stage noted: from then on no experiment starts beside it."""
    record = of_stage(run, stage)
    if record is None or record.ended_at is not None:
        return run
    return with_record(run, replace(record, ended_at=now))


def waits(record: Beside, now: datetime) -> bool:
    """Whether the stage's end waits for its experiment: until all is undone and judged, and not for ever."""
    if record.ended_at is None or is_settled(record):
        return False
    return record.state is not ExperimentState.RECOVERY_UNVERIFIED and now < record.ended_at + PATIENCE


def leaves_faults(record: Beside) -> bool:
    """Whether faults may still be in: then no further stage may run as if they were not."""
    return not is_settled(record) and record.removed_at is None


def under(records: Iterable[Beside], work: Work) -> str | None:
    """The experiment's run under which a shard ran: a fault was in while it had a slot. None: it was not, as far as is known."""
    for record in records:
        if (record.stage, record.round) != (work.stage, work.round) or work.kind is not WorkKind.SHARD:
            continue
        if record.injected_at is None or work.admitted_at is None:
            continue
        began_before = record.removed_at is None or work.admitted_at <= record.removed_at
        if began_before and (work.commit is None or work.commit.at >= record.injected_at):
            return record.experiment_run
    return None


def amiss(run: Run, works: Sequence[Work]) -> Iterator[str]:
    """Required experiments of stages that began, under which no shard ran, as sentences."""
    for record in run.beside:
        if not record.required or (record.began_at is None and record.ended_at is None):
            continue
        if any(under((record,), work) for work in works):
            continue
        why = record.reason or "its shards ended before a fault was in"
        yield (
            f"Stage {_stage(run, record)!r} was to run beside experiment {record.experiment!r} "
            f"and no fault was in while its tests ran: {why}"
        )


def told(run: Run, works: Sequence[Work]) -> Iterator[str]:
    """What the experiments came to, apart from what the tests did, as sentences."""
    for record in run.beside:
        if record.experiment_run is None:
            continue
        shards = sum(under((record,), work) is not None for work in works)
        count = f"{shards} shard{'' if shards == 1 else 's'} of stage {_stage(run, record)!r}"
        verdict = record.verdict.value if record.verdict else "not yet judged"
        yield f"{count} ran under experiment {record.experiment!r} ({record.experiment_run}: {verdict})."


def stage_moved(run: Run, record: Beside, *, now: datetime) -> DomainEvent:
    """The event that makes the chaos area look at the run."""
    to_state = "began" if record.ended_at is None else "ended"
    stage = _stage(run, record)
    return DomainEvent(
        id=f"{run.run_id}.{record.round}.{record.stage}.{to_state}",
        type="runs.stage.moved.v1",
        occurred_at=to_iso(record.ended_at or record.began_at or now),
        team=run.team,
        detail=StageMoved(
            run_id=run.run_id,
            team=run.team,
            suite=run.suite,
            stage=stage,
            round=record.round,
            to_state=to_state,
            experiment=record.experiment,
        ),
    )


def _stage(run: Run, record: Beside) -> str:
    return stage_name(run, record.stage)


def stage_name(run: Run, index: int) -> str:
    """The name of a stage."""
    return run.stage_names[index] if index < len(run.stage_names) else str(index)
