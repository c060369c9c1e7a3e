"""The halt switch: stop everything, let nothing start, until an admin releases it.

The switch is stored before anything is stopped, so it survives whatever happens next: every start and every gate
decision reads it, and the watch of each run that goes on finds it where this call did not reach.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast, get_args

from crosswind.chaos.model import ExperimentRun, Halt
from crosswind.chaos.ports import FactStore, SafetyLever
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.gate import HaltRequest, HaltView, ReleaseRequest
from crosswind.contracts.chaos.lifecycle import AbortCause
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.concurrently import side_by_side
from crosswind.kernel.errors import ConflictError

SECONDS = 20.0  # the gateway waits for 29
AT_ONCE = 16

Lever = Literal["not-asked", "engaged", "disengaged", "failed", "unavailable"]

_PERHAPS_ENGAGED = frozenset(
    {"engaged", "failed", "unavailable"}
)  # no answer does not mean that nothing was done
_PASSING = {"engaging": "engaged", "disengaging": "disengaged"}

_log = logging.getLogger(__name__)


class Unfinished(Protocol):
    """What the halt needs of the store of runs."""

    def unfinished(self) -> Iterator[ExperimentRun]:
        """Every run that goes on."""
        ...


class AbortOne(Protocol):
    """Aborts one run; safe to repeat, no error where it is over."""

    def __call__(self, run: ExperimentRun, *, cause: AbortCause, reason: str, by: str) -> object: ...


@dataclass(frozen=True)
class HaltChaos:
    """Turn the switch on, engage the safety lever where that is asked, and abort every run that goes on."""

    facts: FactStore
    runs: Unfinished
    abort: AbortOne
    lever: SafetyLever | None
    guard: Guard
    clock: Clock
    seconds: float = SECONDS

    def __call__(self, request: HaltRequest, *, actor: Actor) -> HaltView:
        """The switch as it is now, with the runs that were told to stop. Raises ForbiddenError."""
        self.guard.require_anywhere(actor, Action.HALT_CHAOS)
        earlier = self.facts.halt()
        halt = Halt(
            reason=request.reason,
            by=actor.subject,
            at=self.clock.now(),
            safety_lever=earlier.safety_lever if earlier else "not-asked",
        )
        self.facts.set_halt(halt)
        if request.safety_lever:
            # Before it is pulled, so that a call that dies in between leaves the word that it may be engaged.
            self.facts.set_halt(replace(halt, safety_lever="failed"))
            halt = replace(halt, safety_lever=_engage(self.lever, request.reason))
            self.facts.set_halt(halt)
        return _view(halt, stopping=self._stop(halt))

    def _stop(self, halt: Halt) -> tuple[str, ...]:
        unfinished = tuple(self.runs.unfinished())
        told: list[str] = []
        ends = self.clock.now().timestamp() + self.seconds
        for start in range(0, len(unfinished), AT_ONCE):
            some = unfinished[start : start + AT_ONCE]
            left = max(0.0, ends - self.clock.now().timestamp())
            answers = side_by_side([_Stop(self.abort, each, halt) for each in some], seconds=left)
            for run, answer in zip(some, answers, strict=True):
                if isinstance(answer, Exception):
                    _log.warning("%s was not told to stop; its watch will: %s", run.run_id, answer)
                else:
                    told.append(run.run_id)
        return tuple(told)


@dataclass(frozen=True)
class _Stop:
    abort: AbortOne
    run: ExperimentRun
    halt: Halt

    def __call__(self) -> object:
        reason = f"everything is halted: {self.halt.reason}"
        return self.abort(self.run, cause=AbortCause.HALT, reason=reason, by=self.halt.by)


@dataclass(frozen=True)
class ReleaseChaos:
    """Turn the switch off, and the safety lever that it engaged."""

    facts: FactStore
    lever: SafetyLever | None
    guard: Guard

    def __call__(self, request: ReleaseRequest, *, actor: Actor) -> HaltView:
        """The switch as it is now; no error where it was off.

        Raises ForbiddenError, and ConflictError where the lever could not be disengaged: then all stays halted.
        """
        self.guard.require_anywhere(actor, Action.RELEASE_CHAOS)
        halt = self.facts.halt()
        lever = "not-asked"
        if halt is not None and halt.safety_lever in _PERHAPS_ENGAGED:
            lever = _known(self.lever.disengage(request.reason)) if self.lever else "unavailable"
            if self.lever is not None and lever != "disengaged":
                raise ConflictError(
                    "the FIS safety lever could not be disengaged, so everything stays halted: try again"
                )
        self.facts.clear_halt()
        _log.info("chaos released by %s: %s", actor.subject, request.reason)
        return HaltView(halted=False, safety_lever=_literal(lever))


@dataclass(frozen=True)
class ReadHalt:
    """Read the switch."""

    facts: FactStore
    guard: Guard

    def __call__(self, *, actor: Actor) -> HaltView:
        """Raises ForbiddenError."""
        self.guard.require_anywhere(actor, Action.READ_EXPERIMENTS)
        halt = self.facts.halt()
        return HaltView(halted=False) if halt is None else _view(halt, stopping=())


def _engage(lever: SafetyLever | None, reason: str) -> str:
    """What became of it. Whatever goes wrong here keeps no run from being stopped."""
    if lever is None:
        return "unavailable"
    try:
        return _known(lever.engage(reason))
    except Exception:  # noqa: BLE001  # as above
        _log.exception("the safety lever could not be engaged")
        return "failed"


def _known(state: str) -> str:
    """A lever's state as the view tells it; what is none of them is a failure."""
    named = _PASSING.get(state, state)
    return named if named in get_args(Lever) else "failed"


def _literal(state: str) -> Lever:
    return cast("Lever", _known(state))


def _view(halt: Halt, *, stopping: Iterable[str]) -> HaltView:
    return HaltView(
        halted=True,
        reason=halt.reason,
        by=halt.by,
        at=to_iso(halt.at),
        safety_lever=_literal(halt.safety_lever),
        stopping=tuple(stopping),
    )
