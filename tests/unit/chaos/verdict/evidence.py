"""Samples, runs and injections to judge."""

from datetime import datetime, timedelta
from typing import Any

from crosswind.chaos.model import Abort, ExperimentRun, Injection, Target
from crosswind.chaos.steadiness import observe
from crosswind.contracts.chaos.lifecycle import AbortCause, FaultState, RunState
from crosswind.contracts.chaos.monitoring import MonitorResult, Sample, SampleStatus
from crosswind.contracts.chaos.probes import HttpProbe, Phase
from crosswind.contracts.chaos.spec import (
    BlastRadius,
    ExperimentSpec,
    Fault,
    Guard,
    Hypothesis,
    ProviderName,
    TargetSelector,
)
from crosswind.kernel.clock import to_iso
from tests.fakes import START

RUN = "exp-00000000000000000000000001"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def probe(name: str = "orders", **more: Any) -> HttpProbe:
    return HttpProbe(name=name, type="http", url="http://127.0.0.1:1/", **more)


def guard(name: str = "slo", **more: Any) -> Guard:
    return Guard(name=name, probe=probe("inner"), **more)


def sample(
    seconds: float,
    status: SampleStatus = SampleStatus.WITHIN,
    *,
    name: str = "orders",
    phase: Phase = Phase.DURING,
    of_guard: bool = False,
) -> Sample:
    return Sample(
        probe=name,
        guard=of_guard,
        phase=phase,
        step=1 if phase is Phase.DURING else 0,
        at=to_iso(at(seconds)),
        status=status,
        detail="503 instead of 201" if status is SampleStatus.OUTSIDE else None,
    )


SPEC = ExperimentSpec(
    environment="local",
    hypothesis=Hypothesis(title="orders are taken", probes=(probe(),)),
    faults=(
        Fault(
            name="freeze",
            provider=ProviderName.PROCESS,
            action="freeze",
            target=TargetSelector(application="shop", names=("payment",)),
            duration="30s",
        ),
    ),
    blast_radius=BlastRadius(max_targets=1),
)


def run(cause: AbortCause | None = None, **more: Any) -> ExperimentRun:
    abort = Abort(cause, "because", "ada", at(9)) if cause else None
    return ExperimentRun(
        run_id=RUN,
        team="demo",
        experiment="freeze-payment",
        revision=1,
        environment="local",
        service="order",
        state=RunState.RECOVERY,
        version=1,
        created_at=START,
        requested_by="ada",
        spec=SPEC,
        spec_digest="sha256:" + "0" * 64,
        abort=abort,
        **more,
    )


def injection(state: FaultState = FaultState.REMOVED, *, injected: bool = True, **more: Any) -> Injection:
    return Injection(
        run_id=RUN,
        step=1,
        fault="freeze",
        order=0,
        provider=ProviderName.PROCESS,
        action="freeze",
        targets=(Target(ProviderName.PROCESS, "service", "shop/payment", "payment"),),
        percent=100.0,
        duration_seconds=30,
        parameters={},
        compensation={},
        environment="local",
        team="demo",
        state=state,
        injected_at=at(5) if injected else None,
        removed_at=at(12) if state is FaultState.REMOVED and injected else None,
        **more,
    )


def result(samples: Any = (), **more: Any) -> MonitorResult:
    observations = observe((probe(),), (guard(),), samples)
    back = observations.steady_again_at()
    return MonitorResult(
        run_id=RUN,
        epoch=1,
        started_at=to_iso(START),
        finished_at=to_iso(at(60)),
        summaries=observations.summaries(),
        steady_again_at=to_iso(back) if back else None,
        breach=observations.breach.reason if observations.breach else None,
        breached_at=to_iso(observations.breach.at) if observations.breach else None,
        baseline_held=observations.held(Phase.BEFORE),
        **more,
    )


def a_good_run() -> list[Sample]:
    """Within before, during and after."""
    return [
        *(sample(second, phase=Phase.BEFORE) for second in range(3)),
        *(sample(second) for second in range(5, 12)),
        *(sample(second, phase=Phase.AFTER) for second in range(12, 16)),
    ]
