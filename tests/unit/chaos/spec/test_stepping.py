"""A ladder and the order of faults become steps."""

from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos.specs import parse_document
from crosswind.chaos.stepping import injected_seconds, levels, longest_seconds, steps
from tests.unit.chaos.spec.samples import OFFLINE, any_experiment, any_fault


def test_without_a_ladder_there_is_one_step_at_full_intensity() -> None:
    spec = parse_document(any_experiment(), rules=OFFLINE).spec
    (step,) = steps(spec)
    assert (step.number, step.rung, step.wave, step.percent, step.hold_seconds) == (1, 1, 1, 100.0, 30)
    assert longest_seconds(spec) == 5 + 30 + 120


def test_faults_of_a_wave_go_in_together_and_are_watched_until_the_longest_is_over() -> None:
    faults = [
        any_fault("long", duration="40s"),
        any_fault("short", duration="10s"),
        any_fault("next", after=["short"], duration="20s"),
        any_fault("last", after=["next", "long"], duration="5s"),
    ]
    made = steps(parse_document(any_experiment(faults=faults), rules=OFFLINE).spec)
    assert [[fault.name for fault in step.faults] for step in made] == [["long", "short"], ["next"], ["last"]]
    assert [step.hold_seconds for step in made] == [40, 20, 5]


def test_a_rung_may_be_held_shorter_than_its_faults_last() -> None:
    ladder = [{"percent": 1, "hold": "5s"}, {"percent": 100}]
    spec = parse_document(any_experiment(ladder=ladder), rules=OFFLINE).spec
    assert [step.hold_seconds for step in steps(spec)] == [5, 30]
    assert injected_seconds(spec) == 35


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefx"), max_size=3, unique=True), max_size=6
    )
)
def test_every_fault_stands_behind_those_it_waits_for_unless_they_wait_in_a_circle(
    after: dict[str, list[str]],
) -> None:
    found = levels(after)
    if found is None:
        assert _circle(after)
        return
    assert found.keys() == after.keys()
    for name, names in after.items():
        waited = [found[each] for each in names if each in after]
        assert found[name] == max(waited, default=-1) + 1


def _circle(after: dict[str, list[str]]) -> bool:
    """Whether some name is reached from itself."""

    def reached(name: str, seen: frozenset[str]) -> bool:
        return any(
            each in seen or reached(each, seen | {each}) for each in after.get(name, ()) if each in after
        )

    return any(reached(name, frozenset({name})) for name in after)
