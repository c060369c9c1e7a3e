"""Where pods go, and the sentence that says why."""

from collections import Counter
from dataclasses import replace

import pytest

from crosswind.contracts.clusters import CapacityKind, CapacityOffer
from crosswind.contracts.services import ServiceResources, ServiceSpec
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import InfrastructureFailure
from crosswind.runs.planning.pricing import POD_OVERHEAD_MIB, Size, billed
from crosswind.runs.pods.naming import Carrier, carrier_of, namespace_of
from crosswind.runs.pods.placing import place
from crosswind.runs.pods.sizes import AGENT_MEMORY_MIB, sizes_of
from tests.fakes import START
from tests.unit.runs.pods.samples import FARGATE, ON_DEMAND, SPOT, admitted, make_cluster

SIZE = Size(1000, 2048)
BOTH = make_cluster(SPOT, ON_DEMAND)


def kind_of(number: int, **changes: object) -> CapacityKind:
    chosen = place(admitted(number, **changes), SIZE, BOTH)
    assert chosen is not None
    return chosen.offer.kind


def test_spot_gets_its_share_of_what_may_be_interrupted() -> None:
    counted = Counter(kind_of(number) for number in range(2000))

    assert 0.66 < counted[CapacityKind.SPOT] / 2000 < 0.74


def test_what_must_not_be_interrupted_never_goes_to_spot() -> None:
    assert {kind_of(number, interruptible=False) for number in range(50)} == {CapacityKind.ON_DEMAND}


@pytest.mark.parametrize("reason", ["spot", "evicted", "node_lost"])
def test_what_was_taken_back_once_does_not_go_to_spot_again(reason: str) -> None:
    lost = InfrastructureFailure(attempt=1, reason=reason, detail="", at=START)
    on_spot = next(number for number in range(50) if kind_of(number) is CapacityKind.SPOT)

    again = place(admitted(on_spot, attempt=2, failures=(lost,)), SIZE, BOTH)

    assert again is not None
    assert again.offer.kind is CapacityKind.ON_DEMAND
    assert "taken back" in again.reason


def test_other_losses_leave_the_work_where_it_belongs() -> None:
    lost = InfrastructureFailure(attempt=1, reason=InfrastructureReason.LEASE_LOST, detail="", at=START)
    on_spot = next(number for number in range(50) if kind_of(number) is CapacityKind.SPOT)

    assert kind_of(on_spot, attempt=2, failures=(lost,)) is CapacityKind.SPOT


def test_an_offer_that_could_not_start_it_is_passed_over_and_named() -> None:
    chosen = place(admitted(), SIZE, make_cluster(FARGATE, ON_DEMAND), tried=(CapacityKind.FARGATE,))

    assert chosen is not None
    assert chosen.offer == ON_DEMAND
    assert "Fargate did not start its pod in time" in chosen.reason


def test_when_all_were_tried_the_first_is_tried_again() -> None:
    tried = (CapacityKind.FARGATE, CapacityKind.ON_DEMAND)

    chosen = place(admitted(), SIZE, make_cluster(FARGATE, ON_DEMAND), tried=tried)

    assert chosen is not None
    assert chosen.offer == FARGATE


def test_a_pod_that_no_offer_takes_is_placed_nowhere() -> None:
    small = CapacityOffer(kind=CapacityKind.NODES, max_cpu_millis=500)

    assert place(admitted(), SIZE, make_cluster(small)) is None


def test_services_count_for_the_largest_pod_that_an_offer_takes() -> None:
    small = CapacityOffer(kind=CapacityKind.NODES, max_cpu_millis=1500, max_memory_mib=8192)
    service = ServiceSpec.model_validate(
        {"name": "db", "image": "postgres:17", "resources": {"cpu": "1", "memory": "512Mi"}}
    )

    assert place(admitted(), Size(1000, 1024), make_cluster(small)) is not None
    assert place(admitted(), Size(1000, 1024), make_cluster(small), services=(service,)) is None


def test_spot_takes_what_must_not_be_interrupted_only_where_there_is_nothing_else_that_fits() -> None:
    small = replace_offer(ON_DEMAND, max_cpu_millis=500)

    chosen = place(admitted(interruptible=False), SIZE, make_cluster(small, SPOT))

    assert chosen is not None
    assert chosen.offer.kind is CapacityKind.SPOT


def replace_offer(offer: CapacityOffer, **changes: object) -> CapacityOffer:
    return offer.model_copy(update=changes)


def test_tests_keep_all_the_memory_that_they_asked_for_and_get_the_rest_of_a_fargate_size() -> None:
    sizes = sizes_of(SIZE, (), CapacityKind.FARGATE)

    assert sizes.pod == Size(1000, 3072 - POD_OVERHEAD_MIB)
    assert sizes.tests.memory_mib == 3072 - POD_OVERHEAD_MIB - AGENT_MEMORY_MIB
    assert sizes.tests.cpu_millis + sizes.agent.cpu_millis == 1000
    assert billed(sizes.pod) == billed(Size(1000, 2048 + AGENT_MEMORY_MIB)), "no more is paid for it"


def test_services_are_added_to_the_pod() -> None:
    service = ServiceSpec(name="db", image="db:1", resources=ServiceResources(cpu="1", memory="1Gi"))

    sizes = sizes_of(SIZE, (service,), CapacityKind.NODES)

    assert sizes.pod == Size(2000, 2048 + 1024 + AGENT_MEMORY_MIB)
    assert sizes.services == (Size(1000, 1024),)


def test_a_repeated_launch_has_the_same_name_and_every_other_try_another() -> None:
    work = admitted(3)
    names = {
        carrier_of(work).job,
        carrier_of(work, number=1).job,
        carrier_of(replace(work, epoch=1)).job,
        carrier_of(replace(work, attempt=2)).job,
        carrier_of(admitted(4)).job,
    }

    assert carrier_of(work).job == carrier_of(admitted(3)).job
    assert len(names) == 5
    assert all(len(name) <= 50 for name in names)
    assert Carrier(work.key, 1, 0).runner_id == f"pod/{carrier_of(work).job}"


def test_namespaces_fit_and_long_names_stay_apart() -> None:
    long, other = "a" * 63, "a" * 62 + "b"

    assert namespace_of("crosswind-", "demo") == "crosswind-demo"
    assert len(namespace_of("crosswind-", long)) <= 63
    assert namespace_of("crosswind-", long) != namespace_of("crosswind-", other)


@pytest.mark.parametrize(("prefix", "team"), [("crosswind-", "system"), ("kube-", "system"), ("d", "efault")])
def test_no_team_gets_a_namespace_that_is_somebody_elses(prefix: str, team: str) -> None:
    assert namespace_of(prefix, team).startswith(f"{prefix}{team}-")
