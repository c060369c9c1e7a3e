"""The suites below `examples/shop/frameworks`: the one that needs no installation, run for real; and what all have in common."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shop.running import SHOP

FRAMEWORKS = SHOP / "frameworks"
TOOLS = sorted(folder.name for folder in FRAMEWORKS.iterdir() if folder.is_dir())
_SOURCES = {".js", ".mjs", ".py", ".robot", ".java", ".sh", ".json"}
_LEFT_BEHIND = {"node_modules", ".deps", ".m2", ".jmeter", "results", "target"}


def sources(tool: str) -> list[Path]:
    """What somebody wrote."""
    files = (path for path in (FRAMEWORKS / tool).rglob("*") if path.suffix in _SOURCES)
    return [path for path in files if not _LEFT_BEHIND.intersection(path.parts)]


@pytest.mark.parametrize(("show_failure", "told"), [("0", "OK"), ("1", "FAILED (failures=1)")])
def test_one_test_fails_when_it_is_asked_to(show_failure: str, told: str) -> None:
    beside = ("-m", "shop.local.with_shop", "--directory", "frameworks/unittest")
    done = subprocess.run(
        [
            sys.executable,
            *beside,
            "--",
            sys.executable,
            "-m",
            "unittest",
            "discover",
            "-s",
            "tests",
            "-t",
            ".",
        ],
        cwd=SHOP,
        env={**os.environ, "SHOP_URL": "", "SHOP_SHOW_FAILURE": show_failure},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == int(show_failure)
    assert "Ran 7 tests" in done.stderr
    assert done.stderr.rstrip().endswith(told)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_suite_can_show_a_failure_and_is_told_where_the_shop_is(tool: str) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sources(tool))
    assert re.search("SHOP_SHOW_FAILURE|showFailure", text)
    assert re.search("SHOP_URL|shopUrl", text)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_version_is_pinned(tool: str) -> None:
    folder = FRAMEWORKS / tool
    found = 0
    if (folder / "package.json").is_file():
        wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
        locked = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
        # A package that a registry did not have when the lock was written is left out of it without a word, and `npm ci` refuses it.
        optional = {name for each in locked.values() for name in each.get("optionalDependencies", ())}
        assert optional <= {path.rpartition("node_modules/")[2] for path in locked}
        found += len(wanted)
    if (folder / "requirements.txt").is_file():
        text = (folder / "requirements.txt").read_text(encoding="utf-8")
        assert all("==" in line for line in text.splitlines() if not line.startswith(" "))
        found += text.count("==")
    if (folder / "pom.xml").is_file():
        pom = (folder / "pom.xml").read_text(encoding="utf-8")
        versions = re.findall("<version>(.*?)</version>", pom)
        assert all(re.fullmatch(r"[0-9][0-9.]*|\$\{[a-z.]+\}", version) for version in versions)
        found += len(versions)
    assert found > 0
