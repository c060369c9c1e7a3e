"""What a preview says of a step that cannot test what the hypothesis claims."""

from typing import Any

import pytest

from crosswind.chaos.sense import doubts
from crosswind.chaos.specs import parse_document
from crosswind.chaos.stepping import steps
from tests.unit.chaos.spec.samples import SERVER, any_experiment, any_fault, any_probe


def told(*probes: dict[str, Any], share: float = 100.0, duration: str = "30s") -> tuple[str, ...]:
    document = any_experiment(
        hypothesis={"title": "orders go on", "probes": list(probes)}, faults=[any_fault(duration=duration)]
    )
    spec = parse_document(document, rules=SERVER).spec
    return tuple(doubts(spec, steps(spec)[0], share=share))


@pytest.mark.parametrize("share", [1.0, 5.0])
def test_a_share_that_every_probe_tolerates_falsifies_nothing(share: float) -> None:
    (sentence,) = told(any_probe(ratio=0.95), any_probe("fast", ratio=0.9), share=share)
    assert "cannot falsify" in sentence
    assert "5% of its samples" in sentence


@pytest.mark.parametrize("share", [5.1, 25.0, 100.0])
def test_a_share_beyond_what_one_probe_tolerates_may_falsify(share: float) -> None:
    assert told(any_probe(ratio=0.95), any_probe("fast", ratio=0.5), share=share) == ()


def test_a_probe_that_tolerates_nothing_can_always_be_falsified() -> None:
    assert told(any_probe(), share=1.0) == ()


def test_what_is_not_taken_under_fault_tolerates_nothing_there() -> None:
    lenient = any_probe("lenient", ratio=0.1, phases=["before", "after"])
    assert told(any_probe(ratio=0.95), lenient, share=10.0) == ()


@pytest.mark.parametrize(("interval", "times"), [("30s", "2 times"), ("20s", "2 times")])
def test_a_step_that_is_too_short_for_a_probe_shows_little(interval: str, times: str) -> None:
    (sentence,) = told(any_probe(interval=interval))
    assert f"answers is taken {times} in this step of 30 s" in sentence


def test_a_probe_that_is_taken_often_enough_is_not_spoken_of() -> None:
    assert told(any_probe(interval="15s")) == ()
