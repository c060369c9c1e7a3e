"""Follow a run until it has finished: poll, show what is new, bear a connection that comes and goes."""

from collections.abc import Sequence
from typing import Protocol

import httpx
from rich.console import Group
from rich.live import Live
from rich.text import Text

from crosswind.cli import render
from crosswind.cli.client import ApiClient
from crosswind.cli.config import is_loopback
from crosswind.cli.errors import ApiError, ConnectionFailedError
from crosswind.cli.session import Session
from crosswind.contracts.requests import CaseView, RunState, RunView

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 5.0
OUTAGE_SECONDS = 120.0
_SHARDS_SHOWN = 12
_CASES_PER_POLL = 50


class Observer(Protocol):
    """Shows a run while it goes on."""

    def show(self, run: RunView, news: Sequence[CaseView]) -> None:
        """The run as it is now, and the failures that are new since the last call."""
        ...

    def tell(self, line: str) -> None:
        """Something beside the run, such as a lost connection."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class PlainObserver:
    """One line on stderr for each change: for logs, pipes and CI."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._started = session.surroundings.monotonic()
        self._last = ""

    def show(self, run: RunView, news: Sequence[CaseView]) -> None:
        line = render.progress(run)
        if line != self._last and run.state is not RunState.FINISHED:
            self.tell(line)
            self._last = line
        for case in news:
            self.tell(render.failure_line(case).plain)

    def tell(self, line: str) -> None:
        seconds = self._session.surroundings.monotonic() - self._started
        self._session.note(f"[{seconds:4.0f} s] {line}")

    def close(self) -> None:
        return None


class LiveObserver:
    """A terminal's view: failures scroll by, the state stays below them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._started = session.surroundings.monotonic()
        self._live = Live(console=session.err, transient=True, auto_refresh=False)
        self._live.start()

    def show(self, run: RunView, news: Sequence[CaseView]) -> None:
        for case in news:
            self._session.note(render.failure_line(case))
        seconds = self._session.surroundings.monotonic() - self._started
        head = Text.assemble(render.headline(run), f"  {render.duration(seconds)}")
        self._live.update(Group(head, Text(render.progress(run)), *self._shards(run)), refresh=True)

    def tell(self, line: str) -> None:
        self._session.note(line)

    def close(self) -> None:
        self._live.stop()

    def _shards(self, run: RunView) -> list[Text]:
        busy = [work for work in run.work or () if work.state == "leased"]
        rows = [
            (work.work_id, work.test, str(work.tests_done), str(work.tests_failed), f"attempt {work.attempt}")
            for work in busy[:_SHARDS_SHOWN]
        ]
        lines = render.columns(("shard", "test", "done", "failed", ""), rows) if rows else []
        if len(busy) > _SHARDS_SHOWN:
            lines.append(Text(f"and {len(busy) - _SHARDS_SHOWN} more"))
        return lines


class Pace:
    """How long to wait before asking again: short while things change, longer while they do not or are far away."""

    def __init__(self, *, near: bool) -> None:
        self._shortest = SHORTEST_PAUSE if near else 2 * SHORTEST_PAUSE
        self._pause = self._shortest

    def next(self, *, changed: bool) -> float:
        """Seconds to wait."""
        self._pause = self._shortest if changed else min(self._pause * 1.2, LONGEST_PAUSE)
        return self._pause


def follow(session: Session, run_id: str) -> RunView:
    """Show a run until it has finished. Raises ConnectionFailedError or ApiError: at once for a refusal, otherwise after a long outage."""
    observer: Observer = LiveObserver(session) if session.err.is_terminal else PlainObserver(session)
    try:
        return _follow(session, run_id, observer)
    finally:
        observer.close()


def _follow(session: Session, run_id: str, observer: Observer) -> RunView:
    pace = Pace(near=is_loopback(session.endpoint))
    seen: set[str] = set()
    last: RunView | None = None
    clock = session.surroundings.monotonic
    answered = clock()
    while True:
        run = last
        try:
            run = session.client.get_run(run_id, detail=True)
            observer.show(run, _new_failures(session.client, run, seen))
            answered = clock()
        except (ConnectionFailedError, ApiError) as error:
            if not passes(error) or clock() - answered > OUTAGE_SECONDS:
                raise
            observer.tell(f"{error}; trying again")
        if run is not None and run.state is RunState.FINISHED:
            return run
        session.surroundings.sleep(pace.next(changed=run != last))
        last = run


def passes(error: ConnectionFailedError | ApiError) -> bool:
    """Whether waiting may help: an endpoint that is away or struggling, not one that refuses."""
    if isinstance(error, ConnectionFailedError):
        return True
    return error.problem.status >= httpx.codes.INTERNAL_SERVER_ERROR or (
        error.problem.status == httpx.codes.TOO_MANY_REQUESTS
    )


def _new_failures(client: ApiClient, run: RunView, seen: set[str]) -> list[CaseView]:
    counted = run.tests.failed + run.tests.error
    if counted <= len(seen):
        return []
    page = client.results(run.execution_id, {"limit": _CASES_PER_POLL})
    news = [case for case in page.items if case.status in render.BAD and case.id not in seen]
    seen.update(case.id for case in news)
    return news
