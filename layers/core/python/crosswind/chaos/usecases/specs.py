"""Checking experiments without storing them, and the templates to begin with."""

from dataclasses import dataclass

from crosswind.chaos import templating
from crosswind.chaos.providing import Providers
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import parse_experiment
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.definitions import TemplateList
from crosswind.contracts.chaos.spec import ChaosExperiment
from crosswind.contracts.permissions import Guard


@dataclass(frozen=True)
class ValidateExperiment:
    """Find every fault of an experiment."""

    guard: Guard
    rules: Rules

    def __call__(self, text: str | bytes, *, actor: Actor) -> ChaosExperiment:
        """The experiment that the text is. Raises InvalidInputError, TooLargeError, ForbiddenError."""
        experiment = parse_experiment(text, rules=self.rules)
        self.guard.require(actor, Action.READ_EXPERIMENTS, team=experiment.metadata.team)
        return experiment


@dataclass(frozen=True)
class ListTemplates:
    """The templates of the providers that this deployment has, and what these can do."""

    providers: Providers

    def __call__(self, name: str | None = None) -> TemplateList:
        """All of them, or one with its document. Raises NotFoundError."""
        if name is not None:
            return TemplateList(items=(templating.view(templating.template(name), whole=True),))
        available = self.providers.available()
        return TemplateList(
            items=tuple(
                templating.view(each) for each in templating.templates() if each.provider in available
            ),
            actions=tuple(
                action
                for provider in available
                for action in self.providers.get(provider).capabilities().actions
            ),
        )
