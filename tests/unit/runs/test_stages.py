"""Which stage is next. Input: stages with conditions, and whether one before failed. Output: the next one, or why not. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.resolved import PlannedShard, PlannedStage
from crosswind.contracts.suites import StageCondition
from crosswind.runs.stages import held, next_index


def stage(
    when: StageCondition = StageCondition.PASSED, *, left_out: str | None = None, shards: int = 1
) -> PlannedStage:
    planned = PlannedShard(work_id="shard-00000", test="api", variant="", estimate_seconds=1.0)
    return PlannedStage(name="any", when=when, left_out=left_out, tickets_key="k", shards=(planned,) * shards)


@pytest.mark.parametrize(
    ("when", "failed_before", "runs"),
    [
        (StageCondition.PASSED, False, True),
        (StageCondition.PASSED, True, False),
        (StageCondition.FAILED, False, False),
        (StageCondition.FAILED, True, True),
        (StageCondition.ALWAYS, False, True),
        (StageCondition.ALWAYS, True, True),
    ],
)
def test_a_stage_runs_when_its_condition_holds(when: StageCondition, failed_before: bool, runs: bool) -> None:
    assert (held(stage(when), failed_before=failed_before) is None) is runs


def test_only_a_stage_that_waits_for_success_is_held_back_by_a_failure() -> None:
    by_failure = held(stage(), failed_before=True)
    assert by_failure is not None
    assert by_failure.by_failure
    not_needed = held(stage(StageCondition.FAILED), failed_before=False)
    assert not_needed is not None
    assert not not_needed.by_failure


def test_a_stage_that_its_parameters_leave_out_never_runs() -> None:
    found = held(stage(StageCondition.ALWAYS, left_out="its condition does not hold"), failed_before=True)
    assert found is not None
    assert found.reason == "its condition does not hold"


def test_after_a_failure_the_clean_up_stage_is_next() -> None:
    stages = [stage(), stage(), stage(StageCondition.FAILED), stage(StageCondition.ALWAYS)]
    assert next_index(stages, 1, failed_before=True) == 2
    assert next_index(stages, 1, failed_before=False) == 1
    assert next_index(stages, 2, failed_before=False) == 3


@given(st.lists(st.sampled_from(list(StageCondition)), max_size=8), st.integers(0, 9), st.booleans())
def test_the_next_stage_is_the_first_that_is_not_held(
    conditions: list[StageCondition], first: int, failed_before: bool
) -> None:
    stages = [stage(when) for when in conditions]
    index = next_index(stages, first, failed_before=failed_before)
    end = len(stages) if index is None else index
    assert all(held(each, failed_before=failed_before) for each in stages[first:end])
    if index is not None:
        assert held(stages[index], failed_before=failed_before) is None
