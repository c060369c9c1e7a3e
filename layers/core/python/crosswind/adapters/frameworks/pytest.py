"""Framework `pytest`: lists tests before anything runs, runs a selection, retries single tests.

The work inside the test process is done by `pytest_plugin.py`, which is copied into the private folder and loaded with
`-p`. It needs nothing but pytest itself, so it runs in whatever environment the suite has set up.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crosswind.adapters.frameworks.base import (
    MAX_DISCOVERY_BYTES,
    MAX_ERROR_CHARACTERS,
    PULL_VARIABLE,
    Collected,
    Invocation,
    Launch,
    read_left,
    shell,
    trace,
)

DEFAULT_COMMAND = ("python", "-m", "pytest")
PLUGIN_MODULE = "crosswind_pytest_plugin"
_PLUGIN_SOURCE = Path(__file__).with_name("pytest_plugin.py")
_LISTED = frozenset({0, 5})  # tests were found, or none
_NAMED_MISSING = 5  # missing tests that a remark names


class PytestAdapter:
    """pytest 7 and later, with or without pytest-xdist."""

    def discovery(self, invocation: Invocation, *, folder: Path) -> Launch | None:
        """Collect only; the plugin writes the node ids."""
        env = self._environment(invocation, folder)
        env["CROSSWIND_PYTEST_DISCOVERY"] = str(folder / "discovery.json")
        extra = ("--collect-only", "-q", "-p", "no:cacheprovider", "-p", PLUGIN_MODULE)
        return Launch(argv=self._argv(invocation, extra), env=env)

    def collected(self, folder: Path, *, work: Path, end: int | None) -> Collected | None:  # noqa: ARG002  # the port's words
        """Node ids in collection order, each once, and the collection's errors."""
        found = _read_json(folder / "discovery.json", MAX_DISCOVERY_BYTES)
        if not isinstance(found, dict):
            return None
        test_ids, errors = found.get("ids"), found.get("errors")
        if not isinstance(test_ids, list) or not isinstance(errors, list):
            return None
        if not errors and end not in _LISTED:
            return None
        return Collected(
            test_ids=tuple(dict.fromkeys(str(test_id) for test_id in test_ids)),
            errors=tuple(str(error)[:MAX_ERROR_CHARACTERS] for error in errors),
        )

    def run(
        self,
        invocation: Invocation,
        *,
        folder: Path,
        selection: Sequence[str] | None,
        shard_index: int,
        shard_count: int,
    ) -> Launch:
        """Run the selection. The report's path comes last, so that it wins over one among the author's arguments."""
        env = self._environment(invocation, folder)
        env["CROSSWIND_PYTEST_EVENTS"] = str(_events(folder))
        env["CROSSWIND_SHARD_INDEX"] = str(shard_index)
        env["CROSSWIND_SHARD_COUNT"] = str(shard_count)
        if selection is not None:
            chosen = folder / "selection.json"
            chosen.write_text(json.dumps(list(selection)), encoding="utf-8")
            env["CROSSWIND_PYTEST_SELECTION"] = str(chosen)
            env["CROSSWIND_PYTEST_MISSING"] = str(folder / "missing.json")
        report = _report(folder)
        extra = (
            *("-p", PLUGIN_MODULE, f"--junit-xml={report}"),
            *("-o", "junit_logging=all", "-o", "junit_log_passing_tests=false"),
        )
        return Launch(argv=self._argv(invocation, extra), env=env, reports=(report,), events=_events(folder))

    def pull(
        self,
        invocation: Invocation,
        *,
        folder: Path,
        channel: Path,
        tests: Sequence[str],
        shard_index: int,
        shard_count: int,
    ) -> Launch | None:
        """One process for every batch: it collects the files that hold `tests`, then runs what it is handed out."""
        launch = self.run(
            invocation, folder=folder, selection=tests, shard_index=shard_index, shard_count=shard_count
        )
        return replace(launch, env={**launch.env, PULL_VARIABLE: str(channel)})

    def again(
        self,
        folder: Path,
        *,
        selection: Sequence[str] | None,
        work: Path,  # noqa: ARG002  # the port's words
    ) -> tuple[str, ...] | None:
        """The tests that failed; everything when the process ended before it could write its report.

        Nothing where none failed and something could not be collected, nor where no test has begun.
        """
        seen = trace(_events(folder))
        if not seen.begun:
            return ()
        if not _report(folder).is_file():
            return None
        chosen = None if selection is None else frozenset(selection)
        failed = [
            test_id
            for test_id, ended in seen.ended.items()
            if ended.outcome in {"failed", "error"} and (chosen is None or test_id in chosen)
        ]
        return tuple(failed) if failed or seen.uncollected else None

    def remarks(self, folder: Path) -> tuple[str, ...]:
        """Selected tests that were not collected."""
        missing = _read_json(folder / "missing.json", MAX_DISCOVERY_BYTES)
        if not isinstance(missing, list) or not missing:
            return ()
        named = ", ".join(str(test_id) for test_id in missing[:_NAMED_MISSING])
        rest = f" and {len(missing) - _NAMED_MISSING} more" if len(missing) > _NAMED_MISSING else ""
        return (f"{len(missing)} selected tests were not collected: {named}{rest}",)

    def _argv(self, invocation: Invocation, extra: tuple[str, ...]) -> tuple[str, ...]:
        if invocation.command is None:
            return (*DEFAULT_COMMAND, *invocation.args, *extra)
        return shell(invocation.command, (*invocation.args, *extra))

    def _environment(self, invocation: Invocation, folder: Path) -> dict[str, str]:
        plugins = folder / "plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / f"{PLUGIN_MODULE}.py").write_bytes(_PLUGIN_SOURCE.read_bytes())
        given = invocation.env.get("PYTHONPATH")
        return {"PYTHONPATH": f"{plugins}:{given}" if given else str(plugins)}


def _report(folder: Path) -> Path:
    return folder / "crosswind-junit.xml"


def _events(folder: Path) -> Path:
    return folder / "events.ndjson"


def _read_json(path: Path, limit: int) -> object:
    data = read_left(path, limit=limit + 1)
    if data is None or len(data) > limit:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
