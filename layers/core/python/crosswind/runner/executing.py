"""Carries out a ShardOrder: run the selected tests, run failed ones again, upload what they left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosswind.adapters.frameworks.base import FrameworkAdapter, Invocation, Launch
from crosswind.adapters.frameworks.registry import adapter_for
from crosswind.contracts.work import FileRef, ShardOrder, ShardResult
from crosswind.kernel.clock import Clock, to_iso
from crosswind.runner.attempt import Attempt
from crosswind.runner.sandbox import Exit
from crosswind.runner.uploads import Chosen, Stamp, choose, stamps, upload_all
from crosswind.runs.layout import artifact_key, report_key

_MIB = 1024 * 1024
_PRIVATE_REPORTS = ".crosswind/"  # before the name of a report that the adapter asked for


@dataclass(slots=True)
class _Runs:
    """What the runs of the command have left so far."""

    reports: list[tuple[FileRef, ...]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # of the dropped ones, those that were evidence


@dataclass(frozen=True, slots=True)
class ExecuteShard:
    """Runs a shard in an attempt and uploads its reports and artifacts. The result is for result.json."""

    clock: Clock

    def __call__(self, attempt: Attempt, order: ShardOrder, *, secrets: dict[str, str]) -> ShardResult:
        """Raises InterruptedAttemptError, InfrastructureFaultError, ArchiveRefusedError, RetryableError."""
        attempt.unpack(attempt.cache.fetch(attempt.sources, order.archive))
        started_at = self.clock.now()
        attempt.start_clock()
        runs = _Runs()
        end = self._run_until_green(attempt, order, secrets, runs)
        chosen = choose(attempt.sandbox.place.work, order.artifacts)
        artifacts = upload_all(
            attempt.artifacts, chosen.files, key=lambda name: artifact_key(attempt.prefix, name)
        )
        for sentence in (*runs.dropped, *chosen.dropped):
            attempt.log.note(f"Not uploaded: {sentence}")
        attempt.log.finish()
        return ShardResult(
            exit_code=end.code,
            timed_out=end.timed_out,
            out_of_memory=end.out_of_memory,
            attempts=len(runs.reports),
            started_at=to_iso(started_at),
            finished_at=to_iso(self.clock.now()),
            reports=tuple(runs.reports),
            artifacts=artifacts,
            dropped=(*runs.dropped, *chosen.dropped),
            lost_reports=tuple(runs.lost),
            log_bytes=attempt.log.size,
        )

    def _run_until_green(
        self, attempt: Attempt, order: ShardOrder, secrets: dict[str, str], runs: _Runs
    ) -> Exit:
        adapter = adapter_for(order.framework)
        selection: Sequence[str] | None = order.selection
        while True:
            number = len(runs.reports) + 1
            folder = attempt.sandbox.place.private / f"{number:02d}"
            folder.mkdir(mode=0o700)
            end = self._run_once(attempt, order, adapter, selection, folder, secrets, runs)
            if end.code is None or end.code == 0 or number > order.test_retries:
                return end
            selection = adapter.again(folder, selection=selection) or selection
            what = "the command" if selection is None else f"{len(selection)} tests"
            attempt.log.note(f"Retry {number} of {order.test_retries}: {what} will run again.")

    def _run_once(
        self,
        attempt: Attempt,
        order: ShardOrder,
        adapter: FrameworkAdapter,
        selection: Sequence[str] | None,
        folder: Path,
        secrets: dict[str, str],
        runs: _Runs,
    ) -> Exit:
        invocation = Invocation(command=order.command, args=order.args, env=order.env)
        launch = adapter.run(
            invocation,
            folder=folder,
            selection=selection,
            shard_index=order.shard_index,
            shard_count=order.shard_count,
        )
        attempt.sandbox.give_away_private()
        before = stamps(attempt.sandbox.place.work, order.reports)
        attempt.meter.follow(launch.events)
        end = attempt.command(
            launch.argv,
            env={**order.env, **secrets, **launch.env},
            memory_bytes=order.memory_mib * _MIB if order.memory_mib else None,
        )
        _tell_end(attempt, order, end)
        for remark in adapter.remarks(folder):
            attempt.log.note(remark)
        self._upload_reports(attempt, order, launch, before, folder, runs)
        return end

    def _upload_reports(
        self,
        attempt: Attempt,
        order: ShardOrder,
        launch: Launch,
        before: dict[str, Stamp],
        folder: Path,
        runs: _Runs,
    ) -> None:
        number = len(runs.reports) + 1
        private = choose(folder, [path.name for path in launch.reports])
        given: Chosen = choose(attempt.sandbox.place.work, order.reports, before=before)
        files = {f"{_PRIVATE_REPORTS}{name}": path for name, path in private.files.items()} | given.files
        runs.reports.append(
            upload_all(attempt.artifacts, files, key=lambda name: report_key(attempt.prefix, number, name))
        )
        runs.dropped.extend((*private.dropped, *given.dropped))
        runs.lost.extend((*private.lost, *given.lost))


def _tell_end(attempt: Attempt, order: ShardOrder, end: Exit) -> None:
    if end.timed_out:
        attempt.log.note(f"The shard reached its timeout of {order.timeout_seconds} s and was ended.")
    elif end.out_of_memory:
        attempt.log.note(f"The shard took more than its {order.memory_mib} MiB of memory and was ended.")
    else:
        attempt.log.note(f"The command ended with exit status {end.code}.")
