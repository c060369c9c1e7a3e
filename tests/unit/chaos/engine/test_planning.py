"""What is planned from a run's spec alone."""

import pytest

from crosswind.chaos.engine import planning
from tests.unit.chaos.engine.world import make_run, make_spec


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        pytest.param("3m", 120, id="a short run: its monitor waits two minutes all the same"),
        pytest.param("10m", 445, id="as long as the run could still end in time"),
        pytest.param("1h", 600, id="never longer than ten minutes"),
    ],
)
def test_a_monitor_waits_for_a_runner_while_its_run_could_still_end_in_time(
    timeout: str, seconds: int
) -> None:
    run = make_run(make_spec(timeout=timeout))
    assert planning.monitor_ticket(run, awaits=1).queue_seconds == seconds
