"""What the runs area may know of experiments before it wants one beside a stage: an adapter between two areas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crosswind.chaos.ports import ExperimentStore
from crosswind.chaos.specs import bind_parameters
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import FieldError, InvalidInputError


@dataclass(frozen=True)
class StoredExperiments:
    """From the team's definitions."""

    experiments: ExperimentStore

    def faults(self, team: str, experiment: str, parameters: Mapping[str, Scalar]) -> Sequence[FieldError]:
        expected = "an approved experiment of the suite's team"
        if self.experiments.find(team, experiment) is None:
            return (FieldError("experiment", f"team {team!r} has no experiment {experiment!r}", expected),)
        approved = self.experiments.approved(team, experiment)
        if approved is None:
            return (FieldError("experiment", f"{experiment!r} is not approved as it is now", expected),)
        try:
            bind_parameters(approved.spec, parameters)
        except InvalidInputError as error:
            return error.errors
        return ()


class UnknownExperiments:
    """Where nothing of them is known: whether one may start shows when it is to start."""

    def faults(self, team: str, experiment: str, parameters: Mapping[str, Scalar]) -> Sequence[FieldError]:
        del team, experiment, parameters
        return ()
