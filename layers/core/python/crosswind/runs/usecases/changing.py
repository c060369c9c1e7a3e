"""Changes of work items: decide purely, store by compare-and-set, then perform the effects."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from crosswind.kernel.errors import CrosswindError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs.effects import AnswerToken, Dispatch, Effect, Transition, WakeScheduler
from crosswind.runs.model import Work, WorkKey
from crosswind.runs.ports import Queues, TaskTokens, WorkStore

Decision = Callable[[Work | None], Transition | None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PerformEffects:
    """Perform what follows a stored transition. Repeating it does no harm."""

    queues: Queues
    tokens: TaskTokens

    def __call__(self, effects: Iterable[Effect]) -> None:
        """Answer every token, send every message, and wake the scheduler once if anything asks for it.

        One that fails keeps none of the others: a token that cannot be answered must not let a free slot stand idle.
        The first fault rises in the end.
        """
        wanted = tuple(effects)
        acts: list[Callable[[], object]] = [
            partial(self.tokens.answer, effect.token, effect.answer)
            for effect in wanted
            if isinstance(effect, AnswerToken)
        ]
        messages = [effect.message for effect in wanted if isinstance(effect, Dispatch)]
        if messages:
            acts.append(partial(self.queues.dispatch, messages))
        if any(isinstance(effect, WakeScheduler) for effect in wanted):
            acts.append(self.queues.wake_scheduler)
        faults = [fault for fault in map(_attempt, acts) if fault is not None]
        if faults:
            raise faults[0]


def _attempt(act: Callable[[], object]) -> CrosswindError | None:
    try:
        act()
    except CrosswindError as fault:
        return fault
    return None


@dataclass(frozen=True)
class ChangeWork:
    """Apply a pure decision to a stored work item; when another writer was quicker, load and decide again."""

    works: WorkStore
    perform: PerformEffects
    pause: Pause

    def __call__(self, key: WorkKey, decide: Decision) -> Work | None:
        """The item as stored afterwards; None when the decision found nothing to do.

        Raises:
            WriteConflictError: Other writers won every time.
        """
        stored, effects = self.store(key, decide)
        self.perform(effects)
        return stored

    def all(
        self, works: Iterable[Work], decide: Callable[[Work], Transition | None], *, go_on: Callable[[], bool]
    ) -> int:
        """Change every item for which there is something to do, while `go_on` says so. Returns how many changed.

        One that fails is logged and left to the watchdog, so that it does not stop the others.
        """
        changed = 0
        woken: set[Effect] = set()
        for listed in works:
            if decide(listed) is None:
                continue
            if not go_on():
                break
            try:
                stored, effects = self.store(listed.key, lambda work: decide(work) if work else None)
                woken.update(effect for effect in effects if isinstance(effect, WakeScheduler))
                self.perform(effect for effect in effects if not isinstance(effect, WakeScheduler))
            except CrosswindError:
                _log.exception("%s of %s could not be changed", listed.key.work_id, listed.key.run_id)
            else:
                changed += stored is not None
        self.perform(woken)
        return changed

    def store(self, key: WorkKey, decide: Decision) -> tuple[Work | None, tuple[Effect, ...]]:
        """Store only: the item as stored, and the effects that remain to be performed."""

        def attempt() -> tuple[Work | None, tuple[Effect, ...]]:
            before = self.works.get(key)
            transition = decide(before)
            if transition is None:
                return None, ()
            if transition.work is before:
                return before, transition.effects
            return self.works.save(before, transition.work), transition.effects

        return retry_conflicts(attempt, pause=self.pause)
