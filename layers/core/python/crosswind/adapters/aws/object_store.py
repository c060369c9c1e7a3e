"""One S3 bucket."""

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, urlencode

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.kernel.errors import DependencyError, NotFoundError, TooLargeError
from crosswind.runs.ports import ObjectInfo

if TYPE_CHECKING:
    from boto3.s3.transfer import S3Transfer
    from mypy_boto3_s3 import S3Client

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_BEYOND_END = frozenset({"416", "InvalidRange"})
_PART = 16 * 1024 * 1024
_PARTS_AT_ONCE = 4
_LIST_PAGE = 1000


@dataclass(frozen=True)
class S3ObjectStore:
    """ObjectStore on one bucket."""

    client: "S3Client"
    bucket: str

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        with aws_errors("s3"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        with _object_errors(key):
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
            with answer["Body"] as body:
                if answer["ContentLength"] > limit_bytes:
                    raise TooLargeError(
                        f"{key} has {answer['ContentLength']} bytes; at most {limit_bytes} are read"
                    )
                return body.read()

    def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with _object_errors(key):
            try:
                answer = self.client.get_object(
                    Bucket=self.bucket, Key=key, Range=f"bytes={offset}-{offset + length - 1}"
                )
            except ClientError as error:
                if error_code(error) not in _BEYOND_END:
                    raise
                return b""
            with answer["Body"] as body:
                return body.read()

    def open(self, key: str) -> BinaryIO:
        with _object_errors(key):
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
        return io.BufferedReader(_Stream(body))

    def stat(self, key: str) -> ObjectInfo | None:
        try:
            with _object_errors(key):
                head = self.client.head_object(Bucket=self.bucket, Key=key)
        except NotFoundError:
            return None
        return ObjectInfo(key, size=head["ContentLength"], modified_at=head["LastModified"].astimezone(UTC))

    def upload(
        self,
        path: Path,
        key: str,
        *,
        content_type: str,
        encoding: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        extra = {"ContentType": content_type}
        if encoding:
            extra["ContentEncoding"] = encoding
        if tags:
            extra["Tagging"] = urlencode(tags)
        with _object_errors(key), _transfer(self.client) as transfer:
            transfer.upload_file(str(path), self.bucket, key, extra_args=extra)

    @contextmanager
    def create(
        self, key: str, *, content_type: str, tags: Mapping[str, str] | None = None
    ) -> Iterator[BinaryIO]:
        parts = _Parts(self.client, self.bucket, key, content_type=content_type, tags=urlencode(tags or {}))
        try:
            yield cast("BinaryIO", parts)
            parts.finish()
        except BaseException:
            parts.abort()
            raise

    def download(self, key: str, path: Path) -> None:
        with _object_errors(key), _transfer(self.client) as transfer:
            transfer.download_file(self.bucket, key, str(path))

    def list_objects(self, prefix: str, *, limit: int, after: str | None = None) -> tuple[ObjectInfo, ...]:
        found: list[ObjectInfo] = []
        last = after
        while len(found) < limit:
            wanted = min(limit - len(found), _LIST_PAGE)
            start: dict[str, Any] = {"StartAfter": last} if last else {}
            with aws_errors("s3"):
                page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=wanted, **start)
            found += (
                ObjectInfo(
                    key=entry["Key"], size=entry["Size"], modified_at=entry["LastModified"].astimezone(UTC)
                )
                for entry in page.get("Contents", [])
            )
            if not page.get("IsTruncated") or not found:
                break
            last = found[-1].key
        return tuple(found)

    def presign_get(
        self, key: str, *, content_type: str, file_name: str, expires: timedelta, inline: bool = True
    ) -> str:
        disposition = "inline" if inline else "attachment"
        with aws_errors("s3"):
            return self.client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self.bucket,
                    "Key": key,
                    "ResponseContentType": content_type,
                    "ResponseContentDisposition": f"{disposition}; filename*=UTF-8''{quote(file_name, safe='')}",
                },
                ExpiresIn=int(expires.total_seconds()),
            )

    def presign_put(
        self, key: str, *, size: int, sha256_hex: str, expires: timedelta
    ) -> tuple[str, dict[str, str]]:
        """The signature covers length and checksum: S3 refuses another body with 400, and other headers with 403."""
        checksum = base64.b64encode(bytes.fromhex(sha256_hex)).decode()
        with aws_errors("s3"):
            link = self.client.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self.bucket,
                    "Key": key,
                    "ContentLength": size,
                    "ChecksumSHA256": checksum,
                },
                ExpiresIn=int(expires.total_seconds()),
            )
        return link, {"Content-Length": str(size), "x-amz-checksum-sha256": checksum}


class _Stream(io.RawIOBase):
    """A body under way, whose broken connection is a DependencyError."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with aws_errors("s3"):
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


class _Parts(io.RawIOBase):
    """Writes an object in parts, holding one part at a time: 16 MiB, and so at most 156 GiB for an object."""

    def __init__(self, client: "S3Client", bucket: str, key: str, *, content_type: str, tags: str) -> None:
        self._client = client
        self._where: Any = {"Bucket": bucket, "Key": key}
        self._what: Any = {"ContentType": content_type, **({"Tagging": tags} if tags else {})}
        self._buffer = bytearray()
        self._upload: str | None = None
        self._done: list[Any] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._buffer += view
        while len(self._buffer) >= _PART:
            self._send(bytes(self._buffer[:_PART]))
            del self._buffer[:_PART]
        return view.nbytes

    def finish(self) -> None:
        """Make the object appear, in one piece where it is small."""
        with aws_errors("s3"):
            if self._upload is None:
                self._client.put_object(**self._where, **self._what, Body=bytes(self._buffer))
                return
        if self._buffer:
            self._send(bytes(self._buffer))
        with aws_errors("s3"):
            self._client.complete_multipart_upload(
                **self._where, UploadId=self._upload, MultipartUpload={"Parts": self._done}
            )

    def abort(self) -> None:
        """Leave nothing behind. What cannot be cleared away now, the bucket's life cycle clears away."""
        if self._upload is not None:
            with suppress(DependencyError, ClientError), aws_errors("s3"):
                self._client.abort_multipart_upload(**self._where, UploadId=self._upload)

    def _send(self, part: bytes) -> None:
        with aws_errors("s3"):
            if self._upload is None:
                self._upload = self._client.create_multipart_upload(**self._where, **self._what)["UploadId"]
            number = len(self._done) + 1
            sent = self._client.upload_part(
                **self._where, UploadId=self._upload, PartNumber=number, Body=part
            )
        self._done.append({"PartNumber": number, "ETag": sent["ETag"]})


@contextmanager
def _object_errors(key: str) -> Iterator[None]:
    with aws_errors("s3"):
        try:
            yield
        except ClientError as error:
            if error_code(error) not in _MISSING:
                raise
            raise NotFoundError(f"there is no object {key}") from error


@contextmanager
def _transfer(client: "S3Client") -> Iterator["S3Transfer"]:
    """A transfer in parts. Imported here: only runners move large files, and boto3 costs every cold start."""
    from boto3.exceptions import RetriesExceededError, S3UploadFailedError  # noqa: PLC0415
    from boto3.s3.transfer import S3Transfer, TransferConfig  # noqa: PLC0415

    config = TransferConfig(
        multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=_PARTS_AT_ONCE
    )
    try:
        yield S3Transfer(client, config)  # type: ignore[arg-type]  # the stubs name botocore's Config here
    except (RetriesExceededError, S3UploadFailedError) as error:
        raise DependencyError(f"s3 did not finish a transfer: {error}") from error
