"""HTTP to what is not AWS: a bounded time, bounded retries with jitter, bounded answers, typed errors, no surprises.

Proxies of the environment are not used and redirects are not followed: an address that was checked is the one that
is asked.
"""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from crosswind.kernel.errors import DependencyError, ThrottledError

MAX_ANSWER_BYTES = 2 * 1024 * 1024
_RETRIED = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE = 2.0
_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, text and headers (lower-case names)."""

    status: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON. Raises DependencyError where it is none."""
        import json  # noqa: PLC0415  # only where an answer is read as JSON

        try:
            return json.loads(self.text) if self.text else None
        except ValueError as error:
            raise DependencyError(f"the answer is no JSON: {self.text[:80]!r}") from error


def _pause(repetition: int) -> None:
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.1 * 2**repetition)))  # noqa: S311  # spreads callers, no secret


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading the certificates takes longer (30 ms) than most calls."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True)
class HttpPeer:
    """One server, by its base address.

    Args:
        seconds: For all tries of one call together.
        tries: How often an idempotent call is sent at most; others are sent once.
    """

    name: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 5.0
    tries: int = 3
    transport: httpx.BaseTransport | None = None
    pause: Callable[[int], None] = _pause

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        idempotent: bool | None = None,
    ) -> HttpAnswer:
        """Send, and again where nothing was answered or the server is busy. Any other status is an answer.

        Raises:
            ThrottledError: It asked to slow down (429) to the last.
            DependencyError: It did not answer in time, answered 5xx to the last, or too much.
        """
        again = method in {"GET", "HEAD", "PUT", "DELETE"} if idempotent is None else idempotent
        tries = self.tries if again else 1
        ends = time.monotonic() + self.seconds
        fault: Exception | None = None
        with self._client() as client:
            for repetition in range(tries):
                if repetition:
                    self.pause(repetition)
                left = ends - time.monotonic()
                if left <= 0:
                    break
                try:
                    answer = self._send(client, method, path, json, params, left)
                except httpx.TransportError as error:
                    fault = DependencyError(f"{self.name} did not answer: {error or type(error).__name__}")
                    fault.__cause__ = error
                    continue
                fault = self._fault(answer)
                if fault is None:
                    return answer
                if answer.status not in _RETRIED and answer.status != _SERVER_FAULT:
                    break
        raise fault or DependencyError(f"{self.name} did not answer within {self.seconds:g} s")

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.base_url,
            headers=dict(self.headers),
            transport=self.transport,
            verify=_trusted(),
            trust_env=False,
            follow_redirects=False,
        )

    def _send(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        json: Any,
        params: Mapping[str, Any] | None,
        left: float,
    ) -> HttpAnswer:
        ends = time.monotonic() + left
        with client.stream(method, path, json=json, params=params, timeout=left) as answer:
            parts, size = [], 0
            for part in answer.iter_bytes():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise DependencyError(f"{self.name} answered more than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > ends:
                    raise httpx.ReadTimeout(f"no whole answer within {self.seconds:g} s")
                parts.append(part)
            text = b"".join(parts).decode("utf-8", errors="replace")
            return HttpAnswer(answer.status_code, text, {k.lower(): v for k, v in answer.headers.items()})

    def _fault(self, answer: HttpAnswer) -> Exception | None:
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            return ThrottledError(f"{self.name} asks to slow down")
        if answer.status >= _SERVER_FAULT:
            return DependencyError(f"{self.name} answered {answer.status}: {answer.text[:200]}")
        return None
