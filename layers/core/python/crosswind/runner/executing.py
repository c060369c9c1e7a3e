"""Carries out a ShardOrder: run the selected tests or those that it pulls, run failed ones again, upload what they left."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.contracts.work import ResourceUse, ShardOrder, ShardResult
from crosswind.kernel.clock import Clock, to_iso
from crosswind.runner.attempt import Attempt
from crosswind.runner.batches import Pulling
from crosswind.runner.loading import Loaded, LoadShard
from crosswind.runner.pulling import PullShard
from crosswind.runner.running import Evidence, ShardProcess, private_reports
from crosswind.runner.sandbox import Exit
from crosswind.runner.uploads import choose, upload_artifacts
from crosswind.runs.layout import artifact_key, use_key
from crosswind.runs.model import Work
from crosswind.runs.usecases.load_barrier import JoinBarrier


@dataclass(frozen=True, slots=True)
class _Ran:
    """How a run of the command ended, and what a retry would have to run. None: all that was to run."""

    end: Exit
    failed: bool
    again: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class ExecuteShard:
    """Runs a shard in an attempt and uploads its reports and artifacts. The result is for result.json."""

    clock: Clock
    pulling: Pulling
    join: JoinBarrier

    def __call__(
        self, attempt: Attempt, work: Work, order: ShardOrder, *, secrets: dict[str, str]
    ) -> ShardResult:
        """Raises InterruptedAttemptError, InfrastructureFaultError, LeaseLostError, ArchiveRefusedError, RetryableError;
        of a load job also AttemptGivenUpError."""
        attempt.events.step("unpack")
        attempt.unpack(attempt.cache.fetch(attempt.sources, order.archive))
        started_at = self.clock.now()
        attempt.start_clock()
        attempt.events.step("attempt-1")
        evidence = Evidence()
        process = ShardProcess(attempt, order, secrets)
        batches: tuple[str, ...] = ()
        loaded: Loaded | None = None
        if order.load is not None:
            loaded = LoadShard(process, work, order.load, self.join)()
            evidence.reports.append(())
            ran = _Ran(loaded.end, failed=False)
        elif order.pull is None:
            ran = _run_once(process, order.selection, evidence)
        else:
            pulled = PullShard(process, work, order.pull, self.pulling, evidence)()
            ran = _Ran(pulled.end, failed=bool(pulled.failed), again=pulled.failed)
            batches = pulled.batches
        end = _retry(process, ran, evidence)
        attempt.events.step("upload")
        chosen = choose(attempt.directory, order.artifacts)
        artifacts = upload_artifacts(
            attempt.artifacts,
            chosen.files,
            key=lambda name: artifact_key(attempt.prefix, name),
            scratch=attempt.sandbox.place.root,
        )
        for sentence in (*evidence.dropped, *chosen.dropped):
            attempt.log.note(f"Not uploaded: {sentence}")
        use = _keep_use(attempt)
        attempt.finish()
        return ShardResult(
            exit_code=end.code,
            timed_out=end.timed_out,
            out_of_memory=end.out_of_memory,
            attempts=len(evidence.reports),
            started_at=to_iso(started_at),
            finished_at=to_iso(self.clock.now()),
            reports=tuple(evidence.reports),
            artifacts=artifacts,
            dropped=(*evidence.dropped, *chosen.dropped),
            lost_reports=tuple(evidence.lost),
            working_directory=str(attempt.directory.resolve()),
            batches=batches,
            load_key=loaded.key if loaded else None,
            load_error=loaded.error if loaded else None,
            log_bytes=attempt.log.size,
            use=use,
        )


def _keep_use(attempt: Attempt) -> ResourceUse | None:
    """What the commands have used, and its course as a file beside the log."""
    series = attempt.use.series()
    if not series:
        return None
    key = use_key(attempt.prefix)
    attempt.artifacts.put(key, series, content_type="application/x-ndjson")
    return attempt.use.use(series_key=key, series_bytes=len(series))


def _run_once(process: ShardProcess, selection: Sequence[str] | None, evidence: Evidence) -> _Ran:
    folder = process.folder(f"{len(evidence.reports) + 1:02d}")
    launch = process.launch(selection, folder=folder)
    before = process.stamps()
    end = process.run(launch, folder=folder)
    process.keep_reports(private_reports(folder, launch, evidence), before=before, evidence=evidence)
    again = process.adapter.again(folder, selection=selection, work=process.attempt.directory)
    if again is None:
        return _Ran(end, failed=end.code != 0, again=selection)
    return _Ran(end, failed=end.code != 0 and bool(again), again=again)


def _retry(process: ShardProcess, ran: _Ran, evidence: Evidence) -> Exit:
    """Run failed tests again, each time in a fresh process, while some fail and the order allows it."""
    for number in range(1, process.order.test_retries + 1):
        if ran.end.code is None or not ran.failed:
            break
        what = "the command" if ran.again is None else f"{len(ran.again)} tests"
        process.attempt.events.step(f"retry-{number}")
        process.attempt.log.note(f"Retry {number} of {process.order.test_retries}: {what} will run again.")
        ran = _run_once(process, ran.again, evidence)
    return ran.end
