"""The base and pytest's image, run as strictly as a pod under Pod Security `restricted`."""

import json
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
