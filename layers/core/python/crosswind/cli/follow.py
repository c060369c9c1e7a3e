"""Follow a run until it has finished: poll, show what is new, bear a connection that comes and goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Group
from rich.live import Live
from rich.text import Text

from crosswind.cli import render
from crosswind.cli.client import ApiClient
from crosswind.cli.config import is_loopback
from crosswind.cli.errors import ApiError, ConnectionFailedError, passes
from crosswind.cli.feed import Feed
from crosswind.cli.news import News, Told
from crosswind.cli.session import Session
from crosswind.contracts.live import EventType, LiveEvent
from crosswind.contracts.requests import CaseView, RunState, RunView

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 5.0
OUTAGE_SECONDS = 120.0
_SHARDS_SHOWN = 12
_WIDEST = 60
_CASES_PER_POLL = 50


@dataclass
class Seen:
    """Failures that were shown: as results by their identity, as events by shard and name."""

    cases: set[str] = field(default_factory=set)
    places: set[tuple[str, str]] = field(default_factory=set)


class Observer(Protocol):
    """Shows a run while it goes on."""

    def show(self, run: RunView, news: Sequence[CaseView]) -> None:
        """The run as it is now, and the failures that are new since the last call."""
        ...

    def happened(self, work_id: str, event: LiveEvent) -> None:
        """A test or a step of a shard began or ended."""
        ...

    def tell(self, line: str) -> None:
        """Something beside the run, such as a lost connection."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class PlainObserver:
    """One line on stderr for each change: for logs, pipes and CI. Tests that begin and end only where `tests` asks for it."""

    def __init__(self, session: Session, *, tests: bool = False) -> None:
        self._session = session
        self._tests = tests
        self._started = session.surroundings.monotonic()
        self._last = ""

    def show(self, run: RunView, news: Sequence[CaseView]) -> None:
        line = render.progress(run)
        if line != self._last and run.state is not RunState.FINISHED:
            self.tell(line)
            self._last = line
        for case in news:
            self.tell(render.failure_line(case).plain)

    def happened(self, work_id: str, event: LiveEvent) -> None:
        if self._tests or _is_failure(event):
            self.tell(event_line(work_id, event).plain)

    def tell(self, line: str) -> None:
        seconds = self._session.surroundings.monotonic() - self._started
        self._session.note(f"[{seconds:4.0f} s] {line}")

    def close(self) -> None:
        return None


class LiveObserver:
    """A terminal's view: failures scroll by, the state stays below them."""

    def __init__(self, session: Session, *, tests: bool = False) -> None:
        self._session = session
        self._tests = tests
        self._now: dict[str, LiveEvent] = {}  # what each shard is at
        self._shown: RunView | None = None
        self._started = session.surroundings.monotonic()
        self._live = Live(console=session.err, transient=True, auto_refresh=False)
        self._live.start()

    def show(self, run: RunView, news: Sequence[CaseView]) -> None:
        for case in news:
            self._session.note(render.failure_line(case))
        self._shown = run
        self._draw(run)

    def happened(self, work_id: str, event: LiveEvent) -> None:
        if self._tests or _is_failure(event):
            self._session.note(event_line(work_id, event))
        self._now[work_id] = event
        if self._shown is not None:
            self._draw(self._shown)

    def _draw(self, run: RunView) -> None:
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
            (
                work.work_id,
                work.test,
                str(work.tests_done),
                str(work.tests_failed),
                f"attempt {work.attempt}",
                self._doing(work.work_id),
            )
            for work in busy[:_SHARDS_SHOWN]
        ]
        lines = render.columns(("shard", "test", "done", "failed", "", "now"), rows) if rows else []
        if len(busy) > _SHARDS_SHOWN:
            lines.append(Text(f"and {len(busy) - _SHARDS_SHOWN} more"))
        return lines

    def _doing(self, work_id: str) -> str:
        event = self._now.get(work_id)
        if event is None:
            return ""
        if event.type is EventType.START:
            return render.clean(f"{event.step}: {event.test}")[:_WIDEST]
        return event.step


class Pace:
    """How long to wait before asking again: short while things change, longer while they do not or are far away."""

    def __init__(self, *, near: bool) -> None:
        self._shortest = SHORTEST_PAUSE if near else 2 * SHORTEST_PAUSE
        self._pause = self._shortest

    def next(self, *, changed: bool) -> float:
        """Seconds to wait."""
        self._pause = self._shortest if changed else min(self._pause * 1.2, LONGEST_PAUSE)
        return self._pause


def event_line(work_id: str, event: LiveEvent) -> Text:
    """An event in one line."""
    if event.type in {EventType.STEP, EventType.CUT}:
        said = f"begins {event.step}" if event.type is EventType.STEP else "tells no more of its tests"
        return Text(f"{work_id} {said}")
    place = f"{render.clean(event.test or '')} ({work_id}, {event.step})"
    if event.type is EventType.START:
        return Text(f"started  {place}")
    message = f": {render.first_line(event.message)}" if event.message else ""
    return Text.assemble(render.coloured(event.outcome or "ended"), f"  {place}{message}")


def _is_failure(event: LiveEvent) -> bool:
    return event.type is EventType.FINISH and event.outcome in render.BAD


def follow(session: Session, run_id: str, *, tests: bool = False) -> RunView:
    """Show a run until it has finished. Raises ConnectionFailedError or ApiError: at once for a refusal, otherwise after a long outage."""
    shown = LiveObserver if session.err.is_terminal else PlainObserver
    observer: Observer = shown(session, tests=tests)
    feed = Feed(session, run_id)
    try:
        return _follow(session, run_id, observer, feed)
    finally:
        feed.close()
        observer.close()


def _follow(session: Session, run_id: str, observer: Observer, feed: Feed) -> RunView:
    news = News(session, run_id)
    pace = Pace(near=is_loopback(session.endpoint))
    seen = Seen()
    last: RunView | None = None
    clock = session.surroundings.monotonic
    answered = clock()
    while True:
        run = last
        try:
            run = session.client.get_run(run_id, detail=True)
            if run.state is not RunState.FINISHED:
                _tell(news.catch_up(_busy(run), live=feed.live), observer, seen)
            observer.show(run, _new_failures(session.client, run, seen))
            answered = clock()
        except (ConnectionFailedError, ApiError) as error:
            if not passes(error) or clock() - answered > OUTAGE_SECONDS:
                raise
            observer.tell(f"{error}; trying again")
        if run is not None and run.state is RunState.FINISHED:
            return run
        _wait(feed, news, observer, seen, seconds=pace.next(changed=run != last))
        last = run


def _wait(feed: Feed, news: News, observer: Observer, seen: Seen, *, seconds: float) -> None:
    """Wait, and show what comes meanwhile."""
    clock = feed.session.surroundings.monotonic
    until = clock() + seconds
    left = seconds
    while left > 0:
        for message in feed.wait(left):
            _tell(news.offer(message), observer, seen)
        if feed.reconnected:
            feed.reconnected = False
            news.doubt()
        left = until - clock() if feed.live else 0


def _tell(told: Iterable[Told], observer: Observer, seen: Seen) -> None:
    """Show events, and remember which failures were shown: the results bring them again."""
    for work_id, event in told:
        if _is_failure(event):
            seen.places.add((work_id, event.test or ""))
        observer.happened(work_id, event)


def _busy(run: RunView) -> list[str]:
    return [work.work_id for work in run.work or () if work.state == "leased"]


def _new_failures(client: ApiClient, run: RunView, seen: Seen) -> list[CaseView]:
    counted = run.tests.failed + run.tests.error
    if counted <= len(seen.cases):
        return []
    page = client.results(run.execution_id, {"limit": _CASES_PER_POLL})
    fresh = [case for case in page.items if case.status in render.BAD and case.id not in seen.cases]
    seen.cases.update(case.id for case in fresh)
    return [case for case in fresh if (case.work_id, case.name) not in seen.places]
