"""Runs what a shard pulls from its work list, in one live process as far as the framework and the tests allow it.

The list is longest first and batches shrink towards its end, so that the runners of a job end together. A test process
that dies takes one test with it: its other tests go on in a fresh process, a few times.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from crosswind.adapters.frameworks.base import Launch, trace
from crosswind.contracts.work import PullRef
from crosswind.kernel.errors import LeaseLostError
from crosswind.runner.batches import Assignment, Batches, Pulling
from crosswind.runner.channel import Done, PullChannel, Ready, Request, Stopped, Unable
from crosswind.runner.faults import Cause, InfrastructureFaultError, Interruption
from crosswind.runner.running import Evidence, ShardProcess, how_it_ended, private_reports
from crosswind.runner.sandbox import Exit
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Work

MOST_DEATHS = 5
"""So often a test process may die in a shard before what is left of its batch is given up."""

_NAMED_MISSING = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a shard has pulled. `end` is the worst end that a process of it had."""

    end: Exit
    failed: tuple[str, ...]
    batches: tuple[str, ...]


class Feeder:
    """Answers a pulling process from a thread of its own, while the attempt's thread watches the process."""

    def __init__(
        self,
        channel: PullChannel,
        batches: Batches,
        folder: Path,
        *,
        interruption: Interruption,
        note: Callable[[str], None],
    ) -> None:
        self._channel = channel
        self._batches = batches
        self._folder = folder
        self._interruption = interruption
        self._note = note
        self._over = Event()
        self._thread = Thread(target=self._serve, daemon=True, name="feeder")
        self._fault: Exception | None = None
        self.assigned: Assignment | None = None
        self.ready = False
        self.unable: str | None = None
        self.finished = False  # it was told that there is nothing more, or has said that it stops

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The process is over; what it said before still counts."""
        self._over.set()
        self._thread.join()
        if error is None and self._fault is not None:
            raise self._fault

    def _serve(self) -> None:
        try:
            for request in self._channel.requests(over=self._over.is_set):
                self._answer(request)
        except LeaseLostError:
            self._interruption.raise_flag(Cause.LEASE_LOST)
        except Exception as error:  # noqa: BLE001  # told to the attempt's thread when the process is over
            self._fault = error
            _log.warning("a batch could not be leased or committed: %s", error)
            self._channel.end(over=self._over.is_set)

    def _answer(self, request: Request) -> None:
        match request:
            case Unable():
                self.unable = request.reason
            case Ready():
                self.ready = True
                self._hand_out()
            case Done() | Stopped():
                self._settle(request)
                if isinstance(request, Stopped):
                    self.finished = True
                else:
                    self._hand_out()

    def _settle(self, request: Done | Stopped) -> None:
        assigned = self.assigned
        if assigned is None or request.batch != assigned.number:
            return
        if request.missing:
            named = ", ".join(request.missing[:_NAMED_MISSING])
            self._note(f"{len(request.missing)} tests of batch {request.batch} were not collected: {named}")
        self._batches.ran(
            assigned,
            self._folder,
            failed=request.failed,
            left=request.left,
            end="The test process stopped",
        )
        self.assigned = None

    def _hand_out(self) -> None:
        if self._over.is_set():
            return  # it has asked with its last breath: another process gets the next batch
        self.assigned = self._batches.take()
        if self.assigned is None:
            self.finished = True
            self._channel.end(over=self._over.is_set)
            return
        self._channel.grant(
            batch=self.assigned.number,
            tests=self.assigned.tests,
            report=self._folder / self.assigned.report,
            over=self._over.is_set,
        )


@dataclass(slots=True)
class PullShard:
    """Leases, runs and commits batches until the list has nothing left. Used once."""

    process: ShardProcess
    work: Work
    ref: PullRef
    pulling: Pulling
    evidence: Evidence
    _end: Exit = field(default=Exit(code=0), init=False)
    _deaths: int = field(default=0, init=False)

    def __call__(self) -> Pulled:
        """Raises LeaseLostError, InterruptedAttemptError and what the stores raise."""
        order = self.process.order
        fail_fast = order.fail_fast if order.test_retries == 0 else None
        batches = Batches(
            self.process.attempt,
            self.work,
            self.ref,
            self.pulling,
            fail_fast=fail_fast,
            muted=frozenset(order.muted or ()),
        )
        before = self.process.stamps()
        reports: dict[str, Path] = {}
        for number in count(1):
            folder = self.process.folder(f"pull-{number:02d}")
            with PullChannel(folder) as channel:
                launch = self._launch(batches, folder)
                feeder = Feeder(
                    channel,
                    batches,
                    folder,
                    interruption=self.process.attempt.interruption,
                    note=self.process.attempt.log.note,
                )
                with feeder:
                    end = self.process.run(launch, folder=folder, further=number > 1)
            self.process.attempt.interruption.check()
            if feeder.unable is not None:
                self._note(f"Each batch gets a process of its own: {feeder.unable}.")
                self._one_by_one(batches, number)
                break
            kept = private_reports(folder, launch, self.evidence)
            reports |= {f"{number:02d}-{name}": path for name, path in kept.items()}
            if not self._goes_on(batches, feeder, launch, end):
                break
        batches.abandon(end=how_it_ended(self._end, self.process.order))
        self.process.keep_reports(reports, before=before, evidence=self.evidence)
        return Pulled(end=self._end, failed=batches.failed, batches=tuple(batches.committed))

    def _launch(self, batches: Batches, folder: Path) -> Launch:
        order = self.process.order
        launch = self.process.adapter.pull(
            self.process.invocation,
            folder=folder,
            channel=folder,
            tests=batches.tests,
            shard_index=order.shard_index,
            shard_count=order.shard_count,
        )
        if launch is None:
            raise InfrastructureFaultError(
                InfrastructureReason.ORDER_UNREADABLE, f"framework {order.framework!r} cannot pull"
            )
        return launch

    def _goes_on(self, batches: Batches, feeder: Feeder, launch: Launch, end: Exit) -> bool:
        """Whether another process is to take over: this one died after it had begun to work."""
        self._end = _worse(self._end, end)
        if feeder.finished or not feeder.ready:
            return False
        further = bool(batches.committed)  # it may have died when its next batch was just leased
        if feeder.assigned is not None:
            how = how_it_ended(end, self.process.order)
            further = batches.died(feeder.assigned, trace(launch.events), end=how) or further
        return self._may_go_on(end, further=further)

    def _may_go_on(self, end: Exit, *, further: bool) -> bool:
        """Count a death. Another process follows one that got further, unless the shard itself is over."""
        self._deaths += 1
        if not further or end.code is None or self._deaths > MOST_DEATHS:
            return False
        self._note(f"The test process died; a fresh one goes on ({self._deaths} of {MOST_DEATHS}).")
        return True

    def _one_by_one(self, batches: Batches, first: int) -> None:
        """Start the framework anew for every batch."""
        for number in count(first + 1):
            assignment = batches.take()
            if assignment is None:
                return
            folder = self.process.folder(f"pull-{number:02d}")
            launch = self.process.launch(assignment.tests, folder=folder)
            end = self.process.run(launch, folder=folder, further=number > first + 1)
            self._end = _worse(self._end, end)
            if not self._settled(batches, assignment, folder, launch, end):
                return

    def _settled(
        self, batches: Batches, assignment: Assignment, folder: Path, launch: Launch, end: Exit
    ) -> bool:
        """Keep what a process of its own has left of its batch. Returns whether another one may follow."""
        seen = trace(launch.events)
        how = how_it_ended(end, self.process.order)
        (report,) = launch.reports
        if end.code is None or report.is_symlink() or not report.is_file():
            return self._may_go_on(end, further=batches.died(assignment, seen, end=how))
        again: tuple[str, ...] = ()
        if end.code:
            again = (
                self.process.adapter.again(
                    folder, selection=assignment.tests, work=self.process.attempt.directory
                )
                or ()
            )
        cut_short = [test_id for test_id in assignment.tests if test_id in seen.begun - seen.ended.keys()]
        batches.ran(
            replace(assignment, report=report.name),
            folder,
            failed=(*again, *cut_short),
            left=[test_id for test_id in assignment.tests if test_id not in seen.begun],
            end=how,
            collected=bool(seen.begun),
        )
        return True

    def _note(self, sentence: str) -> None:
        self.process.attempt.log.note(sentence)


def _worse(first: Exit, second: Exit) -> Exit:
    """Of two ends the one that says more about what went wrong: killed from here, by a signal, then any failure."""
    return max((first, second), key=_badness)


def _badness(end: Exit) -> int:
    if end.code is None:
        return 1000
    return end.code
