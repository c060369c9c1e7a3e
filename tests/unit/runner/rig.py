"""A whole runner over stores in memory, with real processes, real files and a fake control plane."""

import io
import os
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crosswind.contracts.chaos.probes import CloudWatchAlarmProbe, CloudWatchMetricProbe, QueueDepthProbe
from crosswind.contracts.live import LiveEvent, Stream
from crosswind.contracts.work import (
    ArchiveRef,
    ArchiveSource,
    Discovery,
    DispatchMessage,
    FailFast,
    OrderRef,
    PrepareOrder,
    PullList,
    PullRef,
    PullUnit,
    ShardOrder,
    ShardResult,
    Source,
)
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.json import digest_bytes
from crosswind.runner.agent import Agent, Leasing
from crosswind.runner.archives import ArchiveCache, ArchiveLimits
from crosswind.runner.batches import Pulling
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import Interruption
from crosswind.runner.git import PROTOCOLS
from crosswind.runner.monitoring.watching import Watch
from crosswind.runner.sandbox import Place, Sandbox
from crosswind.runner.session import Live, OpenSession
from crosswind.runs.layout import archive_key, discovery_key, result_key, stream_prefix
from crosswind.runs.live.shipping import Pace
from crosswind.runs.model import Work, WorkState
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.leasing import Announce, BeatWork, ClaimWork, CommitWork, FailAttempt, HandBack
from crosswind.runs.usecases.load_barrier import JoinBarrier
from crosswind.runs.usecases.pulling import (
    CommitBatch,
    CommittedBatches,
    LeaseBatch,
    OpenWorkList,
    ReturnBatch,
)
from tests.fakes import (
    MemoryBarrierStore,
    MemoryObjectStore,
    MemoryPullStore,
    MemoryQueues,
    MemoryRunStore,
    MemorySecrets,
    MemoryTaskTokens,
    MemoryWorkStore,
    make_work,
)
from tests.fakes.live import MemoryLiveQueue, MemoryWatchStore

MARKER = f"unit-test-{os.getpid()}"
ORDER_KEY = "orders.jsonl"


def tar_gz(files: Mapping[str, str], *members: tarfile.TarInfo) -> bytes:
    """An archive of text files, and of any further members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        for member in members:
            archive.addfile(member)
    return buffer.getvalue()


def environment(**inherited: str) -> TestEnvironment:
    """The tests' Python is the one that runs this test, so that pytest is there."""
    return TestEnvironment.of(
        {"PATH": os.defpath, **inherited}, marker=MARKER, test_python=Path(sys.executable).parent
    )


def make_sandbox(folder: Path, *, grace_seconds: float = 1.0, test_uid: int | None = None) -> Sandbox:
    """A sandbox in a new place."""
    place = Place(folder / "attempt")
    place.make()
    sandbox = Sandbox(environment(), place, test_uid=test_uid, grace_seconds=grace_seconds)
    sandbox.give_away()
    return sandbox


def run_python(sandbox: Sandbox, code: str, **options: Any) -> tuple[Any, str]:
    """Run some Python in a sandbox. Returns how it ended and what it said."""
    said = bytearray()
    end = sandbox.run(
        ("python", "-c", code),
        env=options.pop("env", {}),
        timeout_seconds=options.pop("timeout_seconds", 20),
        output=said.extend,
        interruption=options.pop("interruption", Interruption()),
        **options,
    )
    return end, said.decode()


def wait_until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class MemoryWorkQueue:
    """The executor's queue."""

    messages: list[tuple[str, DispatchMessage]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def receive(self, limit: int, *, wait_seconds: int) -> list[tuple[str, DispatchMessage]]:
        if not self.messages:
            time.sleep(0.01)
        taken, self.messages = self.messages[:limit], self.messages[limit:]
        return taken

    def delete(self, receipt: str) -> None:
        self.deleted.append(receipt)

    def release(self, receipt: str) -> None:
        self.released.append(receipt)


class CannedMeasurements:
    """What the cloud would tell."""

    def metric(self, probe: CloudWatchMetricProbe) -> float:
        return 1.0

    def alarm(self, probe: CloudWatchAlarmProbe) -> str:
        return "OK"

    def queue_depth(self, probe: QueueDepthProbe) -> int:
        return 0


@dataclass
class Rig:
    """The parts. `folder` is a fresh temporary folder."""

    folder: Path
    protocols: frozenset[str] = PROTOCOLS
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)

    def __post_init__(self) -> None:
        self.artifacts = MemoryObjectStore("artifacts")
        self.sources = MemoryObjectStore("sources")
        self.runs = MemoryRunStore()
        self.works = MemoryWorkStore()
        self.pulls = MemoryPullStore(self.works)
        self.barriers = MemoryBarrierStore(self.works)
        self.tokens = MemoryTaskTokens()
        self.secrets = MemorySecrets({("demo", "token"): "s3cret-value"})
        self.queue = MemoryWorkQueue()
        self.watches = MemoryWatchStore()
        self.news = MemoryLiveQueue()
        change = ChangeWork(self.works, PerformEffects(MemoryQueues(), self.tokens), lambda _: None)
        clock = SystemClock()
        self.measurements = CannedMeasurements()
        self.leasing = Leasing(
            claim=ClaimWork(change, clock),
            beat=BeatWork(change, clock),
            commit=CommitWork(change, clock),
            hand_back=HandBack(change, clock),
            fail=FailAttempt(change, clock),
            return_batch=ReturnBatch(self.pulls, self.works, lambda _: None),
        )
        self.ended: list[tuple[str, FailFast]] = []  # by fail-fast
        self.pulling = Pulling(
            open_list=OpenWorkList(self.artifacts),
            lease=LeaseBatch(self.pulls, self.works, lambda _: None),
            commit=CommitBatch(self.pulls),
            committed=CommittedBatches(self.pulls),
            fail_rest=lambda work, mode: self.ended.append((work.key.work_id, mode)),
        )
        self.agent = Agent(
            runner_id="runner-1",
            queue=self.queue,
            leasing=self.leasing,
            secrets=self.secrets,
            open_session=OpenSession(
                artifacts=self.artifacts,
                sources=self.sources,
                runs=self.runs,
                cache=ArchiveCache(self.folder / "cache", limits=self.limits),
                limits=self.limits,
                environment=environment(),
                clock=clock,
                pulling=self.pulling,
                join=JoinBarrier(self.barriers, clock),
                open_watch=lambda: Watch(
                    announce=Announce(change, clock),
                    measurements=lambda: self.measurements,
                    environment=environment(),
                    clock=clock,
                ),
                live=Live(
                    watched=self.watches.read,
                    queue=self.news,
                    pace=Pace(live_seconds=0.05, quiet_seconds=0.05),
                ),
                grace_seconds=0.5,
                protocols=self.protocols,
            ),
            attempts_folder=self.folder / "attempts" / "runner-1",
            tick_seconds=0.05,
        )

    def store_archive(self, data: bytes) -> ArchiveRef:
        """Put an archive into the sources bucket."""
        digest = digest_bytes(data)
        key = archive_key("demo", digest)
        self.sources.put(key, data)
        return ArchiveRef(key=key, digest=digest, size=len(data))

    def shard(self, files: Mapping[str, str] | ArchiveRef, **changes: Any) -> ShardOrder:
        """An order to run something in a working directory."""
        archive = files if isinstance(files, ArchiveRef) else self.store_archive(tar_gz(files))
        given: dict[str, Any] = {
            "team": "demo",
            "test": "api",
            "variant": "",
            "archive": archive,
            "framework": "command",
            "args": (),
            "env": {},
            "shard_index": 0,
            "shard_count": 1,
            "test_retries": 0,
            "timeout_seconds": 30,
            "reports": (),
            "artifacts": (),
        }
        return ShardOrder(**(given | changes))

    def pull_shard(
        self, files: Mapping[str, str], *units: Sequence[str], runners: int = 1, **changes: Any
    ) -> ShardOrder:
        """An order to pull units of tests with pytest: each unit is a batch, for it is long."""
        ref = PullRef(pull_id="00-api-1", key="pull.json")
        listed = PullList(
            pull_id=ref.pull_id,
            runners=runners,
            units=tuple(PullUnit(test_ids=tuple(unit), estimate_seconds=60.0) for unit in units),
        )
        self.artifacts.put(ref.key, listed.to_wire().encode())
        return self.shard(files, framework="pytest", pull=ref, **changes)

    def preparation(self, source: Source | Mapping[str, str], **changes: Any) -> PrepareOrder:
        """An order to prepare something."""
        if isinstance(source, Mapping):
            source = ArchiveSource(archive=self.store_archive(tar_gz(source)))
        given: dict[str, Any] = {
            "team": "demo",
            "preparation": "sha256:0",
            "source": source,
            "setup": (),
            "framework": "pytest",
            "args": (),
            "env": {},
            "timeout_seconds": 60,
        }
        return PrepareOrder(**(given | changes))

    def admit(self, order: ShardOrder | PrepareOrder, *, number: int = 0) -> DispatchMessage:
        """Store the work as the scheduler leaves it, and its message in the queue."""
        data = order.to_wire().encode()
        key = f"{number}-{ORDER_KEY}"
        self.artifacts.put(key, b"before\n" + data + b"\nafter")
        pull = order.pull if isinstance(order, ShardOrder) else None
        work = make_work(
            number,
            state=WorkState.ADMITTED,
            order=OrderRef(key=key, offset=7, length=len(data)),
            pull_id=pull.pull_id if pull else None,
        )
        self.works.save(None, replace(work, admitted_at=work.enqueued_at))
        message = DispatchMessage(run_id=work.key.run_id, work_id=work.key.work_id, attempt=1)
        self.queue.messages.append((f"receipt-{number}", message))
        return message

    def carry_out(self, order: ShardOrder | PrepareOrder) -> Work:
        """Admit an order, let the runner take it, and return the work as it is then."""
        self.admit(order)
        receipt, message = self.queue.messages.pop()
        self.agent.take(receipt, message)
        return self.work()

    def work(self) -> Work:
        """The one work item."""
        (work,) = self.works.items.values()
        return work

    def prefix(self) -> str:
        """Where the committed attempt uploaded."""
        commit = self.work().commit
        assert commit is not None
        assert commit.prefix is not None
        return commit.prefix

    def result(self) -> ShardResult:
        """result.json of the committed attempt."""
        return ShardResult.model_validate_json(self.artifacts.objects[result_key(self.prefix())].data)

    def discovery(self) -> Discovery:
        """discovery.json of the committed attempt."""
        return Discovery.model_validate_json(self.artifacts.objects[discovery_key(self.prefix())].data)

    def log(self) -> str:
        """The whole log of whatever attempt has one."""
        return self._stream(Stream.LOG)

    def events(self) -> list[LiveEvent]:
        """The events of whatever attempt has some."""
        return [LiveEvent.model_validate_json(line) for line in self._stream(Stream.EVENTS).splitlines()]

    def _stream(self, stream: Stream) -> str:
        chunks = sorted(key for key in self.artifacts.objects if f"/{stream_prefix('', stream)}" in key)
        return b"".join(self.artifacts.objects[key].data for key in chunks).decode()

    def uploaded(self) -> set[str]:
        """Keys of everything that attempts have uploaded."""
        return {key for key in self.artifacts.objects if key.startswith("runs/")}
