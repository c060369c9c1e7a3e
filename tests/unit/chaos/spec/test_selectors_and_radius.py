"""What resolved targets may be, and which namespaces are a team's own."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos.model import Target
from crosswind.chaos.radius import Resolved, beyond, target_ids
from crosswind.chaos.selectors import matches_everything, namespace_refusal
from crosswind.chaos.specs import parse_document
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ExperimentSpec, Namespaces, ProviderName
from tests.unit.chaos.spec.samples import OFFLINE, POLICY, any_experiment


def spec(**radius: object) -> ExperimentSpec:
    return parse_document(any_experiment(blastRadius={"maxTargets": 2} | radius), rules=OFFLINE).spec


def targets(*names: str, namespace: str | None = None) -> tuple[Target, ...]:
    return tuple(
        Target(provider=ProviderName.TOXIPROXY, kind="proxy", id=name, name=name, namespace=namespace)
        for name in names
    )


def told(found: Resolved, *more: Resolved, policy: PolicySpec | None = POLICY, **radius: object) -> str:
    return "; ".join(beyond(spec(**radius), [found, *more], team="demo", policy=policy))


def test_targets_within_the_radius_are_no_fault() -> None:
    assert told(Resolved(1, "slow", 4, targets("a", "b"))) == ""


def test_targets_of_all_faults_of_a_step_count_together_and_each_once() -> None:
    one, same = Resolved(1, "slow", 4, targets("a", "b")), Resolved(1, "down", 4, targets("a"))
    other = Resolved(1, "down", 4, targets("c"))
    assert told(one, same) == ""
    assert "step 1 hits 3 targets" in told(one, other)
    assert told(one, Resolved(2, "down", 4, targets("c"))) == ""


def test_a_share_of_the_candidates_is_bounded_before_anything_is_picked() -> None:
    assert told(Resolved(1, "slow", 4, targets("a", "b")), maxPercent=50) == ""
    assert "66.7%" in told(Resolved(1, "slow", 3, targets("a", "b")), maxPercent=50)


def test_a_fault_of_nothing_is_told() -> None:
    assert "no target" in told(Resolved(1, "slow", 0, ()))


def test_targets_in_other_namespaces_are_told_though_the_selector_did_not_name_them() -> None:
    assert "another team" in told(Resolved(1, "slow", 1, targets("a", namespace="ledger")))
    assert "never hit" in told(Resolved(1, "slow", 1, targets("a", namespace="kube-system")), policy=None)
    assert told(Resolved(1, "slow", 1, targets("a", namespace="checkout"))) == ""


def test_where_it_may_not_run_it_does_not_run() -> None:
    policy = PolicySpec(providers=(ProviderName.FIS,))
    assert "toxiproxy may not inject" in told(Resolved(1, "slow", 1, targets("a")), policy=policy)


def test_ids_are_sorted_and_stand_once() -> None:
    assert target_ids(targets("b", "a", "b")) == ("toxiproxy:a", "toxiproxy:b")


@pytest.mark.parametrize(
    ("namespace", "radius", "reason"),
    [
        ("checkout", None, None),
        ("checkout", Namespaces(allow=("check*",)), None),
        ("checkout", Namespaces(allow=("other",)), "not among"),
        ("checkout", Namespaces(allow=("checkout",), deny=("check*",)), "denied"),
        ("ledger", Namespaces(allow=("ledger",)), "another team"),
        ("crosswind", Namespaces(allow=("cross*",)), "never hit"),
    ],
)
def test_what_is_denied_is_denied_though_it_is_allowed(
    namespace: str, radius: Namespaces | None, reason: str | None
) -> None:
    found = namespace_refusal(namespace, team="demo", radius=radius, policy=POLICY)
    assert (found is None) if reason is None else (found is not None and reason in found)


@given(st.text(alphabet="*?[]!a-z^", max_size=8))
def test_a_pattern_that_matches_every_name_is_known_as_one(pattern: str) -> None:
    names = ("a", "zebra", "order-to-payment", "x1", "service.with.dots", "UPPER", "-", "9")
    if all(fnmatchcase(name, pattern) for name in names):
        assert matches_everything(pattern)
