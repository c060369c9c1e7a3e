"""Commands that run in another container: the same ends, the same limits, and a dead container is nobody's failed test."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from crosswind.contracts.work import DispatchMessage
from crosswind.runner.faults import Cause, InfrastructureFaultError, Interruption
from crosswind.runner.hand import serving
from crosswind.runner.hand.calling import Hand
from crosswind.runner.options import RunnerOptions
from crosswind.runner.sampling import Sample
from crosswind.runner.sandbox import Sandbox
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.settings import SettingsError
from tests.unit.runner.rig import make_sandbox, run_python, wait_until
from tests.unit.runner.test_sandbox import GRANDCHILD

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def hand() -> Iterator["Process"]:
    process = Process()
    try:
        yield process
    finally:
        process.end()


class Process:
    """A hand of its own process, as in a container of its own."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()  # a short path: a socket's has some 100 bytes
        self.socket = Path(self.folder.name) / "socket"
        self.start()

    def start(self) -> None:
        environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "AWS_SECRET_ACCESS_KEY": "of-the-hand",
            "CROSSWIND_TEST_PYTHON": str(Path(sys.executable).parent),
            "TZ": "Antarctica/Troll",
        }
        command = [sys.executable, "-m", "crosswind.runner.main", "--hand", str(self.socket)]
        self.process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def sandbox(self, folder: Path, *, grace_seconds: float = 1.0) -> Sandbox:
        return replace(make_sandbox(folder, grace_seconds=grace_seconds), hand=Hand(self.socket, 10.0))


def test_how_a_command_ends_is_told_as_if_it_ran_here(hand: Process, tmp_path: Path) -> None:
    sandbox = hand.sandbox(tmp_path)

    end, said = run_python(sandbox, "print('first'); print('second'); raise SystemExit(5)")
    assert (end.code, said) == (5, "first\nsecond\n")
    end, _ = run_python(sandbox, "import os; os.kill(os.getpid(), 11)")
    assert end.code == 128 + 11
    with pytest.raises(FileNotFoundError):
        sandbox.run(
            ("no-such-command",), env={}, timeout_seconds=5, output=print, interruption=Interruption()
        )


def test_a_command_sees_its_own_containers_settings_and_no_credentials(hand: Process, tmp_path: Path) -> None:
    code = (
        "import os; print(os.environ.get('AWS_SECRET_ACCESS_KEY'), os.environ['GIVEN'], os.environ['TZ'],"
        "os.environ['HOME'].endswith('/attempt/home'), os.getcwd().endswith('/attempt/work'))"
    )

    _, said = run_python(hand.sandbox(tmp_path), code, env={"GIVEN": "yes"})

    assert said == "None yes Antarctica/Troll True True\n"


def test_the_whole_tree_is_killed_at_the_timeout_there(hand: Process, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    end, _ = run_python(
        hand.sandbox(tmp_path, grace_seconds=0.2),
        GRANDCHILD + "time.sleep(60)",
        env={"PID_FILE": str(pid_file)},
        timeout_seconds=0.7,
    )

    assert (end.timed_out, end.code) == (True, None)
    assert not psutil.pid_exists(int(pid_file.read_text()))


def test_memory_is_bounded_there(hand: Process, tmp_path: Path) -> None:
    code = "import time\nkept = b'x' * 150_000_000\ntime.sleep(30)"

    end, _ = run_python(hand.sandbox(tmp_path), code, memory_bytes=100_000_000)

    assert (end.out_of_memory, end.code) == (True, None)


def test_an_interruption_ends_the_command_there(hand: Process, tmp_path: Path) -> None:
    interruption = Interruption()
    threading.Timer(0.5, lambda: interruption.raise_flag(Cause.STOPPING)).start()

    end, _ = run_python(
        hand.sandbox(tmp_path, grace_seconds=0.2), "import time; time.sleep(60)", interruption=interruption
    )

    assert end.interrupted


def test_an_agent_that_is_gone_leaves_no_command_running(hand: Process, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.unit.runner.rig import *; from dataclasses import replace;"
        "from crosswind.runner.hand.calling import Hand;"
        "box = replace(make_sandbox(Path(sys.argv[1])), hand=Hand(Path(sys.argv[2])));"
        "run_python(box, \"import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)\")"
    )
    agent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(hand.socket)])
    pid_file = tmp_path / "attempt/work/pid"
    wait_until(lambda: pid_file.exists() and pid_file.read_text(), seconds=20)

    agent.kill()
    agent.wait()

    wait_until(lambda: not psutil.pid_exists(int(pid_file.read_text())))


def test_a_container_that_dies_under_a_command_is_infrastructure_and_the_next_one_runs_again(
    hand: Process, tmp_path: Path
) -> None:
    sandbox = hand.sandbox(tmp_path)
    run_python(sandbox, "pass")  # it is there
    threading.Timer(0.5, hand.process.kill).start()

    with pytest.raises(InfrastructureFaultError) as lost:
        run_python(sandbox, "import time; time.sleep(20)")
    assert lost.value.reason is InfrastructureReason.OOM_RUNNER

    hand.process.wait()
    hand.start()
    end, said = run_python(sandbox, "print('again')")
    assert (end.code, said) == (0, "again\n")


def test_a_container_that_does_not_begin_is_infrastructure(tmp_path: Path) -> None:
    sandbox = replace(make_sandbox(tmp_path), hand=Hand(tmp_path / "none", 0.3))

    with pytest.raises(InfrastructureFaultError, match=r"not ready within 0\.3 s"):
        run_python(sandbox, "pass")


def test_a_hand_ends_at_once_when_its_pod_does(hand: Process, tmp_path: Path) -> None:
    run_python(hand.sandbox(tmp_path), "pass")
    began = time.monotonic()

    hand.process.send_signal(signal.SIGTERM)

    assert hand.process.wait(5) == 0
    assert time.monotonic() - began < 5


def test_tests_are_stopped_before_their_container_reaches_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(serving, "_LIMITS", (tmp_path / "none", limit))

    assert serving.container_memory() is None
    limit.write_text("max\n", encoding="ascii")
    assert serving.container_memory() is None
    limit.write_text(f"{2048 * 1024 * 1024}\n", encoding="ascii")
    assert serving.container_memory() == 2048 * 1024 * 1024 - serving.HEADROOM_BYTES


def test_a_job_tells_its_agent_what_to_take_and_where_the_hand_is() -> None:
    run = "run-00000000000000000000000001"

    options = RunnerOptions.from_env({"CROSSWIND_ONCE": f"{run}/shard-00003/2", "CROSSWIND_HAND": "/h/s"})

    assert options.once == DispatchMessage(run_id=run, work_id="shard-00003", attempt=2)
    assert options.hand == Path("/h/s")
    for wrong in ("x", f"{run}/shard-00003", f"{run}/shard-00003/x", f"{run}/other/1"):
        with pytest.raises(SettingsError, match="CROSSWIND_ONCE"):
            RunnerOptions.from_env({"CROSSWIND_ONCE": wrong})


def test_what_a_command_uses_is_told_to_the_agent(hand: Process, tmp_path: Path) -> None:
    seen: list[Sample] = []
    sandbox = replace(hand.sandbox(tmp_path), sampled=seen.append)
    end, said = run_python(
        sandbox,
        "import time\nend = time.monotonic() + 1.6\nwhile time.monotonic() < end: print('x' * 999)",
    )
    assert end.code == 0
    assert set(said) == {"x", "\n"}
    assert 1 <= len(seen) <= 2
    assert seen[0].cpu_seconds > 0.05
