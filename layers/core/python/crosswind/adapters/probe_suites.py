"""Suites as probes of experiments: the runs area's submission behind a port of the chaos area."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.usecases.firing import MACHINE_ISSUER
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.requests import SubmitRunRequest, VerdictKind
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import ConflictError
from crosswind.runs.model import Run
from crosswind.runs.ports import DocumentStore, RunStore
from crosswind.runs.schedules.model import Origin


class Submit(Protocol):
    """SubmitRun, by a machine."""

    def __call__(
        self,
        request: SubmitRunRequest,
        *,
        actor: Actor,
        idempotency_key: str | None = None,
        origin: Origin | None = None,
    ) -> tuple[Run, bool]: ...


@dataclass(frozen=True)
class SubmittedSuites:
    """Stored suites, submitted in the name of the experiment."""

    submit: Submit
    suites: DocumentStore
    runs: RunStore

    def start(
        self, run: ExperimentRun, suite: str, parameters: Mapping[str, Scalar], *, cause: str, key: str
    ) -> str:
        stages = self.suites.get(run.team, suite).spec.get("spec", {}).get("stages", ())  # type: ignore[attr-defined]  # a stored suite has been validated
        if any(stage.get("chaos") for stage in stages):
            raise ConflictError(f"suite {suite!r} runs experiments itself, and so is no probe of one")
        request = SubmitRunRequest(suite=suite, team=run.team, parameters=dict(parameters))
        actor = Actor(
            subject=f"experiment:{run.experiment}",
            issuer=MACHINE_ISSUER,
            teams=(run.team,),
            roles=(Role.RUNNER,),
        )
        made, _ = self.submit(request, actor=actor, idempotency_key=key, origin=Origin(cause=cause))
        return made.run_id

    def verdict(self, execution_id: str) -> tuple[VerdictKind, str] | None:
        found = self.runs.get(execution_id)
        if found.verdict is None or found.finished_at is None:
            return None
        return found.verdict.kind, found.verdict.reason
