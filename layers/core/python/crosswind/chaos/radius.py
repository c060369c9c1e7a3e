"""Whether resolved targets stay within the blast radius. Asked by preview, by the gate and before each injection."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crosswind.chaos.model import Target
from crosswind.chaos.selectors import namespace_refusal
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ExperimentSpec

_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one fault would hit in one step."""

    step: int
    fault: str
    candidates: int
    targets: tuple[Target, ...]


def target_ids(targets: Iterable[Target]) -> tuple[str, ...]:
    """What holds, overlaps and approvals go by: `<provider>:<id>`, sorted, each once."""
    return tuple(sorted({f"{each.provider.value}:{each.id}" for each in targets}))


def beyond(
    spec: ExperimentSpec, resolved: Sequence[Resolved], *, team: str, policy: PolicySpec | None
) -> tuple[str, ...]:
    """Everything that goes beyond the spec's blast radius or the environment's policy, as sentences."""
    return tuple(dict.fromkeys(_beyond(spec, resolved, team, policy)))


def _beyond(
    spec: ExperimentSpec, resolved: Sequence[Resolved], team: str, policy: PolicySpec | None
) -> Iterator[str]:
    radius = spec.blast_radius
    yield from environment_refusals(spec, policy)
    for step in sorted({each.step for each in resolved}):
        faults = [each for each in resolved if each.step == step]
        count = len(target_ids(target for each in faults for target in each.targets))
        if count > radius.max_targets:
            yield f"step {step} hits {count} targets, more than the blast radius ({radius.max_targets})"
    for each in resolved:
        if not each.targets:
            yield f"fault {each.fault} resolves to no target in step {each.step}"
        elif len(each.targets) > _allowed(each.candidates, radius.max_percent):
            share = len(each.targets) * _WHOLE / max(each.candidates, 1)
            yield (
                f"fault {each.fault} hits {share:.3g}% of what its selector matches in step {each.step}, "
                f"more than the blast radius ({radius.max_percent:g}%)"
            )
        for target in each.targets:
            if target.namespace is not None:
                reason = namespace_refusal(
                    target.namespace, team=team, radius=radius.namespaces, policy=policy
                )
                if reason:
                    yield reason


def environment_refusals(spec: ExperimentSpec, policy: PolicySpec | None) -> Iterator[str]:
    """Why it may not run where it wants to run, before any target is resolved."""
    radius = spec.blast_radius
    if radius.environments and spec.environment not in radius.environments:
        yield f"the blast radius does not reach to environment {spec.environment}"
    for provider in dict.fromkeys(fault.provider for fault in spec.faults):
        if policy is not None and provider not in policy.providers:
            yield f"provider {provider.value} may not inject in environment {spec.environment}"


def _allowed(candidates: int, percent: float) -> float:
    return candidates * percent / _WHOLE
