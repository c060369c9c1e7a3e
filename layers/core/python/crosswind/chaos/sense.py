"""Why a step cannot test what the hypothesis claims, as far as the spec itself shows it. Pure; asked by previews.

What only a provider knows (a fault that switches retries off, a share of connections that is none of requests) is among
the warnings of its own preview.
"""

from collections.abc import Iterator

from crosswind.chaos.stepping import MachineStep
from crosswind.contracts.chaos.probes import Phase, Probe
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.contracts.suites import duration_seconds

ENOUGH_SAMPLES = 3
_WHOLE = 100.0


def doubts(spec: ExperimentSpec, step: MachineStep, *, share: float) -> Iterator[str]:
    """Sentences for people; none of them keeps a run from starting.

    Args:
        share: How many percent of the target's traffic or capacity the fault hits: 100 where it hits targets wholly.
    """
    probes = [each for each in spec.hypothesis.probes if Phase.DURING in each.phases]
    lenient = min((_tolerated(each) for each in probes), default=0.0)
    if share < _WHOLE and share <= lenient:
        yield (
            f"{share:g}% of the traffic is no more than every probe tolerates ({lenient:g}% of its samples), "
            "so this step cannot falsify the hypothesis"
        )
    for probe in probes:
        taken = _samples(probe, step.hold_seconds)
        if probe.type != "suite" and taken < ENOUGH_SAMPLES:
            times = "once" if taken == 1 else f"{taken} times"
            yield f"probe {probe.name} is taken {times} in this step of {step.hold_seconds} s, which shows little"


def _tolerated(probe: Probe) -> float:
    return round((1 - probe.ratio) * _WHOLE, 6)


def _samples(probe: Probe, hold_seconds: int) -> int:
    """At the step's begin, and then at each interval."""
    return 1 + hold_seconds // max(1, duration_seconds(probe.interval))
