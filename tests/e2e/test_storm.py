"""The small edition of the storm: sixty shards of three teams while everything around them breaks."""

from pathlib import Path

import pytest

from tests.storm.run import Storm, blow

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("storm")]


def test_in_a_storm_every_shard_ends_once_in_an_order_that_the_policy_explains(tmp_path: Path) -> None:
    storm = Storm(shards=60, concurrency=20, median_seconds=0.5, kill_every_seconds=5.0, kills=3)
    outcome = blow(storm, folder=tmp_path)
    assert (outcome.verdicts, outcome.reasons) == ({"passed": 9}, ())
    assert (outcome.recorded, outcome.lost, outcome.doubled) == (60, 0, 0)
    assert outcome.unexplained == 0
    assert outcome.out_of_order == ()
    assert outcome.faults["emulator killed and restarted"] == 1
    assert outcome.faults["runners killed (leases at most)"] > 0
    assert outcome.faults["messages doubled and delayed"] > 0
