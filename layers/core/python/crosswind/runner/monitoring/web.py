"""Probes over HTTP: a request, and a Prometheus query. Every address is checked as it is written and as it resolves.

The connection goes to one of the addresses that were checked, so that a name that resolves differently the next moment
leads nowhere else. Redirects are followed up to three times, each checked like the first.
"""

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx

from crosswind.chaos.addresses import AddressRules, redirected, refusal_resolved, same_origin
from crosswind.contracts.chaos.probes import HttpProbe, Measure, PrometheusProbe
from crosswind.contracts.suites import duration_seconds
from crosswind.runner.monitoring.measuring import Measured, UnmeasurableError

MAX_ANSWER_BYTES = 1024 * 1024
_REDIRECTS = 3
_SECRETS = frozenset({"authorization", "cookie", "proxy-authorization"})

Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True)
class WebProbes:
    """Takes http and prometheus probes under the rules of the run's environment."""

    rules: AddressRules
    prometheus: str | None
    resolve: Resolve = resolve
    transport: httpx.BaseTransport | None = None

    def http(self, probe: HttpProbe) -> Measured:
        """Status, latency in milliseconds, or body. A connection that is refused or times out is the system's own doing:
        it is a status of 0, not unknown."""
        began = time.monotonic()
        try:
            answer, text = self._ask(
                probe.url,
                method=probe.method,
                headers=dict(probe.headers),
                content=probe.body,
                seconds=duration_seconds(probe.timeout),
            )
        except httpx.TransportError as error:
            reason = f"no answer: {error or type(error).__name__}"
            if probe.measure is Measure.LATENCY:
                elapsed = max(duration_seconds(probe.timeout), time.monotonic() - began) * 1000
                return Measured(elapsed, well=False, detail=reason)
            return Measured("" if probe.measure is Measure.BODY else 0, well=False, detail=reason)
        well = httpx.codes.OK <= answer.status_code < httpx.codes.BAD_REQUEST
        detail = f"status {answer.status_code}"
        match probe.measure:
            case Measure.STATUS:
                return Measured(answer.status_code, well, detail)
            case Measure.LATENCY:
                return Measured((time.monotonic() - began) * 1000, well, detail)
            case Measure.BODY:
                return Measured(text, well, detail)

    def query(self, probe: PrometheusProbe) -> Measured:
        """The value of an instant query; see PrometheusProbe for several samples. None is unknown."""
        base = probe.url or self.prometheus
        if base is None:
            raise UnmeasurableError("no Prometheus is told, here or in the environment's policy")
        url = f"{base.rstrip('/')}/api/v1/query?{httpx.QueryParams({'query': probe.query})}"
        try:
            answer, text = self._ask(url, method="GET", seconds=duration_seconds(probe.timeout))
        except httpx.TransportError as error:
            raise UnmeasurableError(f"Prometheus did not answer: {error or type(error).__name__}") from error
        return Measured(_values(answer.status_code, text))

    def _ask(
        self,
        url: str,
        *,
        method: str,
        seconds: float,
        headers: dict[str, str] | None = None,
        content: str | None = None,
    ) -> tuple[httpx.Response, str]:
        ends = time.monotonic() + seconds
        given = headers or {}
        for _ in range(_REDIRECTS + 1):
            left = ends - time.monotonic()
            if left <= 0:
                raise httpx.ReadTimeout(f"no whole answer within {seconds:g} s")
            answer, text = self._send(url, method, given, content, left)
            location = answer.headers.get("location")
            if not answer.is_redirect or location is None:
                return answer, text
            target = redirected(url, location, self.rules)
            if not same_origin(url, target):
                given = {name: value for name, value in given.items() if name.lower() not in _SECRETS}
            url, method, content = target, "GET", None
        raise UnmeasurableError(f"more than {_REDIRECTS} redirects")

    def _send(
        self, url: str, method: str, headers: dict[str, str], content: str | None, seconds: float
    ) -> tuple[httpx.Response, str]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = self.resolve(host, port)
        except OSError as error:
            raise httpx.ConnectError(f"{host} cannot be resolved: {error}") from error
        reason = refusal_resolved(url, addresses, self.rules)
        if reason is not None:
            raise UnmeasurableError(f"{url} may not be asked: {reason}")
        address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        pinned = urlunsplit((parts.scheme, f"{address}:{port}", parts.path or "/", parts.query, ""))
        with httpx.Client(transport=self.transport, trust_env=False, follow_redirects=False) as client:
            request = client.build_request(
                method,
                pinned,
                headers={**headers, "Host": parts.netloc.rpartition("@")[2]},
                content=content,
                timeout=seconds,
                extensions={"sni_hostname": host},
            )
            answer = client.send(request, stream=True)
            try:
                return answer, _read(answer, time.monotonic() + seconds)
            finally:
                answer.close()


def _read(answer: httpx.Response, ends: float) -> str:
    parts, size = [], 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise UnmeasurableError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("no whole answer in time")
        parts.append(part)
    return b"".join(parts).decode("utf-8", errors="replace")


def _values(status: int, text: str) -> float | tuple[float, ...]:
    try:
        data = json.loads(text)["data"]
        if data["resultType"] == "scalar":
            return float(data["result"][1])
        values = tuple(float(each["value"][1]) for each in data["result"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UnmeasurableError(f"Prometheus answered {status} and no values") from error
    if not values:
        raise UnmeasurableError("the query has no sample")
    return values[0] if len(values) == 1 else values
