"""Carries out a worker's part of a load job: check the script, wait at the barrier, send the load, hand in what it measured."""

import time
from dataclasses import dataclass
from datetime import datetime

from crosswind.adapters.frameworks.base import Launch
from crosswind.adapters.frameworks.loads import LoadAdapter
from crosswind.contracts.load import LoadOrder
from crosswind.kernel.errors import RetryableError
from crosswind.runner.faults import AttemptGivenUpError, InfrastructureFaultError
from crosswind.runner.running import ShardProcess
from crosswind.runner.samples import SamplePipe
from crosswind.runner.sandbox import Exit
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.layout import load_result_key
from crosswind.runs.load.barrier import POLL_SECONDS, Decision, Start, may_begin
from crosswind.runs.load.recording import Recorder
from crosswind.runs.model import Work
from crosswind.runs.usecases.load_barrier import JoinBarrier


@dataclass(frozen=True, slots=True)
class Loaded:
    """How a worker's part ended. `key`: of its LoadResult; None with the `error` that kept it from measuring."""

    end: Exit
    key: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LoadShard:
    """One worker."""

    process: ShardProcess
    work: Work
    load: LoadOrder
    join: JoinBarrier

    def __call__(self) -> Loaded:
        """Raises AttemptGivenUpError where the load does not begin, and what attempts raise."""
        adapter = self._adapter()
        self._check_begun(self.join.open(self.work, self.load))
        folder = self.process.folder("check")
        checked = self._run(adapter.check(self.process.invocation, folder=folder))
        if checked.code != 0:
            error = (
                f"{adapter.tool} cannot run the script: it ended with exit status {checked.code}; see the log"
            )
            self.join.refuse(self.work, self.load, reason=f"{self.work.key.work_id}: {error}")
            return Loaded(checked, None, error)
        script = {name: tuple(texts) for name, texts in adapter.thresholds(folder).items()}
        return self._send(adapter, script, start_at=self._wait())

    def _adapter(self) -> LoadAdapter:
        adapter = self.process.adapter
        if not isinstance(adapter, LoadAdapter):
            framework = self.process.order.framework
            raise InfrastructureFaultError(
                InfrastructureReason.FRAMEWORK_MISSING, f"the adapter of {framework!r} can send no load"
            )
        return adapter

    def _wait(self) -> float:
        """Until all workers are ready. Returns the common start, in seconds since 1970."""
        attempt = self.process.attempt
        attempt.events.step("barrier")
        attempt.log.note(f"Ready; waiting for all {len(self.load.workers)} workers.")
        said_at: datetime | None = None
        while True:
            decision: Decision | None = None
            try:
                said_at = self.join.say_ready(self.work, self.load, said_at=said_at)
                decision = self.join.look(self.work, self.load)
            except RetryableError as error:
                attempt.log.note(f"The barrier cannot be reached, trying again: {error}")
            start = self._check_begun(decision)
            if start is not None:
                break
            attempt.interruption.wait(POLL_SECONDS)
            attempt.interruption.check()
        left = (start.at - self.join.clock.now()).total_seconds()
        attempt.log.note(f"All are ready; the load begins in {max(left, 0.0):.1f} s.")
        attempt.interruption.wait(max(left, 0.0))
        attempt.interruption.check()
        self._check_begun(start)
        return start.at.timestamp()

    def _check_begun(self, decision: Decision | None) -> Start | None:
        """The start, if it was decided. Gives up where the load does not begin, or has begun without this worker."""
        if decision is None:
            return None
        if isinstance(decision, Start):
            now = self.join.clock.now()
            why = may_begin(decision, self.work.key.work_id, epoch=self.work.epoch, now=now)
        else:
            why = decision.reason
        if isinstance(decision, Start) and why is None:
            return decision
        self.process.attempt.log.note(f"The load does not begin here: {why}.")
        self.process.attempt.finish()
        raise AttemptGivenUpError(InfrastructureReason.NOT_STARTED, str(why))

    def _send(self, adapter: LoadAdapter, script: dict[str, tuple[str, ...]], *, start_at: float) -> Loaded:
        asked = (*script, *self.load.thresholds)
        recorder = Recorder(tool=adapter.tool, start_at=start_at, selectors=asked)
        folder = self.process.folder("load")
        samples = folder / "samples"
        launch = adapter.load(
            self.process.invocation,
            samples=samples,
            worker=self.process.order.shard_index,
            workers=self.process.order.shard_count,
            split=self.load.split,
        )
        self.process.attempt.start_clock()
        self.process.attempt.events.step("load")
        pipe = SamplePipe(samples, adapter.reader(recorder, thresholds=asked).feed)
        try:
            end = self.process.run(launch, folder=folder)
        finally:
            pipe.close()
        began = time.monotonic()
        result = recorder.result(script)
        key = load_result_key(self.process.attempt.prefix)
        data = result.to_wire().encode()
        self.process.attempt.artifacts.put(key, data, content_type="application/json")
        self.process.attempt.log.note(
            f"{recorder.count} requests measured, {recorder.errors} failed; handed in {len(data)} bytes "
            f"in {time.monotonic() - began:.1f} s."
        )
        return Loaded(end, key)

    def _run(self, launch: Launch) -> Exit:
        self.process.attempt.sandbox.give_away_private()
        env = {**self.process.order.env, **self.process.secrets, **launch.env}
        return self.process.attempt.command(launch.argv, env=env)
