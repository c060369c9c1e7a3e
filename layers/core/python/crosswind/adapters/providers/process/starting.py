"""Starts a service of a local application again, from its registry alone."""

import fcntl
import os
import subprocess
from pathlib import Path

import psutil

from crosswind.adapters.providers.process.registry import process_of, read_registry, rewrite

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def start_again(home: Path, application: str, name: str) -> bool:
    """Start the service where it does not run. Safe to call twice at once: one of them starts it.

    Returns whether it had to be started. The registry knows the new process afterwards.
    """
    with (home / application / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        service = read_registry(home, application)[name]
        if process_of(service.pid, service.started) is not None:
            return False
        with Path(service.log).open("ab") as output:
            started = subprocess.Popen(  # noqa: S603  # the command that the application's own start wrote down
                list(service.command),
                cwd=service.folder,
                env={key: os.environ[key] for key in _KEPT if key in os.environ} | dict(service.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        rewrite(home, application, name, pid=started.pid, started=psutil.Process(started.pid).create_time())
        return True
