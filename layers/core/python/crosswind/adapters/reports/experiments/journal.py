"""The Chaos Toolkit's journal, so that its reporting tools read our runs.

Required there: experiment, status (completed, failed, aborted, interrupted), start, end, duration, deviated.
"""

import json
from typing import Any

from crosswind.contracts.chaos.lifecycle import ExperimentVerdict, FaultState
from crosswind.contracts.chaos.monitoring import ProbeSummary
from crosswind.contracts.chaos.probes import Phase
from crosswind.contracts.chaos.runs import ExperimentResults, FaultView
from crosswind.kernel.clock import from_iso

_STATUS = {
    ExperimentVerdict.HELD: "completed",
    ExperimentVerdict.FALSIFIED: "failed",
    ExperimentVerdict.ABORTED: "interrupted",
}


def render(results: ExperimentResults) -> bytes:
    """The journal as JSON."""
    run = results.run
    start, end = run.started_at or run.created_at, run.finished_at or run.created_at
    document = {
        "chaoslib-version": "crosswind",
        "platform": "crosswind",
        "node": run.environment,
        "experiment": {
            "title": results.title,
            "description": f"{run.team}/{run.experiment}, revision {run.revision}",
            "tags": [each for each in (run.team, run.service) if each],
            "steady-state-hypothesis": {"title": results.title, "probes": []},
            "method": [],
            "rollbacks": [],
        },
        "start": start,
        "end": end,
        "duration": max(0.0, (from_iso(end) - from_iso(start)).total_seconds()),
        "status": _STATUS.get(run.verdict, "aborted") if run.verdict else "aborted",
        "deviated": run.verdict is ExperimentVerdict.FALSIFIED,
        "steady_states": {phase.value: _steady_state(results, phase) for phase in Phase},
        "run": [_injected(fault) for fault in run.faults],
        "rollbacks": [_undone(fault) for fault in run.faults if fault.injected_at],
    }
    return json.dumps(document, indent=2).encode()


def _steady_state(results: ExperimentResults, phase: Phase) -> dict[str, Any] | None:
    probes = [each for each in results.hypothesis if each.phase is phase]
    if not probes:
        return None
    return {
        "steady_state_met": all(each.held for each in probes),
        "probes": [_probe(each) for each in probes],
    }


def _probe(summary: ProbeSummary) -> dict[str, Any]:
    return {
        "activity": {"type": "probe", "name": summary.probe, "tolerance": summary.required},
        "status": "succeeded" if summary.samples > summary.unknown else "failed",
        "tolerance_met": summary.held,
        "output": summary.ratio,
    }


def _injected(fault: FaultView) -> dict[str, Any]:
    return _activity(
        fault, f"{fault.name} in step {fault.step}", fault.injected_at, met=fault.injected_at is not None
    )


def _undone(fault: FaultView) -> dict[str, Any]:
    return _activity(
        fault,
        f"undo {fault.name} of step {fault.step}",
        fault.removed_at,
        met=fault.state is FaultState.REMOVED,
    )


def _activity(fault: FaultView, name: str, at: str | None, *, met: bool) -> dict[str, Any]:
    return {
        "activity": {
            "type": "action",
            "name": name,
            "provider": {"type": fault.provider.value, "action": fault.action},
        },
        "status": "succeeded" if met else "failed",
        "start": at,
        "end": at,
        "output": fault.detail,
    }
