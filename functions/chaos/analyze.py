"""Analyze: give the run its verdict, and keep its reports."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import AnalyzeAnswer, AnalyzeTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: AnalyzeTask) -> AnalyzeAnswer:
    """Called when every removal is proven."""
    return chaos_workers.analyze()(task.run_id)
