"""Carries out a PrepareOrder: fetch the source, run its setup once, pack what is left, list the tests."""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from pydantic import ValidationError

from crosswind.adapters.frameworks.base import Collected, Invocation
from crosswind.adapters.unlinked import path_of
from crosswind.contracts.work import ArchiveRef, ArchiveSource, Discovery, GitSource, PrepareOrder
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.runner.archives import ArchiveRefusedError, digest_of, pack
from crosswind.runner.attempt import Attempt
from crosswind.runner.git import PROTOCOLS, GitFetch, SourceRefusedError
from crosswind.runner.running import adapter_of
from crosswind.runner.sandbox import Exit, Place
from crosswind.runs.layout import archive_key
from crosswind.runs.ports import RunStore
from crosswind.runs.preparing import final_key

MAX_DISCOVERY_BYTES = 128 * 1024 * 1024
_COPIES = "make the virtual environment with `python -m venv --copies` so that it can travel"


class _PreparationFailedError(Exception):
    """The suite's own fault, in a sentence for its author."""


@dataclass(frozen=True, slots=True)
class PrepareSource:
    """Prepares in an attempt. Faults of the suite are in the Discovery's errors, not exceptions."""

    runs: RunStore
    protocols: frozenset[str] = PROTOCOLS

    def __call__(self, attempt: Attempt, order: PrepareOrder) -> Discovery:
        """Raises InterruptedAttemptError, InfrastructureFaultError, RetryableError."""
        attempt.start_clock()
        attempt.events.step("fetch")
        commit: str | None = None
        try:
            commit = self._fetch(attempt, order)
            earlier = self._earlier(attempt, final_key(order, commit=commit))
            if earlier is not None:
                attempt.log.note("The same was prepared before; its result is used again.")
                return earlier
            self._set_up(attempt, order)
            archive, left_out = self._pack(attempt, order)
        except (SourceRefusedError, ArchiveRefusedError, _PreparationFailedError) as error:
            attempt.log.note(str(error))
            return Discovery(
                preparation=final_key(order, commit=commit),
                archive=self._empty_archive(attempt, order),
                commit=commit,
                test_ids=None,
                errors=(str(error),),
            )
        found = self._discover(attempt, order)
        return Discovery(
            preparation=final_key(order, commit=commit),
            archive=archive,
            commit=commit,
            test_ids=found.test_ids,
            errors=(*left_out, *found.errors),
        )

    def _fetch(self, attempt: Attempt, order: PrepareOrder) -> str | None:
        match order.source:
            case GitSource() as source:
                attempt.sandbox.give_away()
                attempt.log.note(f"Fetching {source.ref} of {source.uri}")
                fetch = GitFetch(
                    sandbox=attempt.sandbox,
                    log=attempt.log,
                    interruption=attempt.interruption,
                    remaining=attempt.remaining,
                    protocols=self.protocols,
                )
                commit = fetch(source)
                attempt.log.note(f"The commit is {commit}")
                return commit
            case ArchiveSource() as source:
                attempt.unpack(attempt.cache.fetch(attempt.sources, source.archive))
                return None

    def _earlier(self, attempt: Attempt, key: str) -> Discovery | None:
        """The Discovery of an equal preparation, if it is whole and its archive is still there."""
        stored = self.runs.preparation(key)
        if stored is None:
            return None
        try:
            found = Discovery.model_validate_json(
                attempt.artifacts.get(stored, limit_bytes=MAX_DISCOVERY_BYTES)
            )
        except (NotFoundError, TooLargeError, ValidationError):
            return None  # expired or from another version: prepare again
        if found.errors or attempt.sources.stat(found.archive.key) is None:
            return None
        return found

    def _set_up(self, attempt: Attempt, order: PrepareOrder) -> None:
        if order.setup:
            attempt.events.step("setup")
        for command in order.setup:
            attempt.log.note(f"$ {command}")
            start = attempt.log.size
            end = attempt.command(("sh", "-c", command), env=order.env)
            if end.code != 0:
                raise _PreparationFailedError(
                    f"The setup command `{command}` {_how_it_ended(end, order)}:\n"
                    f"{attempt.log.last_lines(after=start)}"
                )

    def _pack(self, attempt: Attempt, order: PrepareOrder) -> tuple[ArchiveRef, tuple[str, ...]]:
        """Before the discovery, whose caches have no place in it. An archive without setup stays as it is."""
        if isinstance(order.source, ArchiveSource) and not order.setup:
            return order.source.archive, ()
        place = attempt.sandbox.place
        with _nameless(place) as packed:
            left_out = pack(place.work, packed, limits=attempt.limits, check=attempt.interruption.check)
            for sentence in left_out:
                attempt.log.note(f"Left out of the archive: {sentence}")
            archive = self._store(attempt, order, packed)
        venv = any(
            (config.parent / "bin" / "python").is_symlink() for config in _virtual_environments(place.work)
        )
        return archive, tuple(f"{sentence}; {_COPIES}" for sentence in left_out[:1] if venv)

    def _store(self, attempt: Attempt, order: PrepareOrder, packed: BinaryIO) -> ArchiveRef:
        """Uploaded even where it lies there already: it is about to be remembered, and its life begins anew."""
        digest = digest_of(packed)
        key = archive_key(order.team, digest)
        size = os.fstat(packed.fileno()).st_size
        if size > attempt.limits.packed_bytes:
            raise _PreparationFailedError(
                f"The prepared working directory packs to {size} bytes; at most {attempt.limits.packed_bytes} can travel."
            )
        attempt.sources.upload(path_of(packed), key, content_type="application/gzip")
        return ArchiveRef(key=key, digest=digest, size=size)

    def _empty_archive(self, attempt: Attempt, order: PrepareOrder) -> ArchiveRef:
        """Stands in where nothing could be prepared: no shard will ever be made of it."""
        nothing = attempt.sandbox.place.root / "nothing"
        nothing.mkdir()
        with _nameless(attempt.sandbox.place) as packed:
            pack(nothing, packed)
            return self._store(attempt, order, packed)

    def _discover(self, attempt: Attempt, order: PrepareOrder) -> Collected:
        adapter = adapter_of(order)
        folder = attempt.sandbox.place.private / "discovery"
        folder.mkdir(mode=0o700)
        launch = adapter.discovery(
            Invocation(
                command=order.command,
                args=order.args,
                env=order.env,
                work=attempt.directory,
            ),
            folder=folder,
        )
        if launch is None:
            return adapter.collected(folder, work=attempt.directory, end=0) or Collected(test_ids=None)
        attempt.sandbox.give_away_private()
        attempt.events.step("discovery")
        attempt.log.note("Listing the tests")
        start = attempt.log.size
        end = attempt.command(launch.argv, env={**order.env, **launch.env})
        found = adapter.collected(folder, work=attempt.directory, end=end.code)
        if found is None:
            said = attempt.log.last_lines(after=start)
            fault = f"The tests could not be listed; the command {_how_it_ended(end, order)}:\n{said}"
            return Collected(test_ids=None, errors=(fault,))
        return found


def _nameless(place: Place) -> BinaryIO:
    """A file that the tests of a pod cannot put a link in place of. It goes when it is closed."""
    return cast("BinaryIO", TemporaryFile(dir=place.root))


def _how_it_ended(end: Exit, order: PrepareOrder) -> str:
    if end.timed_out:
        return f"reached the timeout of {order.timeout_seconds} s"
    return f"ended with exit status {end.code}"


def _virtual_environments(work: Path) -> list[Path]:
    return [*work.glob("pyvenv.cfg"), *work.glob("*/pyvenv.cfg")]
