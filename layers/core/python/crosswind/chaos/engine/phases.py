"""The phase that the monitor is told, derived from the run's record alone: whoever writes it last writes the same."""

from crosswind.chaos.model import ExperimentRun
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.monitoring import PhaseRecord
from crosswind.contracts.chaos.probes import Phase
from crosswind.kernel.clock import to_iso

UNDER_FAULT = frozenset({RunState.RUNNING, RunState.MONITORING})
BEFORE_FAULT = frozenset({RunState.SCHEDULED, RunState.PREFLIGHT_CHECK, RunState.BLOCKED})


def phase_of(run: ExperimentRun) -> PhaseRecord:
    """What the run is doing."""
    began = run.step_began_at
    if run.state in BEFORE_FAULT:
        return PhaseRecord(phase=Phase.BEFORE, since=to_iso(run.started_at or run.created_at))
    if run.state in UNDER_FAULT and began is not None:
        return PhaseRecord(
            phase=Phase.DURING,
            step=run.step,
            since=to_iso(began),
            until=to_iso(run.step_until) if run.step_until else None,
            gate_fresh_until=to_iso(run.gate_fresh_until) if run.gate_fresh_until else None,
            injected_at=to_iso(began),
        )
    undone = run.undone_at
    return PhaseRecord(
        phase=Phase.AFTER,
        step=run.step,
        since=to_iso(undone or began or run.started_at or run.created_at),
        undone_at=to_iso(undone) if undone else None,
    )
