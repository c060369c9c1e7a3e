"""The base and pytest's image, run as strictly as a pod under Pod Security `restricted`."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from crosswind import __version__
from tests.images.conftest import WORK, Built

pytestmark = pytest.mark.xdist_group("images")

_MOST_BYTES = {"base": 450_000_000, "pytest": 480_000_000}


def findings(built: Built, **given: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = built.restricted("--check", "--json", **given)
    assert ended.stdout, ended.stderr
    told = json.loads(ended.stdout)
    return ended.returncode, {finding["name"]: finding for finding in told["findings"]}


@pytest.mark.parametrize("name", ["base", "pytest"])
def test_the_runner_starts_and_tells_its_version(built: dict[str, Built], name: str) -> None:
    ended = built[name].restricted("--version")
    assert (ended.returncode, ended.stdout) == (0, f"crosswind-runner {__version__}\n"), ended.stderr


def test_it_could_run_tests_as_strictly_as_pod_security_restricted(built: dict[str, Built]) -> None:
    status, found = findings(built["pytest"])
    assert status == 0
    needed = ("work folder", "execute from it", "free space", "python", "pytest", "git")
    hardened = ("not root", "read-only root", "no capabilities", "no new privileges", "seccomp")
    assert {name: found[name]["ok"] for name in (*needed, *hardened)} == dict.fromkeys(
        (*needed, *hardened), True
    )
    assert found["not root"]["detail"] == "user 10001, group 10001"
    assert found["pytest"]["detail"].startswith("pytest ")


def test_without_a_work_folder_it_says_so(built: dict[str, Built]) -> None:
    status, found = findings(built["base"], work=False)
    assert status == 1
    assert found["work folder"]["detail"] == f"{WORK}: Read-only file system"


def test_a_runner_without_settings_says_which_are_missing(built: dict[str, Built]) -> None:
    ended = built["base"].restricted()
    assert ended.returncode == 2
    assert "CROSSWIND_ARTIFACTS_BUCKET is not set" in ended.stderr


def test_tests_run_in_it_and_write_to_their_work_folder_only(built: dict[str, Built]) -> None:
    script = (
        "printf 'import pathlib, pytest\\n"
        'def test_here(): pathlib.Path("here").touch()\\n'
        "def test_root():\\n"
        '    with pytest.raises(OSError): pathlib.Path("/usr/here").touch()\\n\' > test_it.py && '
        "/opt/tests/bin/python -m pytest -q -p no:cacheprovider test_it.py"
    )
    ended = built["pytest"].restricted("-c", script, options=("--entrypoint", "/bin/sh"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


def test_nothing_in_it_gives_another_users_rights(built: dict[str, Built]) -> None:
    find = "find / -xdev -type f -perm /6000"
    ended = built["pytest"].restricted("-c", find, options=("--entrypoint", "/bin/sh"))
    assert ended.stdout == ""


@pytest.mark.parametrize("name", ["base", "pytest"])
def test_images_stay_small(built: dict[str, Built], name: str) -> None:
    assert built[name].image.bytes < _MOST_BYTES[name]


_AGENT = """
import json, sys
from pathlib import Path
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import Interruption
from crosswind.runner.hand.calling import Hand
from crosswind.runner.sampling import UseRecorder
from crosswind.runner.sandbox import Place, Sandbox

place = Place(Path("/crosswind/work/attempt"))
place.make()
(place.work / "test_it.py").write_text(
    "import os, pathlib, pytest, time\\n"
    "def test_it_sees_nothing_of_the_agent(): assert 'AGENT_SECRET' not in os.environ\\n"
    "def test_it_writes_to_its_folders_only():\\n"
    "    pathlib.Path('here').touch()\\n"
    "    with pytest.raises(OSError): pathlib.Path('/usr/here').touch()\\n"
    "def test_it_takes_a_while(): time.sleep(1.2)\\n"
)
recorder, said = UseRecorder(), bytearray()
sandbox = Sandbox(
    TestEnvironment.of({}, marker="agent", test_python=None), place, hand=Hand(Path("/crosswind/hand/socket"), 60.0), sampled=recorder.add
)
end = sandbox.run(
    ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
    env={}, timeout_seconds=60, output=said.extend, interruption=Interruption(),
)
use = recorder.use()
told = {"code": end.code, "said": said.decode(), "here": (place.work / "here").exists()}
print(json.dumps(told | {"samples": use.samples if use else 0, "memory": use.memory_max_mib if use else 0, "source": use.source if use else None}))
"""


def test_an_agent_has_tests_run_in_another_container(built: dict[str, Built]) -> None:
    """As in a pod: two containers, each as strict as `restricted`, that share a folder and a socket."""
    shared = tempfile.mkdtemp(prefix="cw-")  # a socket's path has some 100 bytes
    options = ["--mount", "type=tmpfs,destination=/tmp,U=true"]
    for name in ("work", "hand"):
        folder = Path(shared, name)
        folder.mkdir()
        os.chown(folder, 10001, 10001)
        options += ["--mount", f"type=bind,source={folder},destination=/crosswind/{name}"]
    runner = "/opt/crosswind/bin/crosswind-runner"
    name = f"cw-hand-{Path(shared).name[3:]}"
    hand = built["pytest"]
    argv = hand.restricted_argv(
        *("--hand", "/crosswind/hand/socket"),
        options=(*options, "--memory=256m", "--name", name, "--entrypoint", runner),
        work=False,
    )
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            ended = built["base"].restricted(
                *("-c", _AGENT),
                options=(*options, "--entrypoint", "/opt/crosswind/bin/python", "--env", "AGENT_SECRET=x"),
                work=False,
            )
        finally:
            subprocess.run(hand.engine.argv("stop", "--time", "3", name), capture_output=True, check=False)
            process.wait(timeout=30)
            complaint = process.stderr.read() if process.stderr else ""
            shutil.rmtree(shared)
    assert ended.returncode == 0, f"{ended.stderr}\n{complaint}"
    told = json.loads(ended.stdout)
    assert "3 passed" in told["said"]
    assert (told["code"], told["here"]) == (0, True)
    assert told["samples"] >= 1
    assert told["memory"] > 5
    assert told["source"] == "cgroup"  # the container has a limit, so its accounts are its own
    assert process.returncode == 0  # SIGTERM ends a hand at once
