"""A bucket in memory."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.runs.ports import ObjectInfo
from tests.fakes.time import SettableClock


@dataclass(frozen=True)
class StoredObject:
    """What was written."""

    data: bytes
    content_type: str
    modified_at: datetime
    encoding: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class MemoryObjectStore:
    """ObjectStore in memory. `objects` is open to a test that wants to look."""

    def __init__(self, bucket: str = "artifacts", *, clock: Clock | None = None) -> None:
        self.bucket = bucket
        self.objects: dict[str, StoredObject] = {}
        self._clock = clock or SettableClock()

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        self.objects[key] = StoredObject(data, content_type, self._clock.now())

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        data = self._find(key)
        if len(data) > limit_bytes:
            raise TooLargeError(f"{key} has {len(data)} bytes; at most {limit_bytes} are read")
        return data

    def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        return self._find(key)[offset : offset + length]

    def open(self, key: str) -> BinaryIO:
        return BytesIO(self._find(key))

    def stat(self, key: str) -> ObjectInfo | None:
        stored = self.objects.get(key)
        return ObjectInfo(key, size=len(stored.data), modified_at=stored.modified_at) if stored else None

    def upload(
        self,
        path: Path,
        key: str,
        *,
        content_type: str,
        encoding: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.put(key, path.read_bytes(), content_type=content_type)
        self.objects[key] = replace(self.objects[key], encoding=encoding, tags=dict(tags or {}))

    @contextmanager
    def create(
        self, key: str, *, content_type: str, tags: Mapping[str, str] | None = None
    ) -> Iterator[BinaryIO]:
        stream = BytesIO()
        yield stream
        self.put(key, stream.getvalue(), content_type=content_type)
        self.objects[key] = replace(self.objects[key], tags=dict(tags or {}))

    def download(self, key: str, path: Path) -> None:
        path.write_bytes(self._find(key))

    def list_objects(self, prefix: str, *, limit: int, after: str | None = None) -> tuple[ObjectInfo, ...]:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > (after or ""))
        return tuple(
            ObjectInfo(key=key, size=len(self.objects[key].data), modified_at=self.objects[key].modified_at)
            for key in keys[:limit]
        )

    def presign_get(
        self, key: str, *, content_type: str, file_name: str, expires: timedelta, inline: bool = True
    ) -> str:
        return (
            f"https://{self.bucket}.example/{key}"
            f"?type={content_type}&name={file_name}&expires={int(expires.total_seconds())}"
            + ("" if inline else "&save")
        )

    def presign_put(
        self, key: str, *, size: int, sha256_hex: str, expires: timedelta
    ) -> tuple[str, dict[str, str]]:
        link = f"https://{self.bucket}.example/{key}?expires={int(expires.total_seconds())}"
        checksum = base64.b64encode(bytes.fromhex(sha256_hex)).decode()
        return link, {"Content-Length": str(size), "x-amz-checksum-sha256": checksum}

    def _find(self, key: str) -> bytes:
        stored = self.objects.get(key)
        if stored is None:
            raise NotFoundError(f"there is no object {key}")
        return stored.data
