"""What a transition of leased work gives: the item to store, and what follows once it is stored (ADR 0002)."""

from dataclasses import dataclass

from crosswind.contracts.work import DispatchMessage, WorkAnswer, WorkOutcome
from crosswind.runs.model import Work


@dataclass(frozen=True, slots=True)
class AnswerToken:
    """Answer a task token."""

    token: str
    answer: WorkAnswer


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Send admitted work to the executor's queue."""

    message: DispatchMessage


@dataclass(frozen=True, slots=True)
class WakeScheduler:
    """A slot came free, or work waits again."""


Effect = AnswerToken | Dispatch | WakeScheduler


@dataclass(frozen=True, slots=True)
class Transition:
    """The item to store (the same object when nothing is to be written) and what follows once it is stored."""

    work: Work
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """The run takes no more work: it was cancelled, has run out of time or is finished."""

    outcome: WorkOutcome
    reason: str
