"""The moments at which an experiment starts by itself."""

from datetime import UTC, datetime

import pytest

from crosswind.chaos.when import next_start
from crosswind.contracts.chaos.spec import WhenSpec

MONDAY = datetime(2027, 1, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (WhenSpec(cron="0 3 * * 2", timezone="Europe/Berlin"), "2027-01-05T02:00:00+00:00"),
        (WhenSpec(at="2027-01-05T03:00", timezone="Europe/Berlin"), "2027-01-05T02:00:00+00:00"),
        (WhenSpec(at="2027-01-05T03:00+05:00"), "2027-01-04T22:00:00+00:00"),
        (WhenSpec(at="2027-01-04T12:00Z"), None),
        (WhenSpec.model_validate({"onEvent": {"type": "runs.run.finished.v1"}}), None),
    ],
)
def test_the_next_start_is_strictly_after(when: WhenSpec, expected: str | None) -> None:
    found = next_start(when, after=MONDAY)
    assert (found.isoformat() if found else None) == expected
