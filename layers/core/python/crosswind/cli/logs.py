"""Read the logs of a run's shards by offset, once or until the run has finished."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from crosswind.cli.client import ApiClient
from crosswind.cli.config import is_loopback
from crosswind.cli.errors import ApiError, CliError
from crosswind.cli.follow import Pace
from crosswind.cli.session import Session
from crosswind.contracts.requests import LogChunk, RunState


@dataclass
class WorkLog:
    """Where the reading of one log stands. A new attempt starts a new log."""

    work_id: str
    offset: int = 0
    attempt: str | None = None
    complete: bool = False
    rest: str = field(default="", repr=False)

    def read(self, client: ApiClient, run_id: str) -> Iterator[LogChunk]:
        """Everything that is there now."""
        while not self.complete:
            chunk = client.logs(run_id, work_id=self.work_id, offset=self.offset)
            if self.attempt is not None and chunk.attempt != self.attempt:
                self.attempt, self.offset, self.rest = chunk.attempt, 0, ""
                continue
            self.attempt, self.complete = chunk.attempt, chunk.complete
            moved = chunk.next_offset > self.offset
            self.offset = chunk.next_offset
            if chunk.text:
                yield chunk
            if not moved:
                return


def print_logs(session: Session, run_id: str, *, work_id: str | None, follow: bool) -> None:
    """Print one shard's log as it is, or all of them with the shard's name before each line."""
    logs: dict[str, WorkLog] = {}
    pace = Pace(near=is_loopback(session.endpoint))
    while True:
        run = session.client.get_run(run_id, detail=True)
        names = [work_id] if work_id else [work.work_id for work in run.work or ()]
        for name in names:
            logs.setdefault(name, WorkLog(name))
        finished = run.state is RunState.FINISHED
        printed = 0
        for log in logs.values():
            printed += _print_new(
                session, run_id, log, prefix=not work_id, must_exist=bool(work_id) and finished
            )
        if not follow or finished:
            _print_rests(session, logs)
            if not logs:
                session.note("nothing was started yet, so there is no log")
            return
        session.surroundings.sleep(pace.next(changed=printed > 0))


def tail(session: Session, run_id: str, *, work_id: str, lines: int) -> list[str]:
    """The last lines of one shard's log."""
    text = "".join(chunk.text for chunk in WorkLog(work_id).read(session.client, run_id))
    return text.splitlines()[-lines:]


def work_id_of(shard: str) -> str:
    """`3` and `shard-3` mean shard-00003; a preparation is named whole. Raises CliError."""
    kind, _, number = shard.rpartition("-")
    if not number.isdigit() or kind not in ("", "shard", "prepare"):
        raise CliError(f"{shard!r} names no shard", hint="Such as 3, shard-00003 or prepare-00000.")
    return f"{kind or 'shard'}-{int(number):05d}"


def _print_new(session: Session, run_id: str, log: WorkLog, *, prefix: bool, must_exist: bool) -> int:
    printed = 0
    try:
        for chunk in log.read(session.client, run_id):
            printed += len(chunk.text)
            if session.as_json:
                session.emit_line(chunk)
            elif prefix:
                _print_lines(session, log, chunk.text)
            else:
                session.write(chunk.text)
    except ApiError as error:
        if error.problem.status != httpx.codes.NOT_FOUND or must_exist:
            raise
    return printed


def _print_lines(session: Session, log: WorkLog, text: str) -> None:
    *whole, log.rest = (log.rest + text).split("\n")
    for line in whole:
        session.write(f"{log.work_id} | {line}\n")


def _print_rests(session: Session, logs: dict[str, WorkLog]) -> None:
    for log in logs.values():
        if log.rest:
            session.write(f"{log.work_id} | {log.rest}\n")
            log.rest = ""
