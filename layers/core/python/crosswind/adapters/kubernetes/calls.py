"""Calls of a Kubernetes API server: bounded in time, repeated where that may help, answered with typed errors.

Built on urllib3, which boto3 has loaded anyway. The `kubernetes` package takes a second and 126 MB to import its 700
models; a launcher needs five calls and no model (docs/decisions/0025, `python -m tests.bench.imports`).
"""

import json
import random
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.ports import ClusterError

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
CALL_SECONDS = 15.0
"""Of one call with all its repetitions: a launcher has a minute for a batch, and other clusters are waiting."""

SILENT_SECONDS = 10.0
"""For which nothing is sent any more to a server that did not answer in all that time."""

TRIES = 5
LONGEST_PAUSE = 5.0
PAGE = 500
CONNECTIONS = 10
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_UNAUTHORIZED, _CONFLICT, _NOT_FOUND, _GONE = 401, 409, 404, 410
_TOO_MANY = 429
_PASSING = frozenset({_TOO_MANY, 500, 502, 503, 504})
_LEAST_ERROR = 400

Json = dict[str, Any]


class MissingError(Exception):
    """There is no such object."""


class ExistsError(Exception):
    """An object of that name is there already."""


class ExpiredError(Exception):
    """A list's continuation, or a watch's starting point, is too old: begin again."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM."""

    certificate: str
    key: str


@dataclass
class _Silence:
    """How long a server has been known not to answer."""

    ends_at: float | None = None


@dataclass(frozen=True)
class ApiServer:
    """One API server.

    Args:
        headers: Asked before each call: a token may have to be made anew.
        unauthorized: Called when the server does not accept who calls; whoever holds credentials drops them then.
        tries: How often a call is sent at most. All that is sent here may be repeated: names are given by us.
    """

    endpoint: str
    headers: Callable[[], Mapping[str, str]] = field(default=dict)
    certificate_authority: str | None = None
    server_name: str | None = None
    client_certificate: ClientCertificate | None = None
    unauthorized: Callable[[], object] = lambda: None
    tries: int = TRIES
    pause: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _silence: _Silence = field(default_factory=_Silence, init=False, repr=False, compare=False)

    def call(
        self, method: str, path: str, *, body: Json | None = None, query: Mapping[str, str] | None = None
    ) -> Json:
        """The answer as JSON, within CALL_SECONDS or a little more where the answer is long.

        Raises:
            MissingError, ExistsError, ExpiredError: What the server says of the object.
            ClusterError: It refused, asked to slow down to the last, did not answer, or cannot be called.
        """
        self._need_sound()
        ends_at = self.clock() + CALL_SECONDS
        fault: ClusterError | None = None
        is_silent = False
        for attempt in range(self.tries):
            if fault is not None:
                pause = _pause(attempt, fault.retry_after_seconds)
                if self.clock() + pause >= ends_at:
                    break
                self.pause(pause)
            try:
                status, headers, text = self._send(method, path, body, query, ends_at - self.clock())
            except HTTPError as error:
                fault = _unreachable(f"{self.endpoint} did not answer: {_brief(error)}")
                is_silent = True
                continue
            is_silent = False
            if status < _LEAST_ERROR:
                return _json(text)
            fault = self._fault(status, text, headers.get("Retry-After"))
            if not fault.passing or status not in _PASSING:
                raise fault
        if is_silent:
            self._silence.ends_at = self.clock() + SILENT_SECONDS
        raise fault or _unreachable(f"{self.endpoint} was not asked")

    def pages(self, path: str, *, query: Mapping[str, str] | None = None) -> Iterator[Json]:
        """The pages of a list. Raises ExpiredError where its continuation is too old: whoever lists begins again."""
        wanted = {**(query or {}), "limit": str(PAGE)}
        following: Json = {}
        while True:
            page = self.call("GET", path, query={**wanted, **following})
            yield page
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            following = {"continue": token}

    def watch(self, path: str, *, query: Mapping[str, str], seconds: int) -> Iterator[Json]:
        """Events until the server ends the stream, after `seconds` at most. Silence for longer ends it too.

        Raises ClusterError and ExpiredError; whoever watches lists again, whatever ended the watch.
        """
        wanted = {**query, "watch": "1", "timeoutSeconds": str(seconds), "allowWatchBookmarks": "true"}
        try:
            answer = self._pool.request(
                "GET",
                self._address(path, wanted),
                headers=dict(self.headers()),
                timeout=Timeout(connect=CONNECT_SECONDS, read=seconds + READ_SECONDS),
                retries=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise _unreachable(f"the watch did not begin: {_brief(error)}") from error
        try:
            if answer.status >= _LEAST_ERROR:
                raise self._fault(answer.status, answer.read(65_536), answer.headers.get("Retry-After"))
            yield from _lines(answer)
        except HTTPError as error:
            raise _unreachable(f"the watch broke: {_brief(error)}") from error
        finally:
            answer.close()
            answer.release_conn()

    def _need_sound(self) -> None:
        """Raises ClusterError where the server was silent a moment ago."""
        ends_at = self._silence.ends_at
        if ends_at is not None and self.clock() < ends_at:
            raise _unreachable(f"{self.endpoint} did not answer some seconds ago")
        self._silence.ends_at = None

    def _fault(self, status: int, text: bytes, retry_after: str | None) -> ClusterError:
        fault = _fault(status, text, retry_after)
        if status == _UNAUTHORIZED:
            self.unauthorized()
        return fault

    def _send(
        self, method: str, path: str, body: Json | None, query: Mapping[str, str] | None, seconds: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Accept": "application/json", **self.headers()}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, separators=(",", ":")).encode()
        answer = self._pool.request(
            method,
            self._address(path, query or {}),
            body=data,
            headers=headers,
            timeout=Timeout(connect=min(CONNECT_SECONDS, seconds), read=min(READ_SECONDS, seconds)),
            retries=False,
            preload_content=False,
        )
        try:
            text = answer.read(MAX_ANSWER_BYTES + 1, decode_content=True)
            if len(text) > MAX_ANSWER_BYTES:
                raise ClusterError(
                    f"the answer to {path} is over {MAX_ANSWER_BYTES} bytes",
                    reason=InfrastructureReason.CLUSTER_UNREACHABLE,
                    passing=False,
                )
            return answer.status, answer.headers, text
        finally:
            answer.release_conn()

    def _address(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self.endpoint.rstrip('/')}{path}{'?' if query else ''}{urlencode(query)}"

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        try:
            context = self._context()
        except (OSError, ValueError) as error:  # what OpenSSL raises is an OSError
            raise ClusterError(
                f"the certificates for {self.endpoint} cannot be used: {_brief(error)}",
                reason=InfrastructureReason.CLUSTER_REFUSED,
                passing=False,
            ) from error
        return urllib3.PoolManager(
            num_pools=1,
            maxsize=CONNECTIONS,
            block=True,
            ssl_context=context,
            server_hostname=self.server_name,
            assert_hostname=self.server_name,
        )

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.certificate_authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_certificate is not None:
            with tempfile.NamedTemporaryFile(
                "w", suffix=".pem"
            ) as file:  # made 0600; OpenSSL reads files only
                file.write(f"{self.client_certificate.certificate}\n{self.client_certificate.key}\n")
                file.flush()
                context.load_cert_chain(file.name)
        return context


def _fault(status: int, text: bytes, retry_after: str | None) -> ClusterError:
    """Raises what the server says of the object itself; gives what it says of the call."""
    told = _json(text, lenient=True)
    message, reason = str(told.get("message") or f"status {status}"), told.get("reason")
    if status == _NOT_FOUND and "namespaces" not in message:
        raise MissingError(message)
    if status == _CONFLICT and reason == "AlreadyExists":
        raise ExistsError(message)
    if status == _GONE:
        raise ExpiredError(message)
    if status == _UNAUTHORIZED:
        return ClusterError(
            f"the credentials are not accepted: {message}; `crosswind clusters add` renews them",
            reason=InfrastructureReason.CLUSTER_REFUSED,
            passing=True,
        )
    if status in _PASSING:
        throttled = status == _TOO_MANY
        code = (
            InfrastructureReason.CLUSTER_THROTTLED if throttled else InfrastructureReason.CLUSTER_UNREACHABLE
        )
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
        return ClusterError(message, reason=code, passing=True, retry_after_seconds=seconds)
    if "exceeded quota" in message:
        return ClusterError(message, reason=InfrastructureReason.CLUSTER_QUOTA, passing=True)
    if status == _CONFLICT:
        return _unreachable(message)
    return ClusterError(message, reason=InfrastructureReason.CLUSTER_REFUSED, passing=False)


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[Json]:
    held = b""
    for chunk in answer.stream(65_536, decode_content=True):
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                event = _json(line)
                if event.get("type") == "ERROR":
                    raise ExpiredError(str(event.get("object", {}).get("message")))
                yield event
        if len(held) > MAX_ANSWER_BYTES:
            raise ExpiredError("an event of the watch is too large")


def _json(text: bytes, *, lenient: bool = False) -> Json:
    try:
        read = json.loads(text) if text else {}
    except ValueError as error:
        if lenient:
            return {"message": text[:200].decode(errors="replace")}
        raise _unreachable("the answer is no JSON") from error
    return read if isinstance(read, dict) else {}


def _pause(attempt: int, asked: float | None) -> float:
    """What the server asks for, or a doubling time; never longer than a launcher may wait, and never all at once."""
    longest = min(LONGEST_PAUSE, asked if asked is not None else 0.1 * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads callers, no secret


def _unreachable(message: str) -> ClusterError:
    return ClusterError(message, reason=InfrastructureReason.CLUSTER_UNREACHABLE, passing=True)


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
