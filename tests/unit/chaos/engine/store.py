"""The store of runs in memory, with a place before each of its calls where a test may let something happen."""

from collections.abc import Callable, Sequence
from typing import Any

from crosswind.chaos.model import ExperimentRun, Hold, Injection
from tests.fakes.chaos import MemoryExperimentRunStore


class InterruptedStore(MemoryExperimentRunStore):
    """`interrupt` is called before each call: time passes, others act, or the caller dies."""

    interrupt: Callable[[], None] = staticmethod(lambda: None)

    def get(self, run_id: str) -> ExperimentRun:
        self.interrupt()
        return super().get(run_id)

    def save(self, run: ExperimentRun, **more: Any) -> ExperimentRun:
        self.interrupt()
        return super().save(run, **more)

    def plan_injections(
        self, run: ExperimentRun, injections: Sequence[Injection], holds: Sequence[Hold]
    ) -> None:
        self.interrupt()
        super().plan_injections(run, injections, holds)

    def injections(self, run_id: str) -> tuple[Injection, ...]:
        self.interrupt()
        return super().injections(run_id)

    def save_injection(self, injection: Injection) -> Injection:
        self.interrupt()
        return super().save_injection(injection)

    def release(self, run_id: str, target_ids: Sequence[str]) -> None:
        self.interrupt()
        super().release(run_id, target_ids)
