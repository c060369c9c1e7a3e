"""SweepRuns: the backstop behind every message that may be lost."""

from crosswind.bootstrap import workers
from crosswind.contracts.workers import SweepAnswer, SweepTask
from crosswind.edge import telemetry
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(_task: SweepTask) -> SweepAnswer:
    """Called by a rule each minute, and by `crosswind up`."""
    swept = workers.sweep_runs()()
    telemetry.count(
        stage=workers.stage(),
        orphaned_runs=swept.recovered,
        unwatched_runs=swept.rearmed,
        delayed_events=swept.sent,
    )
    return SweepAnswer(rearmed=swept.rearmed, recovered=swept.recovered, sent=swept.sent)
