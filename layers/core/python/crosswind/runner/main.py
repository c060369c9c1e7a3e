"""`crosswind-runner`: one runner process. Its environment is RunnerSettings and RunnerOptions.

SIGTERM and SIGINT: take no more work, kill what runs, hand it back, exit 0. A second one: exit at once.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import psutil

from crosswind import __version__
from crosswind.runner import selfcheck
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.hardening import harden
from crosswind.runner.options import RunnerOptions
from crosswind.runner.places import UnsafeFolderError, hold_folder
from crosswind.runner.processes import end_leftovers
from crosswind.settings import RunnerSettings, SettingsError

if TYPE_CHECKING:
    from crosswind.runner.agent import Agent

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
    if arguments.hand is not None:
        return _serve(arguments.hand)
    return _run()


def _serve(path: Path) -> int:
    """Be the hand of an agent in another container; needs none of its settings."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    from crosswind.runner.hand import serving  # noqa: PLC0415  # only this container needs it

    try:
        options = RunnerOptions.from_env()
    except SettingsError as error:
        print(f"crosswind-runner: {error}", file=sys.stderr)
        return _EXIT_USAGE
    harden()
    environment = TestEnvironment.of(
        os.environ, marker="hand", test_python=options.test_python, passed_on=options.test_env
    )
    return serving.serve(path, environment)


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="crosswind-runner",
        description="Carry out a pool's work until a signal. It is told by its environment; docs/runner.md says what.",
    )
    parser.add_argument("--version", action="version", version=f"crosswind-runner {__version__}")
    parser.add_argument(
        "--check", action="store_true", help="say what it could do here, and what not, and talk to nobody"
    )
    parser.add_argument(
        "--hand",
        metavar="SOCKET",
        type=Path,
        help="start commands for the agent of another container, and do nothing else",
    )
    parser.add_argument("--json", action="store_true", help="with --check: as JSON")
    return parser.parse_args(argv)


def _run() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    from crosswind.runner.wiring import build_agent, marker_of  # noqa: PLC0415  # only an agent pays for it

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
    if options.once is not None:
        agent.run_once(options.once)
    else:
        agent.run()
    _log.info("runner %s has stopped", settings.runner_id)
    lock.close()
    return 0


def watch_signals(agent: "Agent") -> None:
    """Let a thread act on signals: a handler would run inside whatever the main thread holds a lock for."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003  # the socket's own signature
    signal.set_wakeup_fd(writing.fileno())
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: None)
    Thread(target=_act_on_signals, args=(agent, reading, writing), daemon=True, name="signals").start()


def _act_on_signals(agent: "Agent", reading: socket.socket, writing: socket.socket) -> None:
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
