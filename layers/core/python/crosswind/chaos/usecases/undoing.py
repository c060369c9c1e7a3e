"""UndoFaults: stop what may be in, in the reverse order, and believe only the provider that it is gone."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.chaos.engine import undoing
from crosswind.chaos.engine.undoing import GONE
from crosswind.chaos.model import Injection
from crosswind.chaos.ports import ExperimentRunStore
from crosswind.chaos.providing import FaultStatus, Provider, Providers
from crosswind.chaos.usecases.recording import Tell
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import WriteConflictError

_LONGEST_PAUSE = 5.0
_FIRST_PAUSE = 0.25
_DETAIL_CHARACTERS = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UndoFaults:
    """Undo a step's faults, or all of a run. Idempotent, and safe beside an engine that still injects.

    What was never asked for is closed by compare-and-set, so that nobody can inject it any more. What was asked for and
    never answered is stopped at once, and counts as gone only when it was stopped after the last moment at which the
    provider could still have begun it.
    """

    runs: ExperimentRunStore
    providers: Providers
    tell: Tell
    clock: Clock
    pause: Callable[[float], None]

    def __call__(self, run_id: str, *, within: timedelta, step: int | None = None) -> tuple[Injection, ...]:
        """What could not be proven gone within the time, as it is stored. One fault's trouble keeps no other waiting.

        Raises RetryableError where the run's own records cannot be read.
        """
        until = self.clock.now() + within
        pause = _FIRST_PAUSE
        while True:
            for injection in undoing.left(self.runs.injections(run_id), step=step):
                self._undo(injection)
            rest = undoing.left(self.runs.injections(run_id), step=step)
            if not rest or self.clock.now() >= until:
                return rest
            self.pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _undo(self, injection: Injection) -> None:
        try:
            changed = (
                self._closed(injection) if injection.state is FaultState.PLANNED else self._stopped(injection)
            )
            if changed is None:
                return
            stored = self.runs.save_injection(changed)
        except WriteConflictError:
            return  # the next round reads what the other one wrote
        except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one injection's own
            _log.exception("%s could not be undone", injection.marker)
            return
        if stored.state in GONE and injection.state is not FaultState.PLANNED:
            self.tell.note(
                injection.run_id,
                f"{injection.fault} of step {injection.step} is gone: {stored.detail or 'the provider says so'}",
                kind=TimelineKind.FAULT,
                fault=injection.fault,
            )

    def _closed(self, injection: Injection) -> Injection:
        return replace(
            injection, state=FaultState.REFUSED, detail="never injected: the run ended before its turn"
        )

    def _stopped(self, injection: Injection) -> Injection | None:
        """The injection with what its provider says; None where nothing new is to be kept."""
        began = self.clock.now()
        said = self._ask(injection)
        if said.state in GONE:
            if undoing.may_still_land(injection, now=began):
                return None
            return self._with(injection, said, removed_at=self.clock.now())
        if undoing.may_still_land(injection, now=began):
            return None
        state = FaultState.ACTIVE if said.state is FaultState.ACTIVE else FaultState.UNKNOWN
        if (injection.state, injection.detail) == (state, said.detail[:_DETAIL_CHARACTERS] or None):
            return None
        return self._with(injection, replace(said, state=state), removed_at=None)

    def _ask(self, injection: Injection) -> FaultStatus:
        try:
            provider = self.providers.get(injection.provider)
            self._stop(provider, injection)
            return provider.verify_removed(injection)
        except Exception as error:  # noqa: BLE001  # whatever it was: nothing is known of the fault
            _log.warning("%s could not be verified", injection.marker, exc_info=True)
            return FaultStatus(FaultState.UNKNOWN, detail=f"{type(error).__name__}: {error}")

    def _stop(self, provider: Provider, injection: Injection) -> None:
        """A stop that failed may have worked: what counts is what the provider says afterwards."""
        try:
            provider.stop(injection)
        except Exception:  # noqa: BLE001  # as above
            _log.warning("%s could not be stopped", injection.marker, exc_info=True)

    def _with(self, injection: Injection, said: FaultStatus, *, removed_at: datetime | None) -> Injection:
        return replace(
            injection,
            state=said.state,
            detail=said.detail[:_DETAIL_CHARACTERS] or None,
            removed_at=removed_at,
            handle=said.handle or injection.handle,
        )
