"""A part of a shard's log: one of its attempts, or one step of it (setup, attempt-1, retry-1, …)."""

from collections.abc import Iterator

from crosswind.cli.errors import CliError
from crosswind.cli.news import events_of
from crosswind.cli.session import Session
from crosswind.cli.streams import Follower
from crosswind.contracts.live import EventType, Stream
from crosswind.contracts.requests import LogChunk


def print_part(session: Session, run_id: str, *, work_id: str, attempt: str | None, step: str | None) -> None:
    """Print it as it is. Raises CliError where there is no such step."""
    start, end = (0, None) if step is None else _span(session, run_id, work_id, attempt=attempt, step=step)
    for chunk in _chunks(session, run_id, Follower(work_id, offset=start, named=attempt), end):
        if session.as_json:
            session.emit_line(chunk)
        else:
            session.write(chunk.text)


def _span(
    session: Session, run_id: str, work_id: str, *, attempt: str | None, step: str
) -> tuple[int, int | None]:
    """Where a step's part of the log begins and ends; None where it is the last one so far."""
    events = Follower(work_id, Stream.EVENTS, named=attempt)
    told = [event for chunk in events.read(session.client, run_id) for event in events_of(events, chunk)]
    steps = [event for event in told if event.type is EventType.STEP]
    for number, event in enumerate(steps):
        if event.step == step:
            following = steps[number + 1 :]
            return event.log_offset, following[0].log_offset if following else None
    names = ", ".join(event.step for event in steps)
    raise CliError(
        f"{work_id} has no step {step!r}",
        hint=f"Its steps so far: {names}." if names else "It has told of no step yet.",
    )


def _chunks(session: Session, run_id: str, log: Follower, end: int | None) -> Iterator[LogChunk]:
    for chunk in log.read(session.client, run_id):
        if end is None or chunk.next_offset < end:
            yield chunk
            continue
        text = chunk.text.encode()[: end - chunk.offset].decode(errors="ignore")
        yield chunk.model_copy(update={"text": text, "next_offset": end})
        return
