"""Experiments, previews and runs as lines for people."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from crosswind.cli import render
from crosswind.contracts.chaos.definitions import ExperimentPreview, ExperimentView, FaultPreview
from crosswind.contracts.chaos.runs import ExperimentRunSummary, ExperimentRunView, TimelineEntry

_MARKS = {"pass": "✓", "fail": "✗", "unknown": "?"}
_SHOWN_TARGETS = 10


def experiment_lines(found: ExperimentView) -> Iterator[str]:
    """A definition with its review and its newest runs."""
    yield f"{found.name}  revision {found.revision}  {found.state.value}  team {found.team}"
    yield f"  {render.clean(found.spec.hypothesis.title)}"
    where = f"{found.spec.environment}{f'  service {found.spec.service}' if found.spec.service else ''}"
    yield f"  in {where}  risk {found.spec.risk.value}  digest {found.digest}"
    counted = sum(each.counts for each in found.review.approvals)
    yield f"  approvals  {counted} of {found.review.needed}"
    for each in found.review.approvals:
        why = f"does not count: {render.clean(each.why_not)}" if each.why_not else f"until {each.expires_at}"
        yield f"    {render.clean(each.by)}  {_counted(each.targets, 'target')}  {why}"
    if found.review.changes_requested:
        by = render.clean(found.review.changes_requested_by or "")
        yield f"  changes requested by {by}: {render.clean(found.review.changes_requested)}"
    if found.paused:
        yield "  paused: it does not start by itself"
    elif found.next_start:
        yield f"  starts next at {found.next_start}"
        lasting = sorted((each.expires_at for each in found.review.approvals if each.counts), reverse=True)
        if lasting[: found.review.needed] and lasting[: found.review.needed][-1] <= found.next_start:
            yield "  its approvals will have expired by then: have it approved again before, or it will not start"
    if found.actions:
        yield f"  possible now: {', '.join(found.actions)}"
    yield from (f"  {line}" for line in run_lines(found.runs))


def run_lines(runs: tuple[ExperimentRunSummary, ...]) -> Sequence[Text]:
    """Runs as a table."""
    rows = [
        (
            each.run_id,
            each.experiment,
            each.state.value,
            each.verdict.value if each.verdict else "-",
            each.created_at,
            render.clean(each.requested_by),
        )
        for each in runs
    ]
    return render.columns(("run", "experiment", "state", "verdict", "created", "by"), rows) if rows else []


def preview_lines(found: ExperimentPreview) -> Iterator[str]:
    """What would happen."""
    yield f"{found.experiment}  revision {found.revision}  {'ready' if found.ready else 'not ready'}"
    for each in found.faults:
        yield from _fault_lines(each)
    yield f"  gate: {found.gate.outcome.value}: {render.clean(found.gate.reason)}"
    for check in found.gate.checks:
        yield f"    {_MARKS[check.status.value]} {check.name.value}  {render.clean(check.reason)}"
    yield f"  takes {found.longest_seconds:.0f} s at most, costs ${found.cost_dollars:.2f}"
    yield f"  digest {found.digest}"


def _fault_lines(each: FaultPreview) -> Iterator[str]:
    what = f"{each.provider.value} {each.action} at {each.percent:g}%"
    yield f"  step {each.step}  {each.fault}  {what}: {each.target_count} of {each.candidates} targets"
    for target in each.targets[:_SHOWN_TARGETS]:
        where = f"  in {render.clean(target.namespace)}" if target.namespace else ""
        yield f"    → {render.clean(target.name)}{where}"
    if each.target_count > _SHOWN_TARGETS:
        yield f"    → and {each.target_count - _SHOWN_TARGETS} more"
    for permission in each.permissions:
        detail = f"  {render.clean(permission.detail)}" if permission.detail else ""
        yield f"    {'✓' if permission.allowed else '✗'} may {permission.name}{detail}"
    yield from (f"    undone by: {render.clean(line)}" for line in each.compensation)
    yield from (f"    warning: {render.clean(line)}" for line in each.warnings)
    yield from (f"    problem: {render.clean(line)}" for line in each.problems)


def run_headline(run: ExperimentRunView) -> str:
    """A run in one line."""
    verdict = f"  {run.verdict.value}" if run.verdict else ""
    step = f"  step {run.step} of {run.steps}" if run.step else ""
    return f"{run.run_id}  {run.experiment}  {run.state.value}{step}{verdict}"


def ending_lines(run: ExperimentRunView) -> Iterator[str]:
    """How a run ended."""
    yield run_headline(run)
    if run.reason:
        yield f"  {render.clean(run.reason)}"
    if run.abort:
        told = f"{run.abort.cause.value}: {render.clean(run.abort.reason)}"
        yield f"  aborted by {render.clean(run.abort.by)}, {told}"
    times = (
        ("to detect", run.timings.to_detect),
        ("to abort", run.timings.to_abort),
        ("to recover", run.timings.to_recover),
    )
    known = [f"{name} {seconds:.1f} s" for name, seconds in times if seconds is not None]
    if known:
        yield f"  {', '.join(known)}"
    for each in run.faults:
        yield f"  {each.name} in step {each.step}: {each.state.value}"


def timeline_line(entry: TimelineEntry) -> str:
    """A line of a timeline."""
    return f"{entry.at}  {entry.kind.value}  {render.clean(entry.actor)}  {render.clean(entry.text)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
