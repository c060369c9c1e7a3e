"""The contract of crosswind.chaos.providing.Provider. A provider's own test class says how to make and to see its faults."""

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from crosswind.chaos.model import Injection
from crosswind.chaos.providing import FaultRequest, Provider
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import TargetSelector
from crosswind.kernel.errors import InvalidInputError

RUN = f"exp-{uuid4().hex[:26]}"  # one for each process: what a run left is found by its name


def planned(provider: Provider, request: FaultRequest) -> Injection:
    """What the engine stores before it injects."""
    preview = provider.preview(request)
    assert preview.problems == ()
    return Injection(
        run_id=request.run_id,
        step=request.step,
        fault=request.fault,
        order=0,
        provider=provider.capabilities().provider,
        action=request.action,
        targets=preview.targets,
        percent=request.percent,
        duration_seconds=request.duration_seconds,
        parameters=request.parameters,
        compensation=preview.compensation,
        environment=request.environment,
        team=request.team,
        asked_at=datetime.now(UTC),
    )


class ProviderContract(ABC):
    """Tests that every provider passes."""

    @abstractmethod
    def request(self) -> FaultRequest:
        """A good request that hits one target."""

    @abstractmethod
    def is_hit(self) -> bool:
        """Whether the target itself shows the fault, seen without the provider."""

    def test_its_own_request_is_right(self, provider: Provider) -> None:
        assert provider.check(self.request()) == ()

    def test_a_preview_changes_nothing(self, provider: Provider) -> None:
        preview = provider.preview(self.request())
        assert len(preview.targets) == 1
        assert preview.undo
        assert all(permission.allowed for permission in preview.permissions)
        assert not self.is_hit()

    def test_what_is_injected_is_there_until_it_is_stopped(self, provider: Provider) -> None:
        injection = planned(provider, self.request())
        assert provider.inject(injection).state is FaultState.ACTIVE
        assert self.is_hit()
        assert provider.status(injection).state is FaultState.ACTIVE
        assert provider.verify_removed(injection).state is FaultState.ACTIVE
        provider.stop(injection)
        assert provider.verify_removed(injection).state is FaultState.REMOVED
        assert not self.is_hit()

    def test_injecting_again_makes_no_second_fault(self, provider: Provider) -> None:
        injection = planned(provider, self.request())
        provider.inject(injection)
        assert provider.inject(injection).state is FaultState.ACTIVE
        provider.stop(injection)
        assert provider.verify_removed(injection).state is FaultState.REMOVED
        assert not self.is_hit()

    def test_stopping_is_safe_to_repeat_and_where_nothing_is(self, provider: Provider) -> None:
        injection = planned(provider, self.request())
        provider.stop(injection)
        provider.inject(injection)
        provider.stop(injection)
        provider.stop(injection)
        assert provider.verify_removed(injection).state is FaultState.REMOVED

    def test_the_stored_injection_alone_is_enough_to_undo(self, provider: Provider) -> None:
        """The answer of `inject` was lost: nobody has its handle."""
        injection = planned(provider, self.request())
        provider.inject(injection)
        provider.stop(replace(injection, handle={}))
        assert not self.is_hit()

    def test_two_faults_of_one_run_are_told_apart(self, provider: Provider) -> None:
        injection = planned(provider, self.request())
        other = replace(injection, fault="another-fault")
        provider.inject(injection)
        assert provider.status(other).state is not FaultState.ACTIVE
        provider.stop(other)
        assert provider.status(injection).state is FaultState.ACTIVE
        provider.stop(injection)

    def test_a_selector_of_everything_is_refused(self, provider: Provider) -> None:
        selector = self.request().selector
        for names in ((), ("*",), ("**", "*?")):
            everything = TargetSelector(application=selector.application, kind=selector.kind, names=names)
            request = replace(self.request(), selector=everything)
            assert any("would match every" in problem for problem in provider.check(request))
            assert provider.preview(request).problems

    def test_an_unknown_action_and_unknown_parameters_are_refused(self, provider: Provider) -> None:
        assert provider.check(replace(self.request(), action="explode"))
        assert provider.check(replace(self.request(), parameters={"no-such-thing": 1}))

    def test_a_share_of_no_target_is_a_problem(self, provider: Provider) -> None:
        selector = self.request().selector.model_copy(update={"pick": "percent", "percent": 50.0})
        preview = provider.preview(replace(self.request(), selector=selector))
        assert preview.targets == ()
        assert any("are none" in problem for problem in preview.problems)

    def test_targets_that_do_not_exist_are_a_problem(self, provider: Provider) -> None:
        selector = self.request().selector.model_copy(update={"names": ("nobody",)})
        assert provider.preview(replace(self.request(), selector=selector)).problems


def refused(provider: Provider, injection: Injection) -> str:
    """The provider's refusal."""
    with pytest.raises(InvalidInputError) as caught:
        provider.inject(injection)
    return str(caught.value)
