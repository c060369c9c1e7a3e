"""Which stage of a run is next: pure rules over the conditions of the stages and how those before them ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.contracts.resolved import PlannedStage
from crosswind.contracts.suites import StageCondition


@dataclass(frozen=True, slots=True)
class Held:
    """A stage does not run. `by_failure`: because of what happened before it; else because it was not meant to."""

    reason: str
    by_failure: bool


def held(stage: PlannedStage, *, failed_before: bool) -> Held | None:
    """Why a stage does not run; None where it does."""
    if stage.left_out is not None:
        return Held(stage.left_out, by_failure=False)
    if stage.when is StageCondition.PASSED and failed_before:
        return Held("a stage before it did not pass", by_failure=True)
    if stage.when is StageCondition.FAILED and not failed_before:
        return Held("it runs only after a failure, and nothing failed", by_failure=False)
    return None


def next_index(stages: Sequence[PlannedStage], first: int, *, failed_before: bool) -> int | None:
    """The first stage from `first` on that has shards and is not held; None when there is none."""
    for index, stage in enumerate(stages):
        if index >= first and stage.shards and held(stage, failed_before=failed_before) is None:
            return index
    return None
