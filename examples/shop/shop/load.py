"""`python -m shop.load --rate 20 --seconds 60`: steady orders, and how they went, as their buyers saw it.

Orders are sent at fixed moments, whether or not those before were answered, and an order's time counts from its moment:
a shop that hangs cannot slow down its own measurement.
"""

import argparse
import http.client
import json
import math
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shop.local.registry import DEFAULT_HOME, Home
from shop.local.topology import CLIENT, edge_name
from shop.services.names import ORDER

STEADY_RATIO = 0.95
STEADY_P95_SECONDS = 0.8
_ORDER = json.dumps({"items": {"mug": 1}, "card": "4242424242424242"})
_MAX_THREADS = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """One order: how long it took, and the state it was given or the reason why it failed."""

    seconds: float
    state: str | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How the orders went."""

    target: str
    rate: float
    elapsed: float
    """Seconds from the first order's moment to the last answer."""
    samples: Sequence[Sample]

    @property
    def success_ratio(self) -> float:
        """Orders that were accepted, of all that were sent; 0 when none was."""
        accepted = sum(sample.failure is None for sample in self.samples)
        return accepted / len(self.samples) if self.samples else 0.0

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent of all orders had their end, good or bad; the nearest rank."""
        ordered = sorted(sample.seconds for sample in self.samples)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0

    @property
    def steady(self) -> bool:
        """Whether this is the steady state."""
        return self.success_ratio >= STEADY_RATIO and self.percentile(95) < STEADY_P95_SECONDS

    def to_document(self) -> dict[str, Any]:
        """What --json prints."""
        return {
            "target": self.target,
            "rate": self.rate,
            "achievedRate": round(len(self.samples) / self.elapsed, 2) if self.elapsed else 0.0,
            "sent": len(self.samples),
            "succeeded": sum(sample.failure is None for sample in self.samples),
            "successRatio": round(self.success_ratio, 4),
            "p50Ms": round(self.percentile(50) * 1000, 1),
            "p95Ms": round(self.percentile(95) * 1000, 1),
            "states": dict(Counter(sample.state for sample in self.samples if sample.state)),
            "failures": dict(Counter(sample.failure for sample in self.samples if sample.failure)),
            "steady": self.steady,
        }


def drive(url: str, *, rate: float, seconds: float, timeout: float, stop: threading.Event) -> Summary:
    """Send orders until time is up or the event is set, then wait for the last answers."""
    threads = min(_MAX_THREADS, math.ceil(rate * timeout) + 8)
    with ThreadPoolExecutor(max_workers=threads) as buyers:
        started = time.monotonic()
        futures = []
        for number in range(math.ceil(rate * seconds)):
            moment = started + number / rate
            if stop.wait(max(0.0, moment - time.monotonic())):
                break
            futures.append(buyers.submit(_buy, url, moment, timeout))
        samples = [future.result() for future in futures]
    return Summary(url, rate, max(len(samples) / rate, time.monotonic() - started), samples)


def _buy(url: str, moment: float, timeout: float) -> Sample:
    state, failure = None, None
    try:
        status, body = _post(url, timeout)
        if status == HTTPStatus.CREATED:
            state = str(body["state"])
        else:
            failure = str(status)
    except TimeoutError:
        failure = "timeout"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        failure = "unreachable"
    return Sample(time.monotonic() - moment, state, failure)


def _post(url: str, timeout: float) -> tuple[int, Any]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=timeout)
    try:
        connection.request("POST", "/orders", body=_ORDER, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def target(home: Home) -> str | None:
    """Where buyers go: through the proxy in front of `order`, if there is one."""
    registry = home.load()
    if registry is None:
        return None
    proxy = registry.proxies.get(edge_name(CLIENT, ORDER))
    return proxy.url if proxy else registry.services[ORDER].url


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 1 when --check is given and the steady state does not hold, 2 when there is no shop."""
    given = _parser().parse_args(words)
    url = given.url or target(Home(given.home))
    if url is None:
        sys.stderr.write(f"no shop was started in {given.home}; `python -m shop.local up` starts one\n")
        return 2
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    summary = drive(url, rate=given.rate, seconds=given.seconds, timeout=given.timeout, stop=stop)
    document = summary.to_document()
    sys.stdout.write(f"{json.dumps(document) if given.json else _told(document)}\n")
    return 1 if given.check and not summary.steady else 0


def _told(document: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{count} {name}" for name, count in (document["states"] | document["failures"]).items()
    )
    return (
        f"{document['sent']} orders at {document['achievedRate']} a second: {counts or 'none'}\n"
        f"success ratio {document['successRatio']:.3f}, p50 {document['p50Ms']} ms, p95 {document['p95Ms']} ms\n"
        f"steady state (ratio from {STEADY_RATIO} on, p95 under {STEADY_P95_SECONDS * 1000:.0f} ms): "
        f"{'holds' if document['steady'] else 'does not hold'}"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("give a number above 0")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shop.load", description="Send steady orders, and tell how they went."
    )
    parser.add_argument("--rate", type=_positive, default=20.0, help="orders a second")
    parser.add_argument("--seconds", type=_positive, default=60.0, help="SIGINT and SIGTERM end it before")
    parser.add_argument("--timeout", type=_positive, default=2.0, help="seconds that a buyer waits")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="the shop to buy from")
    parser.add_argument("--url", help="the order service's address, if not the one of --home")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit with 1 unless the steady state holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
