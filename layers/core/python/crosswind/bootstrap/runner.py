"""What a runner needs: the protocol's use cases on AWS, and what its operator may set beside RunnerSettings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from crosswind.bootstrap import stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.leasing import BeatWork, ClaimWork, CommitWork, FailAttempt, HandBack
from crosswind.settings import RunnerSettings, SettingsError


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """Optional variables of a runner.

    CROSSWIND_TEST_PYTHON: the folder that holds the tests' own `python`; it comes first on their PATH.
    CROSSWIND_TEST_UID: the user to run tests as, by number, where the runner is root.
    CROSSWIND_TEST_ENV: names of further variables that tests may see, separated by commas.
    """

    test_python: Path | None
    test_uid: int | None
    test_env: frozenset[str]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "RunnerOptions":
        """Raises SettingsError for a user that is no number, or that only root could switch to."""
        source = os.environ if environ is None else environ
        python, uid = source.get("CROSSWIND_TEST_PYTHON"), source.get("CROSSWIND_TEST_UID")
        if uid is not None and not uid.isdecimal():
            raise SettingsError(f"CROSSWIND_TEST_UID is {uid!r}, not a number")
        if uid is not None and os.geteuid() != 0:
            raise SettingsError("CROSSWIND_TEST_UID is set, and only a runner started as root can use it")
        names = source.get("CROSSWIND_TEST_ENV", "").split(",")
        return cls(
            test_python=Path(python).absolute() if python else None,
            test_uid=int(uid) if uid is not None else None,
            test_env=frozenset(name.strip() for name in names if name.strip()),
        )


@cache
def claim_work(settings: RunnerSettings) -> ClaimWork:
    """Take work."""
    return ClaimWork(_change(settings), SystemClock())


@cache
def beat_work(settings: RunnerSettings) -> BeatWork:
    """Keep its lease."""
    return BeatWork(_change(settings), SystemClock())


@cache
def commit_work(settings: RunnerSettings) -> CommitWork:
    """End it."""
    return CommitWork(_change(settings), SystemClock())


@cache
def hand_back(settings: RunnerSettings) -> HandBack:
    """Give it back."""
    return HandBack(_change(settings), SystemClock())


@cache
def fail_attempt(settings: RunnerSettings) -> FailAttempt:
    """Report that infrastructure failed."""
    return FailAttempt(_change(settings), SystemClock())


@cache
def _change(settings: RunnerSettings) -> ChangeWork:
    return ChangeWork(
        stores.work_store(settings),
        PerformEffects(queues=stores.queues(settings), tokens=stores.task_tokens()),
        jittered_pause,
    )
