"""ObjectStore: the fake and S3."""

import gzip
import hashlib
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crosswind.adapters.aws.object_store import S3ObjectStore
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.runs.ports import ObjectStore
from tests.fakes import MemoryObjectStore

HOUR = timedelta(hours=1)


def _write_and_fail(store: ObjectStore, key: str, blocks: list[bytes]) -> None:
    with store.create(key, content_type="text/plain") as stream:
        for block in blocks:
            stream.write(block)
        raise ZeroDivisionError


class ObjectStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> ObjectStore: ...

    def test_an_object_comes_back_as_it_was(self, store: ObjectStore) -> None:
        store.put("a/größe.txt", b"hello", content_type="text/plain")

        assert store.get("a/größe.txt", limit_bytes=5) == b"hello"

    def test_an_object_tells_its_size_and_age_as_a_list_does(self, store: ObjectStore) -> None:
        store.put("a/größe.txt", b"hello")

        found = store.stat("a/größe.txt")

        assert found is not None
        assert (found.key, found.size) == ("a/größe.txt", 5)
        assert found.modified_at.utcoffset() == timedelta(0)
        assert store.list_objects("a/", limit=1) == (found,)

    def test_an_object_over_the_limit_is_not_read(self, store: ObjectStore) -> None:
        store.put("a", b"hello")

        with pytest.raises(TooLargeError):
            store.get("a", limit_bytes=4)

    def test_a_missing_object_is_not_found(self, store: ObjectStore, tmp_path: Path) -> None:
        assert store.stat("a") is None
        with pytest.raises(NotFoundError):
            store.get("a", limit_bytes=1)
        with pytest.raises(NotFoundError):
            store.get_range("a", offset=0, length=1)
        with pytest.raises(NotFoundError):
            store.open("a")
        with pytest.raises(NotFoundError):
            store.download("a", tmp_path / "a")

    def test_a_range_is_cut_at_the_end_and_empty_beyond_it(self, store: ObjectStore) -> None:
        store.put("a", b"0123456789")

        assert store.get_range("a", offset=2, length=3) == b"234"
        assert store.get_range("a", offset=8, length=5) == b"89"
        assert store.get_range("a", offset=10, length=5) == b""
        assert store.get_range("a", offset=99, length=5) == b""
        assert store.get_range("a", offset=0, length=0) == b""

    def test_an_object_is_read_as_a_stream(self, store: ObjectStore) -> None:
        store.put("a.gz", gzip.compress(b"one\ntwo\n"))

        with store.open("a.gz") as stream, gzip.open(stream, "rt") as lines:
            assert list(lines) == ["one\n", "two\n"]

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        store.put("a", b"")

        assert store.get("a", limit_bytes=0) == b""
        found = store.stat("a")
        assert found is not None
        assert found.size == 0
        assert store.get_range("a", offset=0, length=1) == b""
        with store.open("a") as stream:
            assert stream.read() == b""

    def test_a_file_goes_up_and_comes_down(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "up").write_bytes(b"x" * 100_000)

        store.upload(tmp_path / "up", "a", content_type="application/gzip")
        store.download("a", tmp_path / "down")

        assert (tmp_path / "down").read_bytes() == b"x" * 100_000

    def test_a_written_stream_is_an_object_only_once_it_ends_well(self, store: ObjectStore) -> None:
        with store.create("a", content_type="application/zip", tags={"class": "archive"}) as stream:
            for _ in range(3):
                stream.write(b"x" * 100)
            assert store.stat("a") is None
        assert store.get("a", limit_bytes=300) == b"x" * 300

        with pytest.raises(ZeroDivisionError):
            _write_and_fail(store, "b", [b"x"])
        assert store.stat("b") is None

    def test_objects_are_listed_in_key_order_behind_a_key(self, store: ObjectStore) -> None:
        for key in ("p/3", "p/1", "p/2", "q/1"):
            store.put(key, key.encode())

        assert [found.key for found in store.list_objects("p/", limit=10)] == ["p/1", "p/2", "p/3"]
        assert [found.key for found in store.list_objects("p/", limit=2)] == ["p/1", "p/2"]
        assert [found.key for found in store.list_objects("p/", limit=10, after="p/1")] == ["p/2", "p/3"]
        assert store.list_objects("p/", limit=10, after="p/3") == ()
        assert store.list_objects("p/", limit=1)[0].size == 3

    def test_links_name_the_object_and_uploads_bind_their_content(self, store: ObjectStore) -> None:
        get = store.presign_get("a/b.txt", content_type="text/plain", file_name="b.txt", expires=HOUR)
        put, headers = store.presign_put(
            "a/b.txt", size=5, sha256_hex=hashlib.sha256(b"hello").hexdigest(), expires=HOUR
        )

        assert "/a/b.txt?" in get
        assert "/a/b.txt?" in put
        assert headers == {
            "Content-Length": "5",
            "x-amz-checksum-sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        }


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryObjectStore()


class TestS3ObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, s3: Any, bucket: str) -> ObjectStore:
        return S3ObjectStore(client=s3, bucket=bucket)

    def test_a_large_file_goes_up_in_parts_and_a_small_one_in_one(
        self, store: ObjectStore, s3: Any, bucket: str, tmp_path: Path
    ) -> None:
        (tmp_path / "large").write_bytes(bytes(33 * 1024 * 1024))
        (tmp_path / "small").write_bytes(b"x")

        for name in ("large", "small"):
            store.upload(tmp_path / name, name, content_type="video/mp4", tags={"class": "video"})

        etags = {name: s3.head_object(Bucket=bucket, Key=name)["ETag"] for name in ("large", "small")}
        assert etags["large"].endswith('-3"')  # of 16 MiB at most
        assert "-" not in etags["small"]
        for name in ("large", "small"):
            tags = s3.get_object_tagging(Bucket=bucket, Key=name)["TagSet"]
            assert tags == [{"Key": "class", "Value": "video"}]
            assert s3.head_object(Bucket=bucket, Key=name)["ContentType"] == "video/mp4"

    def test_a_stream_goes_up_in_parts_and_an_aborted_one_leaves_none(
        self, store: ObjectStore, s3: Any, bucket: str
    ) -> None:
        block = bytes(1024 * 1024)

        with store.create("a", content_type="application/zip", tags={"class": "archive"}) as stream:
            for _ in range(33):
                stream.write(block)
        with pytest.raises(ZeroDivisionError):
            _write_and_fail(store, "b", [block] * 17)

        head = s3.head_object(Bucket=bucket, Key="a")
        assert (head["ContentLength"], head["ETag"][-3:]) == (33 * len(block), '-3"')
        tags = s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"]
        assert tags == [{"Key": "class", "Value": "archive"}]
        assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")

    def test_a_packed_file_says_so(self, store: ObjectStore, s3: Any, bucket: str, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_bytes(gzip.compress(b"hello"))

        store.upload(tmp_path / "a.log", "a.log", content_type="text/plain", encoding="gzip")

        assert s3.head_object(Bucket=bucket, Key="a.log")["ContentEncoding"] == "gzip"

    def test_a_link_shows_or_saves(self, store: ObjectStore) -> None:
        links = [
            store.presign_get("a", content_type="text/html", file_name="ä.html", expires=HOUR, inline=inline)
            for inline in (True, False)
        ]

        assert "response-content-disposition=inline" in links[0]
        assert "response-content-disposition=attachment" in links[1]
