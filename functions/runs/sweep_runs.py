"""SweepRuns: the backstop behind every message that may be lost."""

from crosswind.bootstrap import workers
from crosswind.contracts.workers import SweepAnswer, SweepTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(_task: SweepTask) -> SweepAnswer:
    """Called by a rule each minute, and by `crosswind up`."""
    swept = workers.sweep_runs()()
    return SweepAnswer(rearmed=swept.rearmed, recovered=swept.recovered, sent=swept.sent)
