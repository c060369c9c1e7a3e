"""Runs as the API shows them, read for all objects together: a bounded number of calls a round, however many runs there are.

Each object asks for its own run once a second, which costs no call. Up to READS runs are read each round; where there
are more, those whose state has moved (a page of a team's newest runs tells) go first, then those that were read longest ago.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from crosswind.contracts.requests import RunState, RunSummary, RunView
from crosswind.controller.api import Api, RefusedError, UnreachableError

ROUND_SECONDS = 2.0
READS = 20
AT_ONCE = 5
PAGE = 200
FORGOTTEN_AFTER = 15.0
LONGEST_PAUSE = 30.0
_NOT_FOUND = 404
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Followed:
    """One run that an object asks for."""

    team: str
    asked_at: float
    read_at: float = 0.0
    view: RunView | None = None
    hidden: bool = False
    """The API answers that there is no such run."""


def choose(
    followed: Mapping[str, Followed], states: Mapping[str, RunState], *, most: int = READS
) -> Collection[str]:
    """Which runs to read in this round: none that is known to have ended. Pure."""

    def urgency(run_id: str) -> tuple[bool, float]:
        held = followed[run_id]
        told = states.get(run_id)
        moved = told is not None and held.view is not None and told is not held.view.state
        return not moved, held.read_at

    unfinished = (run_id for run_id, held in followed.items() if not _has_ended(held))
    return sorted(unfinished, key=urgency)[:most]


def _has_ended(held: Followed) -> bool:
    return held.view is not None and held.view.state is RunState.FINISHED


class RunViews:
    """What is known of unfinished runs."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._followed: dict[str, Followed] = {}

    def latest(self, run_id: str, *, team: str) -> Followed:
        """What was read of a run last; asking keeps it being read."""
        held = self._followed.setdefault(run_id, Followed(team, self._clock()))
        held.asked_at = self._clock()
        return held

    async def keep_reading(self) -> None:
        """Read round after round, until cancelled. While the API is away, rounds become rarer."""
        pause = ROUND_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self.read_round()
                pause = ROUND_SECONDS
            except (UnreachableError, RefusedError) as error:
                pause = min(LONGEST_PAUSE, pause * 2)
                _log.warning("runs cannot be read, next in %.0f s: %s", pause, error)

    async def read_round(self) -> None:
        """Raises UnreachableError and RefusedError, after what could be read was read."""
        now = self._clock()
        for run_id in [key for key, each in self._followed.items() if now - each.asked_at > FORGOTTEN_AFTER]:
            del self._followed[run_id]
        states = await self._states() if len(self._followed) > READS else {}
        gate = asyncio.Semaphore(AT_ONCE)
        reads = [self._read(run_id, gate) for run_id in choose(self._followed, states)]
        faults = [each for each in await asyncio.gather(*reads, return_exceptions=True) if each is not None]
        for fault in faults:
            raise fault

    async def _states(self) -> dict[str, RunState]:
        found: dict[str, RunState] = {}
        for team in sorted({each.team for each in self._followed.values()} - {""}):
            page: tuple[RunSummary, ...] = (await self._api.newest_runs(team, limit=PAGE)).items
            found |= {each.execution_id: each.state for each in page}
        return found

    async def _read(self, run_id: str, gate: asyncio.Semaphore) -> None:
        held = self._followed[run_id]
        async with gate:
            try:
                held.view, held.hidden = await self._api.run(run_id), False
            except RefusedError as error:
                if error.problem.status != _NOT_FOUND:
                    raise
                held.hidden = True
            held.read_at = self._clock()
