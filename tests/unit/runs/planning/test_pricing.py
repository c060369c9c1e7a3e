"""What machines and control plane cost. Input: seconds and a size. Output: dollars. Pure."""

import pytest

from crosswind.runs.planning.pricing import Size, billed, cost, second_price


@pytest.mark.parametrize(
    ("asked", "sold"),
    [
        (Size(1000, 2048), Size(1000, 3072)),
        (Size(250, 256), Size(250, 512)),
        (Size(300, 512), Size(500, 1024)),
        (Size(250, 2000), Size(500, 3072)),
        (Size(1000, 40_000), Size(8000, 40_960)),
        (Size(99_999, 999_999), Size(16_000, 122_880)),
    ],
)
def test_a_pod_is_rounded_up_to_what_is_sold(asked: Size, sold: Size) -> None:
    assert billed(asked) == sold


def test_a_thousand_shards_of_ten_minutes_cost_what_the_price_list_says() -> None:
    assert cost([600.0] * 1000, Size(1000, 2048)).compute == pytest.approx(8.97, abs=0.01)


def test_a_pod_is_billed_for_a_minute_at_least() -> None:
    size = Size(1000, 2048)
    assert cost([5.0], size).compute == pytest.approx(60 * second_price(size))


def test_the_control_plane_costs_a_fraction_of_the_compute() -> None:
    spent = cost([600.0] * 1000, Size(1000, 2048))
    assert 0 < spent.control < 0.05 * spent.compute
