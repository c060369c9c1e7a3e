"""The domain event bus on EventBridge."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from crosswind.adapters.aws.errors import aws_errors
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import from_iso
from crosswind.kernel.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_BATCH = 10  # EventBridge's own limit
_ATTEMPTS = 4


@dataclass(frozen=True)
class EventBridgeBus:
    """EventBus on EventBridge. The detail is the whole envelope, so that a receiver sees the event's id."""

    client: "EventBridgeClient"
    name: str
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)

    def publish(self, events: Iterable[DomainEvent]) -> None:
        rest = iter(events)
        while batch := list(islice(rest, _BATCH)):
            self._put([self._entry(event) for event in batch])

    def _put(self, entries: list[Any]) -> None:
        """Put one batch, and again what of it the service could not take."""
        for attempt in range(_ATTEMPTS):
            with aws_errors("events"):
                answer = self.client.put_events(Entries=entries)
            results = zip(entries, answer["Entries"], strict=True)
            failed = [(entry, result["ErrorCode"]) for entry, result in results if "ErrorCode" in result]
            if not failed:
                return
            entries = [entry for entry, _ in failed]
            self.pause(0.1 * 2.0**attempt)
        codes = sorted({code for _, code in failed})
        raise DependencyError(f"events did not take {len(failed)} events ({', '.join(codes)})")

    def _entry(self, event: DomainEvent) -> dict[str, Any]:
        return {
            "EventBusName": self.name,
            "Source": event.source,
            "DetailType": event.type,
            "Time": from_iso(event.occurred_at),
            "Detail": event.to_wire(),
        }
