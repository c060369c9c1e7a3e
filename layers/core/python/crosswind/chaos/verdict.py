"""The verdict of a run of an experiment, from its evidence alone. Pure.

Never a pass for what did not run: `held` needs every planned fault to have been in, every probe of the hypothesis to
have been measured and in tolerance before, during and after, and every removal to be proven by its provider.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crosswind.chaos.model import ExperimentRun, Injection
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState
from crosswind.contracts.chaos.monitoring import MonitorResult, ProbeSummary
from crosswind.contracts.chaos.probes import Phase

_GONE = frozenset({FaultState.REMOVED, FaultState.REFUSED, FaultState.PLANNED})
_BY_PEOPLE = frozenset({AbortCause.ACTOR, AbortCause.HALT})
_MOST_SENTENCES = 20


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict, why in a sentence, and what it rests on."""

    verdict: ExperimentVerdict
    reason: str
    evidence: tuple[str, ...]


def rule(run: ExperimentRun, injections: Sequence[Injection], monitor: MonitorResult | None) -> Ruling:
    """What the run says of its hypothesis.

    Args:
        run: After its recovery; with the abort, where it was aborted.
        injections: All that were planned, as they ended.
        monitor: What the monitor saw to its end; None where it left nothing.
    """
    evidence = tuple(_evidence(injections, monitor))[:_MOST_SENTENCES]
    verdict, reason = _decide(run, injections, monitor)
    return Ruling(verdict, reason, evidence)


def _decide(
    run: ExperimentRun, injections: Sequence[Injection], monitor: MonitorResult | None
) -> tuple[ExperimentVerdict, str]:
    left = [each for each in injections if each.state not in _GONE]
    if left:
        names = ", ".join(f"{each.fault} of step {each.step}" for each in left)
        return (
            ExperimentVerdict.RECOVERY_UNVERIFIED,
            f"It could not be proven that nothing is left of {names}.",
        )
    if not any(each.injected_at or _perhaps_in(each) for each in injections):
        return _nothing_went_in(run)
    known = any(each.injected_at for each in injections)
    deviations = _outside(monitor, Phase.DURING) if known else []
    if run.abort is not None:
        if deviations:
            return (
                ExperimentVerdict.FALSIFIED,
                f"{_sentence(deviations[0])} The run was aborted: {run.abort.reason}",
            )
        return ExperimentVerdict.ABORTED, f"Aborted ({run.abort.cause.value}): {run.abort.reason}"
    return _went_through(run, injections, monitor, deviations)


def _perhaps_in(injection: Injection) -> bool:
    """Whether its provider was asked for it, and nobody heard whether it came into being."""
    return injection.asked_at is not None and injection.state is not FaultState.REFUSED


def _nothing_went_in(run: ExperimentRun) -> tuple[ExperimentVerdict, str]:
    if run.abort is None:
        return ExperimentVerdict.NOT_INJECTED, "No fault went in, so the hypothesis was not tested."
    reason = f"No fault went in ({run.abort.cause.value}): {run.abort.reason}"
    if run.abort.cause is AbortCause.STEADY_STATE:
        return ExperimentVerdict.INCONCLUSIVE, reason
    if run.abort.cause in _BY_PEOPLE:
        return ExperimentVerdict.ABORTED, reason
    return ExperimentVerdict.NOT_INJECTED, reason


def _went_through(
    run: ExperimentRun,
    injections: Sequence[Injection],
    monitor: MonitorResult | None,
    deviations: list[ProbeSummary],
) -> tuple[ExperimentVerdict, str]:
    if deviations:
        return ExperimentVerdict.FALSIFIED, _sentence(deviations[0])
    doubt = next(_doubts(run, injections, monitor), None)
    if doubt is not None or monitor is None:
        return ExperimentVerdict.INCONCLUSIVE, doubt or "Nothing is known of the probes."
    if monitor.steady_again_at is None:
        return (
            ExperimentVerdict.FALSIFIED,
            "The steady state did not come back in time after the faults were undone.",
        )
    return (
        ExperimentVerdict.HELD,
        "Every probe stayed within its tolerance while every fault was in, and after.",
    )


def _doubts(
    run: ExperimentRun, injections: Sequence[Injection], monitor: MonitorResult | None
) -> Iterator[str]:
    """Why nothing can be said although nothing was seen out of tolerance."""
    missing = [each.fault for each in injections if each.injected_at is None]
    if missing:
        yield f"Not every fault went in: {', '.join(dict.fromkeys(missing))}."
    if monitor is None:
        yield "The monitor left no result, so nothing is known of the probes."
        return
    during = [each for each in monitor.summaries if each.phase is Phase.DURING and not each.guard]
    if not during or not monitor.baseline_held:
        yield "The hypothesis was not measured before and during the faults."
    unmeasured = [each.probe for each in during if not each.held]
    if unmeasured:
        yield f"Probes could not be measured often enough: {', '.join(dict.fromkeys(unmeasured))}."
    skipped = tuple(_skipped(run, injections, monitor))
    if skipped:
        yield f"Not every probe was taken wherever it is meant to be: {', '.join(skipped)}."


def _skipped(run: ExperimentRun, injections: Sequence[Injection], monitor: MonitorResult) -> Iterator[str]:
    """Where a probe has no sample at all: such as one that was still busy with a step when the next was over."""
    seen = {(each.probe, each.phase, each.step) for each in monitor.summaries if not each.guard}
    for probe in run.spec.hypothesis.probes:
        if Phase.DURING in probe.phases:
            taken = {step for name, phase, step in seen if (name, phase) == (probe.name, Phase.DURING)}
            once = probe.type == "suite" and taken  # it runs once, over several steps where they are short
            for step in sorted({each.step for each in injections} - taken):
                if not once:
                    yield f"{probe.name} in step {step}"
        if Phase.AFTER in probe.phases and (probe.name, Phase.AFTER, 0) not in seen:
            yield f"{probe.name} after the faults"


def _outside(monitor: MonitorResult | None, phase: Phase) -> list[ProbeSummary]:
    """Probes of the hypothesis that did not hold for having been out of tolerance, not for being unmeasured alone."""
    if monitor is None:
        return []
    return [
        each
        for each in monitor.summaries
        if each.phase is phase
        and not each.guard
        and not each.held
        and each.samples - each.unknown > 0
        and (each.within / (each.samples - each.unknown)) < each.required
    ]


def _sentence(summary: ProbeSummary) -> str:
    step = f" in step {summary.step}" if summary.step else ""
    return (
        f"{summary.probe} was within tolerance in {summary.ratio:.0%} of its samples{step}, "
        f"{summary.required:.0%} are required ({summary.worst})."
    )


def _evidence(injections: Sequence[Injection], monitor: MonitorResult | None) -> Iterator[str]:
    for each in injections:
        what = f"{each.fault} ({each.provider.value} {each.action}, step {each.step}, {each.percent:g}%)"
        if each.injected_at is None and _perhaps_in(each):
            yield f"{what} was asked for, and nobody heard that it went in: {each.state.value}{_detail(each)}."
        elif each.injected_at is None:
            yield f"{what} never went in: {each.state.value}{_detail(each)}."
        elif each.removed_at is not None:
            yield f"{what} was in for {(each.removed_at - each.injected_at).total_seconds():.1f} s{_detail(each)}."
        else:
            yield f"{what} went in and is {each.state.value}{_detail(each)}."
    for summary in monitor.summaries if monitor else ():
        kind = "guard" if summary.guard else "probe"
        verb = "held" if summary.held else "did not hold"
        step = f" of step {summary.step}" if summary.step else ""
        yield (
            f"{kind} {summary.probe} {verb} {summary.phase.value} the faults{step}: "
            f"{summary.within} of {summary.samples} samples within, {summary.unknown} unknown."
        )
    if monitor and monitor.breach:
        yield f"Breach: {monitor.breach}"


def _detail(injection: Injection) -> str:
    return f", {injection.detail}" if injection.detail else ""
