"""Wall time of a well-known package's own suite through Crosswind on 2 runners, against `pytest -n 2` of the same, in one run.

    python -m tests.bench.third_party [--rounds 3] [--json]

Both run the 696 tests of examples/third-party from sources that were fetched beforehand. Crosswind's time is from submission to
verdict with the preparation cached, as it is for every run after the first of a commit; the first run's time is told apart.
Rounds alternate, the median counts.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from crosswind.local import processes
from crosswind.local.cloud import EmbeddedCloud, UpOptions
from crosswind.local.home import Home

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "examples/third-party"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as folder:
        home, alone = Path(folder, "home"), Path(folder, "alone")
        prepare_alone(alone)
        cloud = EmbeddedCloud(Home(home), report=lambda text: print(text, flush=True))
        port, emulator_port = processes.free_ports(2)
        state = cloud.up(UpOptions(port=port, emulator_port=emulator_port, runners=2))
        try:
            crosswind(home, "login", "--user", "runner")
            first = timed_run(home)
            pairs = [(timed_run(home), timed_pytest(alone)) for _ in range(options.rounds)]
        finally:
            cloud.down()
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    figures = {
        "first_seconds": first,
        "crosswind_seconds": ours,
        "pytest_n2_seconds": theirs,
        "ratio": ours / theirs,
    }
    if options.json:
        print(json.dumps({**figures, "pairs": pairs, "endpoint": state.endpoint}, indent=2))
        return
    print(f"crosswind, first run (prepares)   {first:6.1f} s")
    print(f"crosswind, prepared, 2 runners    {ours:6.1f} s")
    print(f"pytest -n 2                       {theirs:6.1f} s")
    print(f"ratio                             {ours / theirs:6.2f} x")


def prepare_alone(folder: Path, *, extra: Sequence[str] = ("pytest-xdist==3.8.0",)) -> None:
    """The same working directory that the suite's setup makes, with further packages beside its own."""
    import yaml  # noqa: PLC0415  # only this script needs it

    shutil.copytree(SUITE, folder)
    setup = yaml.safe_load((SUITE / "suite.yaml").read_text())["spec"]["stages"][0]["tests"][0]["setup"]
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    environ = {**os.environ, "PATH": f"{folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"}
    more = [f"python -m pip install --quiet --target .deps {package}" for package in extra]
    for command in (*setup, *more):
        subprocess.run(["sh", "-c", command], check=True, cwd=folder, env=environ)


def timed_pytest(folder: Path) -> float:
    """Seconds of `pytest -n 2`."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / ".deps")}
    command = [
        str(folder / ".venv/bin/python"),
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        "tests",
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, env=environ, capture_output=True)
    return time.perf_counter() - started


def timed_run(home: Path) -> float:
    """Seconds from submission to verdict."""
    started = time.perf_counter()
    crosswind(home, "run", "-f", str(SUITE / "suite.yaml"), "--wait", "--json")
    return time.perf_counter() - started


def crosswind(home: Path, *words: str) -> None:
    """Run the CLI against that home."""
    command = Path(sys.executable).with_name("crosswind")
    environ = {**os.environ, "CROSSWIND_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    subprocess.run([command, *words], check=True, env=environ, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
