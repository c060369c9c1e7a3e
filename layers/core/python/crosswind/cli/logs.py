"""Read the logs of a run's shards by offset, once or until the run has finished."""

from dataclasses import dataclass, field

import httpx

from crosswind.cli.config import is_loopback
from crosswind.cli.errors import ApiError, CliError
from crosswind.cli.feed import Feed
from crosswind.cli.follow import Pace
from crosswind.cli.session import Session
from crosswind.cli.streams import Follower
from crosswind.contracts.live import Piece, Skipped, Stream
from crosswind.contracts.requests import LogChunk, RunState

RUN_SECONDS = 5.0
"""Between looks at the run while its news comes by itself."""

CHECK_SECONDS = 30.0
"""Between looks at each log then: the last piece before a silence may have been lost."""

_MOST_READ = 10  # logs at a time, while pieces of others come
_FILL_SECONDS = 0.5  # between reads of a log whose gap the store cannot fill yet


@dataclass
class _Logs:
    """The logs that are printed."""

    session: Session
    run_id: str
    work_id: str | None
    logs: dict[str, Follower] = field(default_factory=dict)
    _read_at: dict[str, float] = field(default_factory=dict)

    def log(self, name: str) -> Follower:
        """One log, known from now on."""
        return self.logs.setdefault(name, Follower(name))

    def look(self) -> bool:
        """See which logs there are; whether the run has finished."""
        run = self.session.client.get_run(self.run_id, detail=True)
        for name in [self.work_id] if self.work_id else [work.work_id for work in run.work or ()]:
            self.log(name)
        return run.state is RunState.FINISHED

    def offer(self, message: Piece | Skipped) -> None:
        """Print what a message adds."""
        if message.stream is Stream.LOG and self.work_id in {None, message.work_id}:
            log = self.log(message.work_id)
            for chunk in log.offer(message):
                self.show(chunk, log)

    def doubt(self) -> None:
        """Something may have been missed of any log."""
        for log in self.logs.values():
            log.stale = True

    def catch_up(self, *, everything: bool, finished: bool) -> int:
        """Read what pieces do not bring; how much was printed."""
        must_exist = bool(self.work_id) and finished
        now = self.session.surroundings.monotonic()
        due = [name for name in self.logs if everything or self._is_due(name, now)]
        printed = 0
        for name in due if everything else due[:_MOST_READ]:
            printed += self._read(self.logs[name], must_exist=must_exist)
            self._read_at[name] = now
        return printed

    def _is_due(self, name: str, now: float) -> bool:
        """Whether a log that gets pieces has to be read all the same."""
        log, waited = self.logs[name], now - self._read_at.get(name, float("-inf"))
        return ((log.behind or log.stale) and waited >= _FILL_SECONDS) or waited >= CHECK_SECONDS

    def show(self, chunk: LogChunk, log: Follower) -> int:
        """Print a chunk; how long it is."""
        if self.session.as_json:
            self.session.emit_line(chunk)
        elif self.work_id:
            self.session.write(chunk.text)
        else:
            *whole, log.rest = (log.rest + chunk.text).split("\n")
            for line in whole:
                self.session.write(f"{log.work_id} | {line}\n")
        return len(chunk.text)

    def show_rests(self) -> None:
        """Lines that no newline has ended."""
        for log in self.logs.values():
            if log.rest and not self.session.as_json:
                self.session.write(f"{log.work_id} | {log.rest}\n")
                log.rest = ""

    def _read(self, log: Follower, *, must_exist: bool) -> int:
        try:
            return sum(self.show(chunk, log) for chunk in log.read(self.session.client, self.run_id))
        except ApiError as error:
            if error.problem.status != httpx.codes.NOT_FOUND or must_exist:
                raise
        return 0


def print_logs(session: Session, run_id: str, *, work_id: str | None, follow: bool) -> None:
    """Print one shard's log as it is, or all of them with the shard's name before each line."""
    logs = _Logs(session, run_id, work_id)
    if follow:
        feed = Feed(session, run_id, work_id=work_id, log=True)
        try:
            feed.begin()
            _follow_logs(logs, feed)
        finally:
            feed.close()
    else:
        logs.catch_up(everything=True, finished=logs.look())
    logs.show_rests()
    if not logs.logs:
        session.note("nothing was started yet, so there is no log")


def _follow_logs(logs: _Logs, feed: Feed) -> None:
    session = logs.session
    pace = Pace(near=is_loopback(session.endpoint))
    looked_at = float("-inf")
    finished = False
    while not finished:
        if not feed.live or session.surroundings.monotonic() - looked_at >= RUN_SECONDS:
            looked_at, finished = session.surroundings.monotonic(), logs.look()
        printed = logs.catch_up(everything=finished or not feed.live, finished=finished)
        if not finished:
            pause = _FILL_SECONDS if feed.live else pace.next(changed=printed > 0)
            for message in feed.wait(pause):
                logs.offer(message)
            if feed.reconnected:
                feed.reconnected = False
                logs.doubt()


def tail(session: Session, run_id: str, *, work_id: str, lines: int) -> list[str]:
    """The last lines of one shard's log."""
    text = "".join(chunk.text for chunk in Follower(work_id).read(session.client, run_id))
    return text.splitlines()[-lines:]


def work_id_of(shard: str) -> str:
    """`3` and `shard-3` mean shard-00003; a preparation is named whole. Raises CliError."""
    kind, _, number = shard.rpartition("-")
    if not number.isdigit() or kind not in ("", "shard", "prepare"):
        raise CliError(f"{shard!r} names no shard", hint="Such as 3, shard-00003 or prepare-00000.")
    return f"{kind or 'shard'}-{int(number):05d}"
