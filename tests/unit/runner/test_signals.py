"""SIGTERM to a real runner process, whose stores are in memory."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil

from tests.unit.runner.rig import wait_until

RUNNER = textwrap.dedent(
    """
    import logging, sys
    from pathlib import Path
    from crosswind.runner.hardening import harden
    from crosswind.runner.main import watch_signals
    from tests.unit.runner.rig import Rig
    logging.basicConfig(level="WARNING")
    harden()
    rig = Rig(Path(sys.argv[1]))
    rig.admit(rig.shard({}, command=sys.argv[2]))
    watch_signals(rig.agent)
    rig.agent.run()
    work = rig.work()
    print(work.state.value, work.attempt, len(work.failures))
    """
)


def start(folder: Path, command: str) -> "subprocess.Popen[str]":
    """A runner process that has begun with its command."""
    runner = subprocess.Popen(
        (sys.executable, "-c", RUNNER, str(folder), command),
        cwd=Path(__file__).parents[3],
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: list(folder.glob("attempts/*/*/work/pid")), seconds=20)
    return runner


def test_a_stopped_runner_hands_back_and_leaves_with_status_0(tmp_path: Path) -> None:
    runner = start(tmp_path, "echo $$ > pid; sleep 60")
    (path,) = tmp_path.glob("attempts/*/*/work/pid")
    time.sleep(0.1)
    pid = int(path.read_text())
    runner.send_signal(signal.SIGTERM)
    said, _ = runner.communicate(timeout=20)
    assert runner.returncode == 0
    assert said == "waiting 1 0\n"
    assert not psutil.pid_exists(pid)


def test_a_second_signal_ends_the_runner_at_once(tmp_path: Path) -> None:
    runner = start(tmp_path, "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done")
    runner.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    begun = time.monotonic()
    runner.send_signal(signal.SIGTERM)
    runner.communicate(timeout=20)
    assert runner.returncode == 1
    assert time.monotonic() - begun < 0.4  # the grace of the first signal is 0.5 s here
