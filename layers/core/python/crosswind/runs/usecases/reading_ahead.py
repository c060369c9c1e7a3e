"""Reads the cases of many shards in their order, while threads fetch those that come next.

A run of a thousand shards has a thousand small objects, each a round trip away. Memory stays flat: no more than `AHEAD`
small objects are held at once, and a large one is streamed when its turn comes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO

from crosswind.kernel.errors import TooLargeError
from crosswind.runs.model import Case
from crosswind.runs.ports import ObjectStore
from crosswind.runs.usecases import documents

AHEAD = 16
SMALL_BYTES = 1024 * 1024


class CasesAhead:
    """Cases by key. Made by `reading_ahead`; `keys` are taken in the order given, each once."""

    def __init__(self, store: ObjectStore, keys: Iterable[str], pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool
        self._waiting = deque(keys)
        self._reads: dict[str, Future[bytes | None]] = {}

    def cases(self, key: str) -> Iterator[Case]:
        """The cases of one shard. Raises NotFoundError. A key out of turn is read all the same, only not ahead."""
        self._start()
        read = self._reads.pop(key, None)
        data = read.result() if read else None
        self._start()
        if data is None:
            yield from documents.read_cases(self._store, key)
        else:
            yield from documents.unpack_cases(BytesIO(data))

    def _start(self) -> None:
        while self._waiting and len(self._reads) < AHEAD:
            key = self._waiting.popleft()
            self._reads[key] = self._pool.submit(self._small, key)

    def _small(self, key: str) -> bytes | None:
        try:
            return self._store.get(key, limit_bytes=SMALL_BYTES)
        except TooLargeError:
            return None


@contextmanager
def reading_ahead(store: ObjectStore, keys: Iterable[str]) -> Iterator[CasesAhead]:
    """Read ahead until the block ends; what was not taken by then is dropped."""
    pool = ThreadPoolExecutor(max_workers=AHEAD, thread_name_prefix="reading-ahead")
    try:
        yield CasesAhead(store, keys, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
