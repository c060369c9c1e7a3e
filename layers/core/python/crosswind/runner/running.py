"""Starts a shard's framework, as often as the shard needs it, and uploads what each run of it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from crosswind.adapters.frameworks.base import FrameworkAdapter, Invocation, Launch
from crosswind.adapters.frameworks.registry import adapter_for
from crosswind.contracts.work import FileRef, PrepareOrder, ShardOrder
from crosswind.kernel.errors import NotFoundError
from crosswind.runner.attempt import Attempt
from crosswind.runner.faults import InfrastructureFaultError
from crosswind.runner.sandbox import Exit
from crosswind.runner.uploads import Stamp, choose, stamps, upload_all
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.layout import report_key

_MIB = 1024 * 1024
_PRIVATE_REPORTS = ".crosswind/"  # before the name of a report that the adapter asked for


@dataclass(slots=True)
class Evidence:
    """What the runs of the command have left so far."""

    reports: list[tuple[FileRef, ...]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # of the dropped ones, those that were evidence


@dataclass(frozen=True)
class ShardProcess:
    """One order in one attempt."""

    attempt: Attempt
    order: ShardOrder
    secrets: dict[str, str]

    @cached_property
    def adapter(self) -> FrameworkAdapter:
        """The order's framework."""
        return adapter_of(self.order)

    @property
    def invocation(self) -> Invocation:
        """How its author wants it called."""
        return Invocation(
            command=self.order.command,
            args=self.order.args,
            env=self.order.env,
            work=self.attempt.directory,
        )

    def folder(self, name: str) -> Path:
        """A fresh folder for what the adapter exchanges with one process."""
        folder = self.attempt.sandbox.place.private / name
        folder.mkdir(mode=0o700)
        return folder

    def launch(self, selection: Sequence[str] | None, *, folder: Path) -> Launch:
        """The command that runs a selection."""
        return self.adapter.run(
            self.invocation,
            folder=folder,
            selection=selection,
            shard_index=self.order.shard_index,
            shard_count=self.order.shard_count,
        )

    def stamps(self) -> dict[str, Stamp]:
        """The author's own reports as they are now: only what is written anew is evidence of a run."""
        return stamps(self.attempt.directory, self.order.reports)

    def run(self, launch: Launch, *, folder: Path, further: bool = False) -> Exit:
        """Run to the end. `further`: the tests are not the same as those of the last process."""
        self.attempt.sandbox.give_away_private()
        self.attempt.meter.follow(launch.events, output=launch.progress, further=further)
        end = self.attempt.command(
            launch.argv,
            env={**self.order.env, **self.secrets, **launch.env},
            memory_bytes=self.order.memory_mib * _MIB if self.order.memory_mib else None,
            also=launch.progress.feed if launch.progress else None,
        )
        self.attempt.log.note(f"{how_it_ended(end, self.order)}.")
        for remark in self.adapter.remarks(folder):
            self.attempt.log.note(remark)
        return end

    def keep_reports(self, private: dict[str, Path], *, before: dict[str, Stamp], evidence: Evidence) -> None:
        """Upload the adapter's reports, by name, and what the order's globs name, as those of the next run."""
        number = len(evidence.reports) + 1
        given = choose(self.attempt.directory, self.order.reports, before=before)
        files = {f"{_PRIVATE_REPORTS}{name}": path for name, path in private.items()} | given.files
        evidence.reports.append(
            upload_all(
                self.attempt.artifacts, files, key=lambda name: report_key(self.attempt.prefix, number, name)
            )
        )
        evidence.dropped.extend(given.dropped)
        evidence.lost.extend(given.lost)


def adapter_of(order: PrepareOrder | ShardOrder) -> FrameworkAdapter:
    """The adapter of an order's framework. Raises InfrastructureFaultError where this runner has none."""
    try:
        return adapter_for(order.framework, order.manifest)
    except NotFoundError as error:
        raise InfrastructureFaultError(InfrastructureReason.FRAMEWORK_MISSING, str(error)) from error


def private_reports(folder: Path, launch: Launch, evidence: Evidence) -> dict[str, Path]:
    """The reports that the adapter asked for and that are fit to be uploaded, by name."""
    chosen = choose(folder, [path.name for path in launch.reports])
    evidence.dropped.extend(chosen.dropped)
    evidence.lost.extend(chosen.lost)
    return chosen.files


def how_it_ended(end: Exit, order: ShardOrder) -> str:
    """The end of a process, as the start of a sentence for people."""
    if end.timed_out:
        return f"The shard reached its timeout of {order.timeout_seconds} s and was ended"
    if end.out_of_memory:
        return f"The shard took more than its {order.memory_mib} MiB of memory and was ended"
    return f"The command ended with exit status {end.code}"
