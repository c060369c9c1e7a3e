"""Queues, task tokens, executions, the event bus and secrets in memory."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from crosswind.contracts.events import DomainEvent
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import DispatchMessage, WorkAnswer
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.ports import ExecutionStatus


class MemoryQueues:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.wakes = 0
        self.later: list[timedelta] = []
        self.dispatched: list[DispatchMessage] = []
        self.watches: list[tuple[str, timedelta]] = []

    def wake_scheduler(self, *, after: timedelta = timedelta()) -> None:
        if after > timedelta():
            self.later.append(after)
        else:
            self.wakes += 1

    def dispatch(self, messages: Sequence[DispatchMessage], *, after: timedelta = timedelta()) -> None:
        self.dispatched.extend(messages)

    def watch(self, run_id: str, *, delay: timedelta) -> None:
        self.watches.append((run_id, delay))


class MemoryTaskTokens:
    """Takes the first answer to each token, unless the token was closed before."""

    def __init__(self) -> None:
        self.answers: dict[str, WorkAnswer] = {}
        self.closed: set[str] = set()

    def answer(self, token: str, answer: WorkAnswer) -> bool:
        if token in self.closed or token in self.answers:
            return False
        self.answers[token] = answer
        return True

    def close(self, token: str) -> None:
        """Let the token be over, as when its execution was stopped."""
        self.closed.add(token)


class MemoryExecutions:
    """Remembers what was started; a test ends executions with `end`."""

    def __init__(self) -> None:
        self.started: dict[str, RunExecutionInput] = {}
        self.stopped: dict[str, str] = {}
        self._status: dict[str, ExecutionStatus] = {}

    def start(self, name: str, payload: RunExecutionInput) -> None:
        if name not in self.started:
            self.started[name] = payload
            self._status[name] = ExecutionStatus.RUNNING

    def status(self, name: str) -> ExecutionStatus:
        return self._status.get(name, ExecutionStatus.UNKNOWN)

    def stop(self, name: str, *, cause: str) -> None:
        if self.status(name) is ExecutionStatus.RUNNING:
            self.stopped[name] = cause
            self._status[name] = ExecutionStatus.ENDED

    def end(self, name: str, status: ExecutionStatus = ExecutionStatus.ENDED) -> None:
        """Let an execution be over; UNKNOWN makes it forgotten."""
        self._status[name] = status


class MemoryEventBus:
    """Remembers what was published. Set `fault` to let the next calls fail."""

    def __init__(self) -> None:
        self.published: list[DomainEvent] = []
        self.fault: Exception | None = None

    def publish(self, events: Iterable[DomainEvent]) -> None:
        if self.fault is not None:
            raise self.fault
        self.published.extend(events)


class MemorySecrets:
    """Secrets from a mapping of (team, name)."""

    def __init__(self, secrets: Mapping[tuple[str, str], str] | None = None) -> None:
        self.secrets = dict(secrets or {})

    def get(self, team: str, name: str) -> str:
        try:
            return self.secrets[team, name]
        except KeyError:
            raise NotFoundError(f"team {team} has no secret {name}") from None
