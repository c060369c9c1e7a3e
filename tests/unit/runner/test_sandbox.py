"""What a command can see, and that nothing of it is left."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from crosswind.runner.environment import MARKER as MARKER_NAME
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import Cause, Interruption
from crosswind.runner.hardening import adopt_orphans
from crosswind.runner.options import RunnerOptions
from crosswind.runner.processes import end_leftovers
from crosswind.settings import SettingsError
from tests.unit.runner.rig import make_sandbox, run_python, wait_until

GRANDCHILD = textwrap.dedent(
    """
    import os, signal, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.chdir("/")
            open(sys.argv[1] if len(sys.argv) > 1 else os.environ["PID_FILE"], "w").write(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    while not os.path.exists(os.environ["PID_FILE"]): time.sleep(0.01)
    """
)


@pytest.fixture(autouse=True)
def _subreaper() -> None:
    adopt_orphans()  # as the runner does when it starts


def test_exit_codes_are_kept_and_a_signal_is_told_as_a_shell_does(tmp_path: Path) -> None:
    sandbox = make_sandbox(tmp_path)
    end, _ = run_python(sandbox, "raise SystemExit(5)")
    assert end.code == 5
    end, _ = run_python(sandbox, "import os; os.kill(os.getpid(), 11)")
    assert end.code == 128 + 11


def test_a_double_forked_grandchild_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    end, _ = run_python(
        make_sandbox(tmp_path, grace_seconds=0.2), GRANDCHILD, env={"PID_FILE": str(pid_file)}
    )
    assert end.code == 0
    assert not psutil.pid_exists(int(pid_file.read_text()))


def test_the_whole_tree_is_killed_at_the_timeout(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    sandbox = make_sandbox(tmp_path, grace_seconds=0.2)
    begun = time.monotonic()
    end, _ = run_python(
        sandbox, GRANDCHILD + "time.sleep(60)", env={"PID_FILE": str(pid_file)}, timeout_seconds=0.7
    )
    assert end.timed_out
    assert end.code is None
    assert time.monotonic() - begun < 5
    assert not psutil.pid_exists(int(pid_file.read_text()))


def test_memory_of_the_whole_tree_is_bounded(tmp_path: Path) -> None:
    code = "import os, time\nos.fork()\nkept = b'x' * 60_000_000\ntime.sleep(30)"
    end, _ = run_python(make_sandbox(tmp_path), code, memory_bytes=100_000_000)
    assert end.out_of_memory
    assert end.code is None


def test_an_interruption_ends_the_command(tmp_path: Path) -> None:
    interruption = Interruption()
    threading.Timer(0.2, interruption.raise_flag, [Cause.LEASE_LOST]).start()
    end, _ = run_python(make_sandbox(tmp_path), "import time; time.sleep(30)", interruption=interruption)
    assert end.interrupted


def test_the_environment_is_an_allow_list(tmp_path: Path) -> None:
    sandbox = make_sandbox(tmp_path)
    environment = TestEnvironment.of(
        {
            "PATH": f"{sys.prefix}/bin:/usr/bin:relative",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "CROSSWIND_RUNS_TABLE": "runs",
            "LC_ALL": "C",
            "SSH_AUTH_SOCK": "/tmp/agent",
            "PIP_INDEX_URL": "https://user:password@pip.example.org/simple",
            "HTTPS_PROXY": "http://proxy.example.org:3128",
            "LICENCE": "passed on by the operator",
        },
        marker="m",
        test_python=Path("/opt/python/bin"),
        passed_on=frozenset({"LICENCE"}),
    )
    built = environment.build(
        home=sandbox.place.home, temporary=sandbox.place.temporary, given={"MINE": "1", MARKER_NAME: "forged"}
    )
    assert set(built) == {
        *("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LANG", "LC_ALL", "PYTHONUNBUFFERED"),
        *("CROSSWIND", "HTTPS_PROXY", "LICENCE", "MINE", MARKER_NAME),
    }
    assert built["PATH"] == "/opt/python/bin:/usr/bin"
    assert built[MARKER_NAME] == "m"


def test_a_command_has_a_session_a_home_and_no_open_files_of_the_runner(tmp_path: Path) -> None:
    held = (tmp_path / "held").open("w")
    os.set_inheritable(held.fileno(), True)
    code = (
        "import os, sys; print(os.getsid(0) == os.getpid(), os.environ['HOME'], os.getcwd(), sys.stdin.read(),"
        "sorted(os.listdir('/proc/self/fd'))[:4], [k for k in os.environ if k.startswith(('AWS_', 'CROSSWIND_R'))])"
    )
    sandbox = make_sandbox(tmp_path)
    _, said = run_python(sandbox, code)
    held.close()
    assert said == f"True {sandbox.place.home} {sandbox.place.work}  ['0', '1', '2', '3'] []\n"


def test_a_process_of_the_same_user_cannot_read_the_runners_environment() -> None:
    """As a user without rights, since root may read everything. The first look shows that the test can see."""
    script = textwrap.dedent(
        """
        import ctypes, os, subprocess
        from crosswind.runner.hardening import deny_inspection
        if os.geteuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        look = ("sh", "-c", "tr '\\\\0' ' ' < /proc/$PPID/environ")
        def seen():
            child = subprocess.run(look, capture_output=True, text=True, env={"PATH": os.defpath})
            return "hidden-credential" in child.stdout
        before = seen()
        deny_inspection()
        print(before, seen())
        """
    )
    done = subprocess.run(
        (sys.executable, "-c", script),
        env={
            "AWS_SECRET_ACCESS_KEY": "hidden-credential",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PATH": os.defpath,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True False\n", done.stderr


def test_tests_run_as_another_user_where_only_root_can_arrange_it(tmp_path: Path) -> None:
    asked = {"CROSSWIND_TEST_UID": "65534", "CROSSWIND_TEST_ENV": "LICENCE, TOKEN"}
    if os.geteuid() != 0:
        with pytest.raises(SettingsError, match="only a runner started as root"):
            RunnerOptions.from_env(asked)
        return
    options = RunnerOptions.from_env(asked)
    assert options.test_env == {"LICENCE", "TOKEN"}
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)  # pytest keeps its folders closed to others
    sandbox = make_sandbox(tmp_path, test_uid=options.test_uid)
    said = bytearray()
    sandbox.run(
        (
            "/bin/sh",
            "-c",
            "id -u; id -g; id -G; touch mine && echo written; cat /proc/1/environ 2>&1 | grep -c denied",
        ),
        env={},
        timeout_seconds=10,
        output=said.extend,
        interruption=Interruption(),
    )
    assert said.decode().split() == ["65534", "65534", "65534", "written", "1"]


def test_a_runner_finds_what_its_killed_predecessor_left_behind() -> None:
    marker = f"predecessor-{os.getpid()}"
    with subprocess.Popen(("sleep", "60"), env={"PATH": os.defpath, MARKER_NAME: marker}) as left:
        wait_until(lambda: psutil.Process(left.pid).environ().get(MARKER_NAME) == marker)
        assert end_leftovers(f"{marker}-of-another") == 0
        assert end_leftovers(marker) == 1
        assert left.wait(5) == -9
