"""JSON calls from one service to another, counted by target and outcome."""

import http.client
import json
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from shop.kit.metrics import CALLS, Metrics


class Outcome(StrEnum):
    """How a call to a dependency ended."""

    OK = "ok"
    REFUSED = "refused"  # a status of 400 to 499: it works, and says no
    FAILED = "failed"  # a status from 500 on, or no HTTP at all
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"


class DependencyError(Exception):
    """Another service did not do its work; whether it did a part of it is unknown."""

    def __init__(self, target: str, outcome: Outcome) -> None:
        super().__init__(f"{target}: {outcome}")
        self.target = target
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """A status below 500 and the decoded body; None when there is none."""

    target: str
    status: int
    body: Any

    def expect(self, status: int) -> Any:
        """The body, if the status is the one that is understood. Raises DependencyError."""
        if self.status != status:
            raise DependencyError(self.target, Outcome.REFUSED)
        return self.body


@dataclass(frozen=True, slots=True)
class Peer:
    """Another service. Each call takes a connection of its own, so that a fault of a share of connections is one of requests.

    `timeout` holds, in seconds, for connecting and for each read; None waits for ever.
    """

    name: str
    url: str
    timeout: float | None
    metrics: Metrics

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        """Send and wait for the answer. Raises DependencyError when there is none, or one from 500 on."""
        try:
            reply = self._send(method, path, body)
        except TimeoutError as error:
            raise self._failed(Outcome.TIMEOUT) from error
        except OSError as error:
            raise self._failed(Outcome.UNREACHABLE) from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._failed(Outcome.FAILED) from error
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._failed(Outcome.FAILED)
        outcome = Outcome.REFUSED if reply.status >= HTTPStatus.BAD_REQUEST else Outcome.OK
        self.metrics.add(CALLS, target=self.name, outcome=outcome)
        return reply

    def _send(self, method: str, path: str, body: Any) -> Reply:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port or 80, timeout=self.timeout
        )
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            return Reply(self.name, response.status, json.loads(text) if text else None)
        finally:
            connection.close()

    def _failed(self, outcome: Outcome) -> DependencyError:
        self.metrics.add(CALLS, target=self.name, outcome=outcome)
        return DependencyError(self.name, outcome)
