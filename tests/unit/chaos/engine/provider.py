"""A provider that fails in every way in which one can: it tells what is really there, and lies only by silence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from crosswind.chaos.model import Injection, Target
from crosswind.chaos.providing import Capabilities, FaultRequest, FaultStatus, Preview
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.errors import DependencyError, InvalidInputError, ThrottledError
from tests.fakes import SettableClock


class Mood(StrEnum):
    """How the next call of one kind goes."""

    WELL = "well"
    THROTTLED = "throttled"  # nothing done, nothing known
    LOST = "lost"  # done, and the answer lost
    LATE = "late"  # no answer, and done some seconds later
    REFUSED = "refused"  # not done, and told so for good
    BROKEN = "broken"  # raises what no provider should


LATE_BY = timedelta(seconds=20)  # within the limit that providers promise for a call


@dataclass
class MoodyProvider:
    """Faults by marker. Moods are taken one after the other; when there are none all goes well, unless it is down."""

    clock: SettableClock
    moods: dict[str, list[Mood]] = field(default_factory=dict)
    down: bool = False
    there: set[str] = field(default_factory=set)
    late: list[tuple[datetime, str]] = field(default_factory=list)
    ever: set[str] = field(default_factory=set)
    targets: int = 1
    problem: str | None = None
    stopped_by: str | None = None
    own_time_limit: bool = False
    meanwhile: Callable[[], object] = lambda: None
    """What happens between the fault's coming into being and the provider's answer."""

    def capabilities(self) -> Capabilities:
        return Capabilities(ProviderName.TOXIPROXY, (), own_time_limit=self.own_time_limit)

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        return ()

    def preview(self, request: FaultRequest) -> Preview:
        self._mood("preview")
        targets = tuple(
            Target(ProviderName.TOXIPROXY, "proxy", f"{request.fault}-{number}", request.fault)
            for number in range(self.targets)
        )
        return Preview(
            candidates=self.targets,
            targets=targets,
            compensation={"undo": request.fault},
            problems=(self.problem,) if self.problem else (),
        )

    def inject(self, injection: Injection) -> FaultStatus:
        self.land()
        self._mood("inject", on_done=injection.marker)
        self._put(injection.marker)
        self.meanwhile()
        return FaultStatus(FaultState.ACTIVE, handle={"marker": injection.marker})

    def status(self, injection: Injection) -> FaultStatus:
        self.land()
        self._mood("status")
        there = injection.marker in self.there
        return FaultStatus(FaultState.ACTIVE if there else FaultState.REMOVED, stopped_by=self.stopped_by)

    def stop(self, injection: Injection) -> None:
        self.land()
        self._mood("stop", on_undone=injection.marker)
        self.there.discard(injection.marker)

    def verify_removed(self, injection: Injection) -> FaultStatus:
        self.land()
        self._mood("verify")
        return FaultStatus(FaultState.ACTIVE if injection.marker in self.there else FaultState.REMOVED)

    def land(self) -> None:
        """What was late comes into being when its time has come."""
        now = self.clock.now()
        for at, marker in [each for each in self.late if each[0] <= now]:
            self.late.remove((at, marker))
            self._put(marker)

    def _put(self, marker: str) -> None:
        self.there.add(marker)
        self.ever.add(marker)

    def _mood(self, call: str, *, on_done: str | None = None, on_undone: str | None = None) -> None:
        if self.down:
            raise DependencyError("the provider does not answer")
        waiting = self.moods.get(call, [])
        mood = waiting.pop(0) if waiting else Mood.WELL
        if mood is Mood.LOST and on_done:
            self._put(on_done)
        if mood is Mood.LOST and on_undone:
            self.there.discard(on_undone)
        if mood is Mood.LATE and on_done:
            self.late.append((self.clock.now() + LATE_BY, on_done))
        match mood:
            case Mood.WELL:
                return
            case Mood.THROTTLED:
                raise ThrottledError("slow down")
            case Mood.REFUSED:
                raise InvalidInputError("the provider refuses")
            case Mood.BROKEN:
                raise RuntimeError("a bug of the adapter")
            case _:
                raise DependencyError("no answer")


@dataclass
class OneProvider:
    """Providers with one that answers to every name."""

    provider: MoodyProvider

    def get(self, name: ProviderName) -> MoodyProvider:
        return self.provider

    def available(self) -> tuple[ProviderName, ...]:
        return (ProviderName.TOXIPROXY,)
