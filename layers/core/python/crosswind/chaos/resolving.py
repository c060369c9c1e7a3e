"""What a revision would hit now: every fault of every step, asked of its provider. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from crosswind.chaos.engine import planning
from crosswind.chaos.engine.planning import Previewed
from crosswind.chaos.model import ExperimentRun, Revision
from crosswind.chaos.providing import FaultRequest, Preview, Providers
from crosswind.chaos.radius import Resolved, target_ids
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import bind_parameters, put_in
from crosswind.chaos.stepping import MachineStep
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.spec import ExperimentSpec, Fault, ProviderName
from crosswind.kernel.concurrently import side_by_side

SECONDS = 15.0  # for all faults; an API call has 29
PREVIEW_RUN = "exp-00000000000000000000000000"  # no run: nothing is marked with it


@dataclass(frozen=True, slots=True)
class Looked:
    """One fault of one step: what its provider said, or why nobody knows."""

    step: MachineStep
    fault: Fault
    order: int
    answer: Preview | Exception


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a spec would hit, fault by fault."""

    spec: ExperimentSpec  # with its parameters' defaults put in
    faults: tuple[Looked, ...]

    @property
    def unresolved(self) -> str:
        """Why it is not known; empty where all of it is."""
        told = [
            f"fault {each.fault.name} in step {each.step.number}: {each.answer}"
            for each in self.faults
            if isinstance(each.answer, Exception)
        ]
        return "; ".join(dict.fromkeys(told))

    @property
    def previews(self) -> tuple[Previewed, ...]:
        """What is known."""
        return tuple(
            Previewed(each.step, each.fault, each.order, each.answer)
            for each in self.faults
            if isinstance(each.answer, Preview)
        )

    @property
    def resolved(self) -> tuple[Resolved, ...] | None:
        """For the gate: all of it, or nothing."""
        return None if self.unresolved else planning.resolved(self.previews)

    @property
    def target_ids(self) -> tuple[str, ...]:
        """Everything that is known to be hit."""
        return target_ids(target for each in self.previews for target in each.preview.targets)


@dataclass(frozen=True)
class Resolve:
    """Ask the providers side by side."""

    providers: Providers
    rules: Rules

    def __call__(self, revision: Revision, *, team: str, name: str, now: datetime) -> Resolution:
        """With the parameters' defaults. Raises InvalidInputError where the spec is not one any more."""
        values = bind_parameters(revision.spec, {})
        spec = put_in(revision.spec, values, team=team, rules=self.rules)
        wanted = planning.requests(_imagined(revision, spec, team=team, name=name, now=now))
        answers = self._ask([(fault.provider, request) for _, fault, _, request in wanted])
        found = (
            Looked(step, fault, order, answer)
            for (step, fault, order, _), answer in zip(wanted, answers, strict=True)
        )
        return Resolution(spec, tuple(found))

    def _ask(self, wanted: Sequence[tuple[ProviderName, FaultRequest]]) -> tuple[Preview | Exception, ...]:
        calls = [partial(self._preview, provider, request) for provider, request in wanted]
        return side_by_side(calls, seconds=SECONDS)

    def _preview(self, provider: ProviderName, request: FaultRequest) -> Preview:
        return self.providers.get(provider).preview(request)


def _imagined(
    revision: Revision, spec: ExperimentSpec, *, team: str, name: str, now: datetime
) -> ExperimentRun:
    """The run that a start would make."""
    return ExperimentRun(
        run_id=PREVIEW_RUN,
        team=team,
        experiment=name,
        revision=revision.number,
        environment=spec.environment,
        service=spec.service,
        state=RunState.SCHEDULED,
        version=0,
        created_at=now,
        requested_by="",
        spec=spec,
        spec_digest=revision.spec_digest,
    )
