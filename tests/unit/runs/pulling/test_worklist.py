"""How a list is given out: stripes, homes, and every unit exactly once."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.work import PullList, PullUnit
from crosswind.runs.pulling.model import Batch, PullHead, ReturnedBatch
from crosswind.runs.pulling.worklist import RUNNERS_PER_STRIPE, WorkList, stripes_for
from tests.fakes import make_work

RUN = make_work().key.run_id


def make_list(estimates: list[float], *, runners: int = 2, stripes: int = 1) -> PullList:
    units = [
        PullUnit(test_ids=(f"t{number}", f"u{number}"), estimate_seconds=seconds)
        for number, seconds in enumerate(estimates)
    ]
    return PullList(pull_id="00-api-1", runners=runners, stripes=stripes, units=tuple(units))


def fresh_heads(stripes: int) -> list[PullHead]:
    return [PullHead(run_id=RUN, pull_id="00-api-1", stripe=stripe) for stripe in range(stripes)]


def first_stripe(listed: WorkList, heads: list[PullHead], number: int) -> int:
    chosen = listed.next_batch(heads, make_work(number))
    assert chosen is not None
    return chosen[1].stripe


def give_out(listed: WorkList, *, shards: int) -> list[Batch]:
    """Shards in turn, until nothing is left."""
    heads = fresh_heads(len(listed.stripes))
    given: list[Batch] = []
    while True:
        holder = make_work(len(given) % shards)
        chosen = listed.next_batch(heads, holder)
        if chosen is None:
            return given
        heads[chosen[0].stripe] = chosen[0]
        given.append(chosen[1])


@given(
    estimates=st.lists(st.floats(0, 900), max_size=120),
    shards=st.integers(1, 9),
    stripes=st.integers(1, 5),
)
def test_every_test_is_given_out_exactly_once(estimates: list[float], shards: int, stripes: int) -> None:
    listed = WorkList.of(make_list(estimates, runners=shards, stripes=stripes))

    tests = Counter(test for batch in give_out(listed, shards=shards) for test in listed.test_ids(batch))

    assert tests == Counter(test for unit in listed.pull_list.units for test in unit.test_ids)


def test_the_longest_units_are_given_out_first() -> None:
    listed = WorkList.of(make_list([60.0, 50.0, 40.0, 1.0, 1.0, 1.0], stripes=1))

    given = give_out(listed, shards=2)

    assert [batch.first for batch in given] == sorted(batch.first for batch in given)
    assert listed.test_ids(given[0]) == ("t0", "u0")


def test_runners_begin_at_homes_of_their_own_and_go_on_at_different_others() -> None:
    listed = WorkList.of(make_list([10.0] * 400, runners=12, stripes=4))
    home_is_empty = fresh_heads(4)
    home_is_empty[1] = replace(home_is_empty[1], next_unit=100)

    homes = [first_stripe(listed, fresh_heads(4), number) for number in range(4)]
    others = [first_stripe(listed, home_is_empty, number) for number in (1, 5, 9)]

    assert homes == [0, 1, 2, 3]
    assert sorted(others) == [0, 2, 3]


def test_what_came_back_is_taken_before_anything_else_wherever_it_lies() -> None:
    listed = WorkList.of(make_list([10.0] * 40, runners=4, stripes=2))
    heads = fresh_heads(2)
    back = ReturnedBatch(number=3, first=5, count=2, attempt=2, losses=1)
    heads[1] = replace(heads[1], next_unit=9, next_number=4, returned=(back,))

    chosen = listed.next_batch(heads, make_work(0))

    assert chosen is not None
    assert (chosen[1].stripe, chosen[1].number, chosen[1].attempt) == (1, 3, 2)
    assert chosen[0].returned == ()


def test_a_list_has_a_head_for_each_ten_runners() -> None:
    assert [stripes_for(runners) for runners in (1, RUNNERS_PER_STRIPE, RUNNERS_PER_STRIPE + 1, 1000)] == [
        1,
        1,
        2,
        100,
    ]
