"""Previews: what would be hit, whether it could be, how it would be undone, and what the gate says. Nothing is injected."""

from dataclasses import dataclass

from crosswind.chaos import radius, sense
from crosswind.chaos.model import Revision
from crosswind.chaos.policies import Policies
from crosswind.chaos.ports import ExperimentStore
from crosswind.chaos.providing import Preview
from crosswind.chaos.resolving import Looked, Resolution, Resolve
from crosswind.chaos.reviewing import content_digest
from crosswind.chaos.stepping import longest_seconds
from crosswind.chaos.usecases.finding import FindExperiment, replaced
from crosswind.chaos.usecases.gating import AskGate, Asking
from crosswind.chaos.views import target_views
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.definitions import ExperimentPreview, FaultPreview
from crosswind.contracts.chaos.gate import GateOutcome, Moment
from crosswind.kernel.clock import Clock


@dataclass(frozen=True)
class PreviewExperiment:
    """Look before anything is reviewed or started. Its digest is what an approval binds to."""

    experiments: ExperimentStore
    find: FindExperiment
    resolve: Resolve
    ask_gate: AskGate
    policies: Policies
    clock: Clock

    def __call__(
        self, name: str, *, team: str | None, revision: int | None, actor: Actor
    ) -> ExperimentPreview:
        """What would happen now. Raises NotFoundError, ForbiddenError, InvalidInputError, RetryableError."""
        experiment = self.find(name, team=team, actor=actor, action=Action.WRITE_EXPERIMENTS)
        chosen = experiment.revision
        if revision is not None and revision != chosen.number:
            chosen = self.experiments.revision(experiment.team, name, revision)
        found = self.resolve(chosen, team=experiment.team, name=name, now=self.clock.now())
        gate = self.ask_gate(
            Asking(
                moment=Moment.PREVIEW,
                team=experiment.team,
                experiment=name,
                revision=chosen,
                spec=found.spec,
                resolved=found.resolved,
                unresolved=found.unresolved[:500],
                superseded=replaced(chosen.number, newest=experiment.revision.number),
            )
        )
        faults = tuple(_fault_preview(each, self._doubts(found, each)) for each in found.faults)
        beyond = self._beyond(found, team=experiment.team)
        proceeds = gate.outcome is GateOutcome.PROCEED
        return ExperimentPreview(
            experiment=name,
            revision=chosen.number,
            digest=content_digest(chosen.spec_digest, found.target_ids),
            ready=proceeds and not beyond and not any(each.problems for each in faults),
            faults=faults,
            gate=gate,
            cost_dollars=sum(each.preview.cost_dollars for each in found.previews),
            cost=_cost(found, chosen),
            longest_seconds=longest_seconds(found.spec),
        )

    def _doubts(self, found: Resolution, looked: Looked) -> tuple[str, ...]:
        """Why this fault in this step would test little or nothing."""
        if not isinstance(looked.answer, Preview):
            return ()
        actions = self.resolve.providers.get(looked.fault.provider).capabilities().actions
        dosed = any(each.dosed for each in actions if each.action == looked.fault.action)
        share = looked.step.percent if dosed and looked.answer.candidates == 1 else 100.0
        return tuple(sense.doubts(found.spec, looked.step, share=share))

    def _beyond(self, found: Resolution, *, team: str) -> tuple[str, ...]:
        policy = self.policies.of(found.spec.environment).spec
        return radius.beyond(found.spec, found.resolved or (), team=team, policy=policy)


def _fault_preview(looked: Looked, doubts: tuple[str, ...]) -> FaultPreview:
    answer = looked.answer
    known = answer if isinstance(answer, Preview) else Preview(candidates=0, targets=(), compensation={})
    missing = [f"permission {each.name} is missing" for each in known.permissions if not each.allowed]
    unknown = [str(answer) or type(answer).__name__] if isinstance(answer, Exception) else []
    return FaultPreview(
        step=looked.step.number,
        fault=looked.fault.name,
        provider=looked.fault.provider,
        action=looked.fault.action,
        percent=looked.step.percent,
        candidates=known.candidates,
        targets=target_views(known.targets),
        target_count=len(known.targets),
        permissions=known.permissions,
        compensation=known.undo,
        warnings=(*known.warnings, *doubts),
        problems=(*unknown, *known.problems, *missing),
    )


def _cost(found: Resolution, revision: Revision) -> tuple[str, ...]:
    told = tuple(
        f"{each.fault.name} in step {each.step.number}: ${each.preview.cost_dollars:.2f}"
        for each in found.previews
        if each.preview.cost_dollars
    )
    return told or (f"nobody charges for the faults of revision {revision.number}",)
