"""State x fault: a run in each state, struck by each fault at each place in that state; then the provider itself is asked.

`python -m tests.unit.chaos.engine.matrix > docs/chaos-matrix.md` writes the document; test_matrix holds both to each other.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from crosswind.chaos.engine.undoing import GONE
from crosswind.chaos.model import Halt
from crosswind.chaos.usecases.halting import HaltChaos
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.gate import HaltRequest
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, RunState
from crosswind.contracts.permissions import Guard
from crosswind.kernel.errors import DependencyError
from crosswind.platform.access import decide
from tests.unit.chaos.engine.life import (
    BREACHED,
    DOWN,
    ENGINE,
    OWN_LIMIT,
    POSTPONED,
    PROVIDER,
    REAPER,
    SMOOTH,
    Blow,
    Life,
    Road,
)
from tests.unit.chaos.engine.machine import Killed
from tests.unit.chaos.engine.provider import Mood
from tests.unit.chaos.engine.stand_ins import RUN_ID

ROADS: Mapping[RunState, Road] = {
    RunState.SCHEDULED: SMOOTH,
    RunState.PREFLIGHT_CHECK: SMOOTH,
    RunState.BLOCKED: POSTPONED,
    RunState.RUNNING: SMOOTH,
    RunState.MONITORING: SMOOTH,
    RunState.COMPLETED: SMOOTH,
    RunState.ABORTED: BREACHED,
    RunState.RECOVERY: BREACHED,  # where the faults are still in
    RunState.RECOVERY_UNVERIFIED: DOWN,
}
"""Every state but the last, after which nothing is in, and the road on which a run comes by it."""

_CALLS = ("preview", "inject", "status", "stop", "verify")
_OPERATOR = Actor(subject="ops", issuer="https://issuer.example", teams=("demo",), roles=(Role.ADMIN,))
_LATE_AT_MOST = timedelta(minutes=2)  # after the deadline
_AWAY = timedelta(minutes=15)
_REAPED_AFTER = 25  # seconds: longer than an abort waits for the engine
_NOTICED_WITHIN = timedelta(seconds=10)
_NOTHING, _UNPROVEN = "nothing was in", "told, held"


@dataclass(frozen=True, slots=True)
class Fault:
    """What strikes, in one or several ways."""

    name: str
    blows: tuple[Blow, ...]
    told: str


# --- blows ----------------------------------------------------------------------------------------------------------


def _abort(life: Life) -> None:
    life.abort(life.run, cause=AbortCause.ACTOR, reason="enough", by="ada")


def _halt(life: Life) -> None:
    world = life.world
    halt = HaltChaos(world.facts, world.store, life.abort, None, Guard(decide), world.clock)
    halt(HaltRequest(reason="outage"), actor=_OPERATOR)


def _switch(life: Life) -> None:
    life.world.facts.set_halt(Halt(reason="outage", by="ops", at=life.now))


def _silence(life: Life) -> None:
    life.monitor_lives = False


def _kill(life: Life) -> None:
    raise Killed


def _restart(life: Life) -> None:
    life.forget_executions()
    life.queues.arriving.clear()
    raise Killed


def _end(life: Life) -> None:
    """The worker is slow; the reaper ends the run meanwhile."""
    _abort(life)
    life.world.clock.advance(_REAPED_AFTER)
    life.world.reap(RUN_ID)


def _abort_then(death: Blow) -> Blow:
    def strike(life: Life) -> None:
        _end(life)
        life.follows = death
        if (
            life.places[-1][1] == "provider.inject"
        ):  # the call is bounded by less than the reaper waited for it
            raise DependencyError("no answer")

    return strike


def _lose(life: Life) -> None:
    life.lose_executions()
    raise Killed


def _second(life: Life) -> None:
    life.execute()


def _moody(mood: Mood, times: int) -> Blow:
    def strike(life: Life) -> None:
        life.world.provider.moods = {call: [mood] * times for call in _CALLS}

    return strike


def _gone(life: Life) -> None:
    life.world.provider.down, life.heals = True, False


def _only_dead_man(life: Life) -> None:
    life.lose_executions()
    life.watch_lives = life.rule_lives = False
    raise Killed


def _nobody(life: Life) -> None:
    life.back_at, life.limited, life.dead_man_lives = life.now + _AWAY, True, False
    _only_dead_man(life)


ALONE = Fault(
    "dead man alone",
    (_only_dead_man,),
    "the execution, the watch and the rule of every minute are gone; only the run's one-shot schedule rings",
)
AWAY = Fault(
    "nobody there",
    (_nobody,),
    "the whole control plane is away for 15 minutes; the provider ends a fault after its duration",
)
ENDED_MEANWHILE = Fault(
    "abort, then killed worker",
    (_abort_then(_kill), _abort_then(_lose)),
    "a person aborts the run, the reaper ends it while the Lambda works on, and that dies at the next place; or its "
    "execution with it",
)
GONE_FOR_GOOD = Fault("provider gone", (_gone,), "it never answers again")
FAULTS: tuple[Fault, ...] = (
    Fault("abort", (_abort,), "a person aborts the run"),
    Fault("halt", (_halt, _switch), "everything is halted; or only the switch is set, and nobody was told"),
    Fault("killed monitor", (_silence,), "its lease lapses, or nobody ever takes it"),
    Fault(
        "killed worker", (_kill,), "the Lambda that works dies here; its retry, if it has one, begins anew"
    ),
    ENDED_MEANWHILE,
    Fault("restarted emulator", (_restart,), "executions, tokens and messages are forgotten"),
    Fault(
        "provider error",
        (_moody(Mood.REFUSED, 3), _moody(Mood.BROKEN, 3)),
        "it refuses its next three calls of each kind; or its adapter breaks on them",
    ),
    Fault("provider timeout", (_moody(Mood.LATE, 2),), "no answer, and the fault begins 20 s later"),
    Fault("provider throttle", (_moody(Mood.THROTTLED, 3),), "it takes none of its next calls"),
    Fault("answer lost", (_moody(Mood.LOST, 2),), "it does what it was asked, and nobody hears of it"),
    GONE_FOR_GOOD,
    Fault("duplicate execution", (_second,), "a second execution of the same run goes as far as it can"),
    ALONE,
    AWAY,
)


# --- endings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """How a struck run ended."""

    place: str
    state: RunState
    verdict: ExperimentVerdict | None
    undone_by: frozenset[str]
    wrong: tuple[str, ...]


@cache
def places(road: Road) -> tuple[tuple[RunState, str], ...]:
    """What a road comes by when nothing strikes."""
    return tuple(Life(road).pass_by().places)


@cache
def cell(state: RunState, fault: Fault) -> tuple[Ending, ...]:
    """The fault at every place of the state, in each of its ways."""
    road = ROADS[state]
    with _silent():
        return tuple(
            _ending(fault, Life(road, place=place, blow=blow).pass_by(), f"{place} ({what})")
            for place, (where, what) in enumerate(places(road))
            if where is state
            for blow in fault.blows
        )


def _ending(fault: Fault, life: Life, place: str) -> Ending:
    wrong = (*_left(life), *_unsaid(life), *_untidy(life, fault), *_late(life))
    undone_by = set(life.undone_by)
    if not life.world.provider.ever:
        undone_by.add(_NOTHING)
    if life.run.state is RunState.RECOVERY_UNVERIFIED:
        undone_by.add(_UNPROVEN)
    return Ending(place, life.run.state, life.run.verdict, frozenset(undone_by), wrong)


def _left(life: Life) -> Iterator[str]:
    """What the provider says: it is asked, not the run."""
    provider = life.world.provider
    left = {*provider.there, *(marker for _, marker in provider.late)}
    if left and life.run.state is not RunState.RECOVERY_UNVERIFIED:
        yield f"{sorted(left)} is left, and the run is {life.run.state.value}"


def _unsaid(life: Life) -> Iterator[str]:
    """What has to go with the word that something may be left."""
    if life.run.state is not RunState.RECOVERY_UNVERIFIED:
        return
    store = life.world.store
    if "recovery-unverified" not in {occasion for occasion, _, _ in life.world.notifier.told}:
        yield "nobody was told that the recovery is not proven"
    for each in store.planned.values():
        for target in each.targets:
            hold = store.held.get(f"{target.provider.value}:{target.id}")
            if each.state not in GONE and (hold is None or not hold.unverified):
                yield f"{target.id} may be broken and is not held"


def _untidy(life: Life, fault: Fault) -> Iterator[str]:
    run, store = life.run, life.world.store
    if run.state is not RunState.ANALYZED:
        waits = fault is GONE_FOR_GOOD and run.state is RunState.BLOCKED  # the gate's patience ends it
        if run.state is not RunState.RECOVERY_UNVERIFIED and fault is not ALONE and not waits:
            yield f"the run stays {run.state.value}"
        return
    if store.holds(list(store.held)):
        yield f"{sorted(store.held)} is held for ever"
    if (
        life.world.dead_man.armed is not None and fault is not ENDED_MEANWHILE
    ):  # it may ring once, for nothing
        yield "the dead man is still armed"
    if any(each.state not in GONE for each in store.planned.values()):
        yield "it is analysed, and not every removal is proven"
    if run.verdict is ExperimentVerdict.HELD and not all(each.injected_at for each in store.planned.values()):
        yield "it is held, and not every fault was in"
    if run.verdict is ExperimentVerdict.NOT_INJECTED and life.world.provider.ever:
        yield "it is said not to have been injected, and was"


def _late(life: Life) -> Iterator[str]:
    last, deadline = life.last_there, life.run.deadline
    if last is None or deadline is None or not life.heals:
        return
    if last > deadline + _LATE_AT_MOST:
        yield f"a fault was in until {last - deadline} after the deadline"
    alone, struck = life.last_there_alone, life.struck_at
    if alone is not None and struck is not None and alone > struck + OWN_LIMIT + _NOTICED_WITHIN:
        yield f"a fault was in {alone - struck} after everybody was gone"


@contextmanager
def _silent() -> Iterator[None]:
    """Thousands of warnings of what is meant to happen would be written otherwise."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


# --- the document ---------------------------------------------------------------------------------------------------

_INTRODUCTION = """# What is left after which fault

A run in each state, struck by each fault; then time passes, with the watch, the reaper and the dead man that the fault
leaves, and the provider itself is asked what is in. Nothing may be: or else the run is RecoveryUnverified, somebody was
told, and the targets stay held. There is no exception. This page is written by
`python -m tests.unit.chaos.engine.matrix > docs/chaos-matrix.md` from what happens in that test, and a test holds it to it.

Each fault strikes at every place of a state: before each write of the Lambda that works, before each call of the
provider, between a fault's coming into being and the provider's answer, and where everything waits. The use cases and
the state machine are the real ones; the provider, the stores and the clock are in memory. The run has two faults in one
step. The provider ends nothing by itself, but in the last row.
"""

_LEGEND = """A cell says how the runs ended, their verdicts, and who took out what was in: the *engine* (the state machine's
Lambdas), the *reaper* (called by the watch, the rule of every minute or the dead man), or the *provider* itself. Several
words stand where it depends on the place. An abort of a run whose steps are over changes nothing: it is being undone.
With the dead man alone a run is undone but nobody carries it to its end; it goes on when somebody is there again.
"""


def render() -> str:
    """The whole document."""
    states = tuple(ROADS)
    rows = [
        _row("", (state.value for state in states)),
        _row("---", ("---" for _ in states)),
        _row("*places*", (str(_count(state)) for state in states)),
    ]
    rows += [_row(f"**{fault.name}**", (_shown(cell(state, fault)) for state in states)) for fault in FAULTS]
    total = sum(len(cell(state, fault)) for state in states for fault in FAULTS)
    told = [f"- **{fault.name}**: {fault.told}." for fault in FAULTS]
    counted = f"{total:,} runs were struck. Something was left, and the run did not say so, in none of them."
    parts = (_INTRODUCTION, "\n".join(told), "", _LEGEND, "\n".join(rows), "", counted)
    return "\n".join(parts) + "\n"


def _row(first: str, others: Iterable[str]) -> str:
    return f"| {' | '.join((first, *others))} |"


def _count(state: RunState) -> int:
    return sum(where is state for where, _ in places(ROADS[state]))


def _shown(endings: tuple[Ending, ...]) -> str:
    states = [each.value for each in RunState if any(ending.state is each for ending in endings)]
    verdicts = [each.value for each in ExperimentVerdict if any(ending.verdict is each for ending in endings)]
    known = (ENGINE, REAPER, PROVIDER, _UNPROVEN, _NOTHING)
    by = [who for who in known if any(who in ending.undone_by for ending in endings)]
    lines = (", ".join(states), f"*{', '.join(verdicts) or 'no verdict'}*", ", ".join(by))
    return "<br>".join(lines)


if __name__ == "__main__":
    with _silent():
        sys.stdout.write(render())
