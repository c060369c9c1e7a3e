"""A machine is as it was before, also after a node whose tests were killed."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cluster import leftovers
from tests.cluster.real import RealNode

pytestmark = pytest.mark.xdist_group("cluster")

_DIES = (
    "import os, sys\n"
    "from pathlib import Path\n"
    "from tests.cluster import leftovers\n"
    "leftovers._SETTINGS = Path(sys.argv[1])\n"
    "print(leftovers.new_folder(), flush=True)\n"
    "os.kill(os.getpid(), 9)\n"
)


@pytest.fixture(autouse=True)
def _only_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts real nodes")


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A setting of a machine that is none: nodes that run meanwhile, of these tests or of others, share the real one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    settings = tmp_path / "settings"
    monkeypatch.setattr(leftovers, "_SETTINGS", settings)
    for name in leftovers._SYSCTLS:
        (settings / name).parent.mkdir(parents=True, exist_ok=True)
        (settings / name).write_text("0", encoding="ascii")
    return settings / "vm" / "overcommit_memory"


def test_a_node_beside_another_knows_how_the_machine_was(setting: Path) -> None:
    first = leftovers.new_folder()
    setting.write_text("1", encoding="ascii")  # as the first one's kubelet does it
    second = leftovers.new_folder()
    leftovers.put_back(first)
    assert setting.read_text(encoding="ascii") == "1"
    leftovers.put_back(second)
    assert setting.read_text(encoding="ascii") == "0"


def test_what_a_killed_node_left_is_put_back(setting: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", _DIES, str(leftovers._SETTINGS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    folder = Path(died.stdout.strip())
    groups = leftovers._cgroup_folders(folder.name)
    assert all(group.exists() for group in groups)
    setting.write_text("1", encoding="ascii")
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        (groups[0] / "cgroup.procs").write_text(str(sleeper.pid), encoding="ascii")
        assert leftovers.sweep() == [folder]
        assert sleeper.wait(timeout=5) == -9
    finally:
        sleeper.kill()
        sleeper.wait()
    assert setting.read_text(encoding="ascii") == "0"
    assert not folder.exists()
    assert not any(group.exists() for group in groups)


def test_a_node_that_lives_is_left_alone(real_node: RealNode) -> None:
    assert real_node.folder not in leftovers.sweep()
    assert real_node.folder.exists()
    record = json.loads((real_node.folder / "node.json").read_text(encoding="utf-8"))
    assert record["owner"]["pid"] == os.getpid()


def test_only_a_nodes_folder_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(ValueError, match="no folder of a node"):
        leftovers.put_back(tmp_path)
    assert (tmp_path / "kept").exists()
