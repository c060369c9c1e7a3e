"""The simulation. Input: worlds by seed. Output: makespans that no schedule could beat, over the code that runs. Pure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.runs.simulation.bounds import lower_bound, shared_end
from crosswind.runs.simulation.policies import Policy, compare, measure
from crosswind.runs.simulation.regressions import regression
from crosswind.runs.simulation.worlds import Setting, draw


def test_the_bound_waits_for_the_work_and_for_the_longest_test() -> None:
    assert lower_bound(work=30, longest=1, starts=(0, 10), speeds=(1, 1)) == 20
    assert lower_bound(work=5, longest=1, starts=(0, 10), speeds=(1, 1)) == 5
    assert lower_bound(work=30, longest=30, starts=(4, 10), speeds=(0.5, 1)) == 40
    assert shared_end(work=30, starts=(0, 0), speeds=(2, 1)) == 10


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 2)), min_size=1, max_size=10), st.floats(0.1, 1000)
)
def test_until_the_shared_end_the_work_is_just_done(machines: list[tuple[float, float]], work: float) -> None:
    starts, speeds = zip(*machines, strict=True)
    end = shared_end(work=work, starts=starts, speeds=speeds)
    done = sum(speed * max(0, end - start) for start, speed in machines)
    assert done == pytest.approx(work, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 60),
    st.integers(1, 8),
    st.sampled_from([None, 0.5, 3.0]),
    st.sampled_from(list(Policy)),
)
def test_no_policy_beats_the_bound_and_none_loses_a_test(
    seed: int, tests: int, runners: int, pace: float | None, policy: Policy
) -> None:
    world = draw(Setting(tests=tests, runners=runners, launches_per_second=pace), seed)
    found = measure(world, policy)
    assert found.ratio >= 1 - 1e-9
    run = sum(
        speed * (end - start)
        for start, end, speed in zip(
            found.played.starts, found.played.ends, world.speeds[: len(found.played.starts)], strict=True
        )
    )
    assert run >= world.work * (1 - 1e-9)  # whoever pulls is also kept by leases


def test_the_same_seeds_give_the_same_figures() -> None:
    setting = Setting(tests=80, runners=4)
    assert compare(setting, seeds=3) == compare(setting, seeds=3)


def test_pulling_the_longest_first_comes_within_the_goal_of_the_bound_and_before_all_others() -> None:
    found = compare(Setting(), seeds=5)
    ours = found[Policy.PULL_LONGEST_FIRST].ratio
    assert ours.p50 <= 1.05
    assert all(
        ours.p50 < found[other].ratio.p50 for other in Policy if other is not Policy.PULL_LONGEST_FIRST
    )


def test_files_that_stay_whole_cost_little() -> None:
    policies = (Policy.PULL_LONGEST_FIRST,)
    whole = compare(Setting(tests_per_file=10), seeds=5, policies=policies)[Policy.PULL_LONGEST_FIRST]
    assert whole.ratio.p50 <= 1.05
    assert whole.batches < 400


def test_launches_are_paced_and_the_parts_of_a_regression_are_its_time() -> None:
    found = regression(400, runners=60, seeds=2)
    assert sum(part.seconds for part in found.parts) > 0
    world = draw(Setting(tests=400, runners=60, launches_per_second=20.0), 0)
    played = measure(world, Policy.PULL_LONGEST_FIRST).played
    assert played.launched == pytest.approx((60 - 20) / 20, abs=0.1)
    slow = draw(Setting(tests=400, runners=60, launches_per_second=1.0), 0)
    assert measure(slow, Policy.PULL_LONGEST_FIRST).played.launched == pytest.approx(59, abs=1)
