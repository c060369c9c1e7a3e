"""Input: orders, archives, signals. Output: what is in the stores afterwards. Processes and files are real."""

from pathlib import Path

import pytest

from tests.unit.runner.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A runner over stores in memory."""
    return Rig(tmp_path)
