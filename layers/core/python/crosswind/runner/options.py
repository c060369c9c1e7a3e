"""What a runner's operator may set beside RunnerSettings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosswind.settings import SettingsError

if TYPE_CHECKING:
    from crosswind.contracts.work import DispatchMessage


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """Optional variables of a runner.

    CROSSWIND_TEST_PYTHON: the folder that holds the tests' own `python`; it comes first on their PATH.
    CROSSWIND_TEST_UID: the user to run tests as, by number, where the runner is root.
    CROSSWIND_TEST_ENV: names of further variables that tests may see, separated by commas.
    CROSSWIND_HAND: the socket of the hand in the tests' container, where commands run instead of here.
    CROSSWIND_ONCE: the one piece of work to carry out, as RUN/WORK/ATTEMPT; without it the executor's queue is read.
    """

    test_python: Path | None
    test_uid: int | None
    test_env: frozenset[str]
    hand: Path | None = None
    once: "DispatchMessage | None" = None

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
            hand=Path(source["CROSSWIND_HAND"]) if source.get("CROSSWIND_HAND") else None,
            once=_once(source.get("CROSSWIND_ONCE")),
        )


def _once(text: str | None) -> "DispatchMessage | None":
    if not text:
        return None
    from crosswind.contracts.work import DispatchMessage  # noqa: PLC0415  # a hand has no work, and no time for it

    try:
        run_id, work_id, attempt = text.split("/")
        return DispatchMessage(run_id=run_id, work_id=work_id, attempt=int(attempt))
    except ValueError as error:  # pydantic's own is one, too
        raise SettingsError(f"CROSSWIND_ONCE is {text!r}, not RUN/WORK/ATTEMPT") from error
