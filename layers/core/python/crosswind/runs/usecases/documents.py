"""A run's documents in the artifacts bucket, read and written the same way by every use case of the runs area."""

import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import BinaryIO, TypeVar

from pydantic import ValidationError

from crosswind.contracts.base import WireModel
from crosswind.contracts.requests import ArtifactCase, ArtifactLinks, CaseArtifact, CaseView
from crosswind.contracts.resolved import Plan, ResolvedSuite, ResultsIndex
from crosswind.contracts.work import Discovery, PrepareOrder, ShardOrder, ShardResult, Ticket
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import layout, protocol
from crosswind.runs.attachments import Links
from crosswind.runs.model import Case, CaseFile, Run, ShardSummary, Work, WorkKey
from crosswind.runs.ports import ObjectStore, RunStore, WorkStore

Model = TypeVar("Model", bound=WireModel)

DOCUMENT_BYTES = 256 * 1024 * 1024
LINE_BYTES = 1024 * 1024
_LINKS_BYTES = 128 * 1024 * 1024  # 2,000 files of 20 tests, each with a name of 2,000 characters
_FASTEST = 1  # gzip: a third of the default's time for a tenth more bytes


def read(store: ObjectStore, key: str, model: type[Model], *, limit_bytes: int = DOCUMENT_BYTES) -> Model:
    """Read a document. Raises NotFoundError, TooLargeError, and InvalidInputError when it is not what it should be."""
    data = store.get(key, limit_bytes=limit_bytes)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise InvalidInputError(f"{key} is not a valid {model.__name__}: {_first_fault(error)}") from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def write(store: ObjectStore, key: str, document: WireModel) -> None:
    """Write a document as JSON."""
    store.put(key, document.to_wire().encode(), content_type="application/json")


def read_suite(store: ObjectStore, run: Run) -> ResolvedSuite:
    """What the run was asked to do."""
    return read(store, run.spec_key, ResolvedSuite)


def read_plan(store: ObjectStore, run_id: str) -> Plan | None:
    """The stored plan; None while there is none."""
    try:
        return read(store, layout.plan_key(run_id), Plan)
    except NotFoundError:
        return None


def read_round(store: ObjectStore, run: Run) -> Plan | None:
    """The plan of the run's present round; None while there is none."""
    key = run.round_plans[-1] if run.round_plans else layout.plan_key(run.run_id)
    try:
        return read(store, key, Plan)
    except NotFoundError:
        return None


def read_plans(store: ObjectStore, run: Run) -> tuple[Plan, ...]:
    """The plans of all rounds, the first one first; none while the run is not planned."""
    first = read_plan(store, run.run_id)
    if first is None:
        return ()
    return (first, *(read(store, key, Plan) for key in run.round_plans))


def read_tickets(store: ObjectStore, key: str) -> Iterator[Ticket]:
    """The tickets of a stage."""
    for line in store.get(key, limit_bytes=DOCUMENT_BYTES).splitlines():
        yield Ticket.model_validate_json(line)


def read_order_of(store: ObjectStore, ticket: Ticket) -> ShardOrder:
    """The order that a shard's ticket points at."""
    ref = ticket.order
    return ShardOrder.model_validate_json(store.get_range(ref.key, offset=ref.offset, length=ref.length))


def read_index(store: ObjectStore, run_id: str) -> ResultsIndex | None:
    """The index of the folded results; None while there is none."""
    try:
        return read(store, layout.results_index_key(run_id), ResultsIndex)
    except NotFoundError:
        return None


def read_discovery(store: ObjectStore, key: str, *, limit_bytes: int = DOCUMENT_BYTES) -> Discovery:
    """What a preparation found."""
    return read(store, key, Discovery, limit_bytes=limit_bytes)


def read_result(store: ObjectStore, prefix: str) -> ShardResult:
    """What a runner saw of a shard."""
    return read(store, layout.result_key(prefix), ShardResult, limit_bytes=16 * 1024 * 1024)


def write_links(store: ObjectStore, prefix: str, links: Links) -> None:
    """Keep which tests have made which files, where any has."""
    if links.files:
        files = {
            path: tuple(ArtifactCase(id=case.id, name=case.name, status=case.status) for case in cases)
            for path, cases in links.files.items()
        }
        write(store, layout.links_key(prefix), ArtifactLinks(files=files))


def read_links(store: ObjectStore, prefix: str) -> ArtifactLinks:
    """Which tests have made which files of an attempt."""
    try:
        return read(store, layout.links_key(prefix), ArtifactLinks, limit_bytes=_LINKS_BYTES)
    except NotFoundError:
        return ArtifactLinks(files={})


def read_prepare_order(store: ObjectStore, work: Work) -> PrepareOrder:
    """The order of a preparation."""
    return PrepareOrder.model_validate_json(_order_bytes(store, work))


def read_shard_order(store: ObjectStore, work: Work) -> ShardOrder:
    """The order of a shard."""
    return ShardOrder.model_validate_json(_order_bytes(store, work))


def _order_bytes(store: ObjectStore, work: Work) -> bytes:
    return store.get_range(work.order.key, offset=work.order.offset, length=work.order.length)


def write_cases(store: ObjectStore, key: str, cases: Iterable[Case]) -> None:
    """Write cases as gzip NDJSON of CaseView. Equal cases give equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=_FASTEST, mtime=0) as packed:
        for case in cases:
            packed.write(view_of(case).to_wire().encode() + b"\n")
    store.put(key, buffer.getvalue(), content_type="application/gzip")


def read_cases(store: ObjectStore, key: str) -> Iterator[Case]:
    """Read what `write_cases` wrote, line by line."""
    with closing(store.open(key)) as stream:
        yield from unpack_cases(stream)


def read_rows(store: ObjectStore, run_id: str, index: ResultsIndex, *, first: int) -> Iterator[Case]:
    """Folded cases from a row on, page by page."""
    page, skip = divmod(first, index.page_size)
    while page * index.page_size < index.total:
        yield from islice(read_cases(store, layout.results_page_key(run_id, page)), skip, None)
        page, skip = page + 1, 0


def unpack_cases(stream: BinaryIO) -> Iterator[Case]:
    """Cases from the bytes that `write_cases` wrote, line by line."""
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        for line in packed:
            yield case_of(CaseView.model_validate_json(line))


def view_of(case: Case) -> CaseView:
    """A case as the API shows it."""
    return CaseView(
        id=case.id,
        test=case.test,
        variant=case.variant,
        name=case.name,
        status=case.status,
        duration_seconds=round(case.duration_seconds, 6),
        attempts=case.attempts,
        work_id=case.work_id,
        message=case.message,
        details=case.details,
        muted=case.muted,
        chaos=case.chaos,
        artifacts=tuple(
            CaseArtifact(path=file.path, work_id=file.work_id, file_class=file.file_class)
            for file in case.artifacts
        ),
    )


def case_of(view: CaseView) -> Case:
    """A case as the rules use it."""
    return Case(
        id=view.id,
        test=view.test,
        variant=view.variant,
        name=view.name,
        status=view.status,
        duration_seconds=view.duration_seconds,
        work_id=view.work_id,
        attempts=view.attempts,
        message=view.message,
        details=view.details,
        muted=view.muted,
        chaos=view.chaos,
        artifacts=tuple(CaseFile(file.path, file.work_id, file.file_class) for file in view.artifacts),
    )


def change_run(runs: RunStore, run_id: str, change: Callable[[Run], Run], *, pause: Pause) -> Run:
    """Change a run's record by compare-and-set; `change` is pure and may be called again.

    Raises:
        WriteConflictError: Other writers won every time.
    """

    def attempt() -> Run:
        run = runs.get(run_id)
        changed = change(run)
        return run if changed == run else runs.save(changed)

    return retry_conflicts(attempt, pause=pause)


def summarise(works: WorkStore, key: WorkKey, summary: ShardSummary, *, pause: Pause) -> None:
    """Keep on finished work what was read of it. The first summary stays.

    Raises:
        WriteConflictError: Other writers won every time.
    """

    def attempt() -> None:
        stored = works.get(key)
        transition = protocol.summarise(stored, summary=summary) if stored else None
        if transition is not None:
            works.save(stored, transition.work)

    retry_conflicts(attempt, pause=pause)
