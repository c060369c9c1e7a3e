"""Opens an attempt: the log, the sandbox and the guarded stores that it works with, and closes them again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from crosswind.contracts.live import Piece, Stream
from crosswind.contracts.work import MonitorOrder, Order, PrepareOrder, ShardOrder
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import NotFoundError
from crosswind.runner.archives import ArchiveCache, ArchiveLimits
from crosswind.runner.attempt import Attempt, Meter
from crosswind.runner.batches import Pulling
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.events import MAX_EVENTS_BYTES, EventLog, events_cut
from crosswind.runner.executing import ExecuteShard
from crosswind.runner.faults import InfrastructureFaultError, Interruption
from crosswind.runner.git import PROTOCOLS
from crosswind.runner.logs import LOG_CUT, MAX_LOG_BYTES, AttemptLog
from crosswind.runner.preparing import PrepareSource
from crosswind.runner.sampling import UseRecorder
from crosswind.runner.sandbox import GRACE_SECONDS, Elsewhere, Place, Sandbox
from crosswind.runner.shipping import Shipper
from crosswind.runner.spool import Spool
from crosswind.runner.uploads import GuardedStore
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.layout import attempt_name, attempt_prefix, discovery_key, result_key
from crosswind.runs.live.model import Mark
from crosswind.runs.live.ports import LiveQueue
from crosswind.runs.live.shipping import Pace
from crosswind.runs.model import Work
from crosswind.runs.ports import ObjectStore, RunStore
from crosswind.runs.usecases.load_barrier import JoinBarrier

if TYPE_CHECKING:
    from crosswind.runner.monitoring.watching import Watch


_ORDERS: TypeAdapter[PrepareOrder | ShardOrder | MonitorOrder] = TypeAdapter(Order)
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Session:
    """One attempt, ready to work."""

    attempt: Attempt
    work: Work
    execute_shard: ExecuteShard
    prepare_source: PrepareSource
    open_watch: Callable[[], "Watch"]

    def execute(self, order: ShardOrder, secrets: dict[str, str]) -> None:
        """Run a shard and leave result.json."""
        result = self.execute_shard(self.attempt, self.work, order, secrets=secrets)
        self._leave(result_key(self.attempt.prefix), result.to_wire())

    def prepare(self, order: PrepareOrder) -> None:
        """Prepare a source and leave discovery.json."""
        found = self.prepare_source(self.attempt, order)
        self.attempt.finish()
        self._leave(discovery_key(self.attempt.prefix), found.to_wire())

    def monitor(self, order: MonitorOrder, beats: Callable[[], int]) -> None:
        """Watch a run of an experiment. `beats` tells how many heartbeats of this lease are stored."""
        self.open_watch()(
            self.work,
            order,
            artifacts=self.attempt.artifacts,
            folder=self.attempt.sandbox.place.temporary,
            beats=beats,
            note=self.attempt.log.note,
            interruption=self.attempt.interruption,
        )
        self.attempt.finish()

    def _leave(self, key: str, text: str) -> None:
        self.attempt.artifacts.put(key, text.encode(), content_type=_JSON)


@dataclass(frozen=True, slots=True)
class Live:
    """How what is new of an attempt reaches those who watch. `watched` tells who watches a run."""

    watched: Callable[[str], Mark]
    queue: LiveQueue
    pace: Pace


@dataclass(frozen=True, slots=True)
class _GuardedQueue:
    """Carries nothing any more once the attempt is interrupted: a zombie's news would mix with its successor's."""

    queue: LiveQueue
    interruption: Interruption

    def push(self, pieces: Sequence[Piece]) -> None:
        self.interruption.check()
        self.queue.push(pieces)


@dataclass(frozen=True)
class OpenSession:
    """Makes sessions."""

    artifacts: ObjectStore
    sources: ObjectStore
    runs: RunStore
    cache: ArchiveCache
    limits: ArchiveLimits
    environment: TestEnvironment
    clock: Clock
    pulling: Pulling
    join: JoinBarrier
    open_watch: Callable[[], "Watch"]
    live: Live
    test_uid: int | None = None
    grace_seconds: float = GRACE_SECONDS
    hand: Elsewhere | None = None
    protocols: frozenset[str] = PROTOCOLS

    def read_order(self, work: Work) -> PrepareOrder | ShardOrder | MonitorOrder:
        """The work's order. Raises InfrastructureFaultError where it is gone or unreadable."""
        try:
            data = self.artifacts.get_range(
                work.order.key, offset=work.order.offset, length=work.order.length
            )
            return _ORDERS.validate_json(data)
        except (NotFoundError, ValidationError) as error:
            raise InfrastructureFaultError(
                InfrastructureReason.ORDER_UNREADABLE, f"{work.order.key}: {error}"
            ) from error

    @contextmanager
    def __call__(
        self,
        work: Work,
        order: PrepareOrder | ShardOrder | MonitorOrder,
        place: Place,
        interruption: Interruption,
        secrets: dict[str, str],
    ) -> Iterator[Session]:
        """A session in a place that exists. Its log's thread ends with it."""
        prefix = attempt_prefix(work)
        artifacts = GuardedStore(self.artifacts, interruption)
        streams = self._streams(work, artifacts, place, interruption, tuple(secrets.values()))
        use = UseRecorder()
        try:
            attempt = Attempt(
                prefix=prefix,
                sandbox=Sandbox(
                    environment=self.environment,
                    place=place,
                    test_uid=self.test_uid,
                    grace_seconds=self.grace_seconds,
                    hand=self.hand,
                    sampled=use.add,
                ),
                use=use,
                log=streams.log,
                events=streams.events,
                shipper=streams.shipper,
                meter=streams.meter,
                interruption=interruption,
                artifacts=artifacts,
                sources=GuardedStore(self.sources, interruption),
                cache=self.cache,
                limits=self.limits,
                timeout_seconds=order.timeout_seconds,
                working_directory="" if isinstance(order, MonitorOrder) else order.working_directory or "",
            )
            yield Session(
                attempt,
                work,
                ExecuteShard(self.clock, self.pulling, self.join),
                PrepareSource(self.runs, self.protocols),
                self.open_watch,
            )
        finally:
            streams.close()

    def _streams(
        self,
        work: Work,
        artifacts: ObjectStore,
        place: Place,
        interruption: Interruption,
        secrets: tuple[str, ...],
    ) -> "_Streams":
        prefix = attempt_prefix(work)
        log_spool = Spool(
            artifacts,
            stream=Stream.LOG,
            prefix=prefix,
            path=place.root / "log",
            limit_bytes=MAX_LOG_BYTES,
            when_full=LOG_CUT,
        )
        event_spool = Spool(
            artifacts,
            stream=Stream.EVENTS,
            prefix=prefix,
            path=place.root / "events",
            limit_bytes=MAX_EVENTS_BYTES,
            when_full=events_cut(at=to_iso(self.clock.now())),
        )
        log = AttemptLog(log_spool, secrets=secrets, wake=lambda: shipper.wake())  # noqa: PLW0108  # made below
        events = EventLog(
            event_spool,
            clock=self.clock,
            log_size=lambda: log.size,
            secrets=secrets,
            hurry=lambda: shipper.hurry(),  # noqa: PLW0108  # made below
        )
        meter = Meter(log, events)
        shipper = Shipper(
            work,
            attempt=attempt_name(prefix),
            spools=(event_spool, log_spool),
            pace=self.live.pace,
            demand=lambda: self.live.watched(work.key.run_id).demand(work.key.work_id, now=self.clock.now()),
            queue=_GuardedQueue(self.live.queue, interruption),
            poll=meter.progress,
        )
        shipper.start()
        return _Streams(log, events, meter, shipper)


@dataclass(frozen=True, slots=True)
class _Streams:
    log: AttemptLog
    events: EventLog
    meter: Meter
    shipper: Shipper

    def close(self) -> None:
        self.shipper.close()
        self.log.spool.close()
        self.events.spool.close()
