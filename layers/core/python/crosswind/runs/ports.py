"""What the runs area needs from outside, in its own words. Adapters implement these; bootstrap wires them.

Every method may raise ThrottledError or DependencyError after its own bounded retries.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from crosswind.contracts.events import DomainEvent
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.suites import Scalar
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import DispatchMessage, WorkAnswer
from crosswind.kernel.errors import FieldError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.kernel.paging import Page
from crosswind.runs.admission.model import Account
from crosswind.runs.model import Case, Run, Work, WorkKey, WorkTally


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list: those of one team, newest first."""

    team: str
    suite: str | None = None
    state: RunState | None = None
    verdict: VerdictKind | None = None


class RunStore(Protocol):
    """Runs, the failures shown while they go on, the outbox and the cache of preparations."""

    def create(self, run: Run, *, idempotency: IdempotencyKey | None) -> tuple[Run, bool]:
        """Store a new run (version 1). Returns (run, True), or (the earlier run, False) for a repeated key.

        Raises ConflictError when the key was used for another request.
        """
        ...

    def created_with(self, idempotency: IdempotencyKey) -> Run | None:
        """The run that was created with this key; None for a new or an expired one.

        Raises ConflictError when the key was used for another request.
        """
        ...

    def get(self, run_id: str) -> Run:
        """Read consistently. Raises NotFoundError."""
        ...

    def save(self, run: Run) -> Run:
        """Write if the stored version equals `run.version`; returns the run with version + 1.

        Raises WriteConflictError.
        """
        ...

    def finish(self, run: Run, event: DomainEvent) -> Run:
        """`save`, and put the event into the outbox, in one transaction."""
        ...

    def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[Run]:
        """Newest first. Raises InvalidInputError for a cursor that is not ours."""
        ...

    def unfinished(self) -> Iterator[Run]:
        """Every run that is not finished, from a sparse index (eventually consistent)."""
        ...

    def unsent_events(self) -> Iterator[DomainEvent]:
        """The outbox, oldest first."""
        ...

    def unsent_event(self, event_id: str) -> DomainEvent | None:
        """One event of the outbox, read consistently; None when it was sent, or never put there."""
        ...

    def mark_sent(self, event_id: str) -> None:
        """Take an event out of the outbox. Idempotent."""
        ...

    def add_failures(self, run_id: str, work_id: str, cases: Sequence[Case]) -> None:
        """Keep a shard's first failures for those who watch, as many as one item holds. Idempotent per work id."""
        ...

    def failures(self, run_id: str) -> tuple[Case, ...]:
        """All that `add_failures` kept, by work id."""
        ...

    def preparation(self, cache_key: str) -> str | None:
        """The key of a stored Discovery (artifacts bucket) for this preparation, if one is known and not expired."""
        ...

    def remember_preparation(self, cache_key: str, *, discovery_key: str, until: datetime) -> None:
        """Keep a successful preparation for later runs."""
        ...


NOBODYS = "-"
"""The team of documents that are no team's, such as clusters: no team can have this name."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A suite, a framework or a cluster that is stored under its name."""

    team: str
    name: str
    digest: str
    updated_at: datetime
    updated_by: str
    spec: dict[str, object]


class DocumentStore(Protocol):
    """Stored documents of one kind, by team and name."""

    def put(self, record: DocumentRecord) -> bool:
        """Store or replace. Returns True when it did not exist before."""
        ...

    def get(self, team: str, name: str) -> DocumentRecord:
        """Raises NotFoundError."""
        ...

    def delete(self, team: str, name: str) -> None:
        """Raises NotFoundError."""
        ...

    def list_documents(self, team: str, *, limit: int, cursor: str | None) -> Page[DocumentRecord]:
        """By name."""
        ...


class WorkStore(Protocol):
    """Leased work, and its projection in the queue table, written in one transaction."""

    def get(self, key: WorkKey) -> Work | None:
        """Read consistently."""
        ...

    def get_many(self, keys: Sequence[WorkKey]) -> tuple[Work, ...]:
        """Those that exist, each once, in the order of their first key; each is read consistently."""
        ...

    def save(self, before: Work | None, after: Work) -> Work:
        """Write `after` if the stored item is still `before` (by version; None: does not exist).

        The queue projection follows in the same transaction: a waiting item has an entry in its run's lane, an
        admitted or leased one in the active list, a done one in neither. Where the projection does not change (claim,
        heartbeat, ingestion) this is one plain conditional write. An item that begins to wait marks its lane afterwards,
        as `line_up` does. Returns `after` with its new version (before + 1). A heartbeat (`beats` has grown, nothing else
        counts) is one small write beside the item, and leaves the version as it is: it wins or loses only against what
        ends the lease. Raises WriteConflictError.
        """
        ...

    def line_up(self, work: Work) -> None:
        """Mark the lane of a run that has waiting work, so that the scheduler reads it. Safe to repeat."""
        ...

    def admit_all(
        self, pairs: Sequence[tuple[Work, Work]], *, fence: int, account: Account | None = None
    ) -> tuple[Work, ...]:
        """Save the scheduler's changes (admissions, preemptions), only while its fence is still `fence`.

        `account` is stored with each of them. Returns those that were written: the caller performs what follows from
        them. One that lost to another writer or cannot be written is left out, and so are those that a fault kept from
        being written after others were. Where none was written, raises that fault: WriteConflictError when the fence
        has moved, for this scheduler is no longer the one.
        """
        ...

    def of_run(self, run_id: str) -> Iterator[Work]:
        """All work of a run, by work id, read consistently and in pages."""
        ...

    def tallies(self, run_id: str) -> Iterator[WorkTally]:
        """What counts are made of, of all work of a run: a tenth of `of_run`'s bytes, and perhaps a second old."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object."""

    key: str
    size: int
    modified_at: datetime


class ObjectStore(Protocol):
    """One bucket."""

    @property
    def bucket(self) -> str:
        """Its name."""
        ...

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Write a small object."""
        ...

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        """Read a whole object. Raises NotFoundError; TooLargeError when it is larger than `limit_bytes`."""
        ...

    def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        """Read a part; shorter at the end, empty beyond it. Raises NotFoundError."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A stream of the object. The caller closes it. Raises NotFoundError."""
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """Its size and when it was last written; None when there is no such object."""
        ...

    def upload(
        self,
        path: Path,
        key: str,
        *,
        content_type: str,
        encoding: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Upload a file, in parts where it is large. `encoding` says how its bytes are packed, such as gzip."""
        ...

    def create(
        self, key: str, *, content_type: str, tags: Mapping[str, str] | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """A stream to write a large object to, in parts. It is there once the block ends, and never where it raises."""
        ...

    def download(self, key: str, path: Path) -> None:
        """Download into a file. Raises NotFoundError."""
        ...

    def list_objects(self, prefix: str, *, limit: int, after: str | None = None) -> tuple[ObjectInfo, ...]:
        """Objects under a prefix in key order, those behind `after`."""
        ...

    def presign_get(
        self, key: str, *, content_type: str, file_name: str, expires: timedelta, inline: bool = True
    ) -> str:
        """A link that shows the object, or with `inline` false one that has it saved."""
        ...

    def presign_put(
        self, key: str, *, size: int, sha256_hex: str, expires: timedelta
    ) -> tuple[str, dict[str, str]]:
        """A link, and the headers that must go with it, to upload exactly this content."""
        ...


class Queues(Protocol):
    """Messages between the workers."""

    def wake_scheduler(self, *, after: timedelta = timedelta()) -> None:
        """Ask for an admission round, at once or after at most 15 minutes."""
        ...

    def dispatch(self, messages: Sequence[DispatchMessage], *, after: timedelta = timedelta()) -> None:
        """Hand admitted work to the executor, in batches: at once, or after at most 15 minutes."""
        ...

    def watch(self, run_id: str, *, delay: timedelta) -> None:
        """Arm the watchdog of a run."""
        ...


class TaskTokens(Protocol):
    """Answers to task tokens."""

    def answer(self, token: str, answer: WorkAnswer) -> bool:
        """Answer with an outcome. False when the token is over (answered, timed out, its execution gone)."""
        ...


class ExecutionStatus(StrEnum):
    """Status of a Step Functions execution, as far as it matters here."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    ENDED = "ended"  # failed, timed out or stopped
    UNKNOWN = "unknown"  # no such execution


class Executions(Protocol):
    """Executions of runs/test-run."""

    def start(self, name: str, payload: RunExecutionInput) -> None:
        """Start; starting the same name again is no error."""
        ...

    def status(self, name: str) -> ExecutionStatus:
        """Describe one execution. Bounded use: 10 per second on AWS."""
        ...

    def stop(self, name: str, *, cause: str) -> None:
        """Stop one; no error when it is over."""
        ...


class EventBus(Protocol):
    """The domain event bus."""

    def publish(self, events: Iterable[DomainEvent]) -> None:
        """Publish; the receiver may see an event more than once."""
        ...


class Experiments(Protocol):
    """What is known of chaos experiments before a run that wants one beside a stage."""

    def faults(self, team: str, experiment: str, parameters: Mapping[str, Scalar]) -> Sequence[FieldError]:
        """Why it could not start, by the fields of a stage's `chaos`; nothing where that is not known here."""
        ...


class Secrets(Protocol):
    """The team's secrets."""

    def get(self, team: str, name: str) -> str:
        """The secret's text. Raises NotFoundError."""
        ...
