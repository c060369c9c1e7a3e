"""`crosswind-runner`: one runner process. Its environment is RunnerSettings and RunnerOptions.

SIGTERM and SIGINT: take no more work, kill what runs, hand it back, exit 0. A second one: exit at once.
"""

import argparse
import hashlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import psutil

from crosswind import __version__
from crosswind.bootstrap import runner as bootstrap
from crosswind.bootstrap import stores
from crosswind.bootstrap.runner import RunnerOptions
from crosswind.kernel.clock import SystemClock
from crosswind.runner import selfcheck
from crosswind.runner.agent import Agent, Leasing
from crosswind.runner.archives import ArchiveCache, ArchiveLimits
from crosswind.runner.batches import Pulling
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.git import LOCAL_PROTOCOLS, PROTOCOLS
from crosswind.runner.hardening import harden
from crosswind.runner.monitoring.watching import Watch
from crosswind.runner.places import UnsafeFolderError, attempts_folder, hold_folder
from crosswind.runner.processes import end_leftovers
from crosswind.runner.session import Live, OpenSession
from crosswind.runs.live.shipping import Pace
from crosswind.settings import RunnerSettings, SettingsError

_EXIT_USAGE = 2
_EXIT_FORCED = 1
_EXIT_UNFIT = 1
_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal. Returns 0 after a clean stop, 2 for a wrong environment.

    With `--check` it looks at where it stands instead: 0 if it could run tests here, otherwise 1.
    """
    arguments = _read_arguments(argv)
    if arguments.check:
        findings = selfcheck.check(os.environ)
        print(selfcheck.render_json(findings) if arguments.json else selfcheck.render(findings))
        return 0 if selfcheck.can_work(findings) else _EXIT_UNFIT
    return _run()


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="crosswind-runner",
        description="Carry out a pool's work until a signal. It is told by its environment; docs/runner.md says what.",
    )
    parser.add_argument("--version", action="version", version=f"crosswind-runner {__version__}")
    parser.add_argument(
        "--check", action="store_true", help="say what it could do here, and what not, and talk to nobody"
    )
    parser.add_argument("--json", action="store_true", help="with --check: as JSON")
    return parser.parse_args(argv)


def _run() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = RunnerSettings.from_env()
        options = RunnerOptions.from_env()
    except SettingsError as error:
        print(f"crosswind-runner: {error}", file=sys.stderr)
        return _EXIT_USAGE
    harden()
    marker = marker_of(settings)
    try:
        lock = hold_folder(Path(settings.work_folder).absolute())
        agent = build_agent(settings, options, marker=marker)
    except UnsafeFolderError as error:
        print(f"crosswind-runner: {error}", file=sys.stderr)
        return _EXIT_USAGE
    if found := end_leftovers(marker):
        _log.info("ended %d processes that an earlier runner left behind", found)
    watch_signals(agent)
    _log.info("runner %s is ready", settings.runner_id)
    agent.run()
    _log.info("runner %s has stopped", settings.runner_id)
    lock.close()
    return 0


def marker_of(settings: RunnerSettings) -> str:
    """Names the work folder in the processes that its runner starts. Its next runner may have another id."""
    return hashlib.sha256(str(Path(settings.work_folder).absolute()).encode()).hexdigest()[:16]


def build_agent(settings: RunnerSettings, options: RunnerOptions, *, marker: str) -> Agent:
    """Wire a runner."""
    folder = Path(settings.work_folder).absolute()
    clock = SystemClock()
    limits = ArchiveLimits()
    environment = TestEnvironment.of(
        os.environ, marker=marker, test_python=options.test_python, passed_on=options.test_env
    )
    return Agent(
        runner_id=settings.runner_id,
        queue=stores.executor_queue(settings),
        leasing=Leasing(
            claim=bootstrap.claim_work(settings),
            beat=bootstrap.beat_work(settings),
            commit=bootstrap.commit_work(settings),
            hand_back=bootstrap.hand_back(settings),
            fail=bootstrap.fail_attempt(settings),
            return_batch=bootstrap.return_batch(settings),
        ),
        secrets=stores.secrets(settings),
        open_session=OpenSession(
            artifacts=stores.artifacts(settings),
            sources=stores.sources(settings),
            runs=stores.run_store(settings),
            cache=ArchiveCache(folder / "cache", limits=limits),
            limits=limits,
            environment=environment,
            clock=clock,
            pulling=Pulling(
                open_list=bootstrap.open_work_list(settings),
                lease=bootstrap.lease_batch(settings),
                commit=bootstrap.commit_batch(settings),
                committed=bootstrap.committed_batches(settings),
                fail_rest=bootstrap.fail_rest_fast(settings),
            ),
            join=bootstrap.join_barrier(settings),
            watch=Watch(
                announce=bootstrap.announce(settings),
                measurements=bootstrap.measurements,
                environment=environment,
                clock=clock,
                test_uid=options.test_uid,
            ),
            live=Live(
                watched=stores.watch_store(settings).read,
                queue=stores.live_queue(settings),
                pace=Pace(live_seconds=settings.live_seconds, quiet_seconds=settings.quiet_seconds),
            ),
            test_uid=options.test_uid,
            protocols=LOCAL_PROTOCOLS if settings.stage == "local" else PROTOCOLS,
        ),
        attempts_folder=attempts_folder(folder),
        tick_seconds=settings.quiet_seconds,
    )


def watch_signals(agent: Agent) -> None:
    """Let a thread act on signals: a handler would run inside whatever the main thread holds a lock for."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003  # the socket's own signature
    signal.set_wakeup_fd(writing.fileno())
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: None)
    Thread(target=_act_on_signals, args=(agent, reading, writing), daemon=True, name="signals").start()


def _act_on_signals(agent: Agent, reading: socket.socket, writing: socket.socket) -> None:
    with reading, writing:
        for received in range(1, sys.maxsize):
            reading.recv(1)
            if received == 1:
                _log.info("stopping")
                agent.stop()
                continue
            for child in psutil.Process().children(recursive=True):
                child.kill()
            os._exit(_EXIT_FORCED)


if __name__ == "__main__":
    sys.exit(main())
