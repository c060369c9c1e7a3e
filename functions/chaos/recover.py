"""Recover: undo everything that a run injected, and prove it."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import EngineAnswer, RecoverTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: RecoverTask) -> EngineAnswer:
    """Called on every path once something may have been injected."""
    return chaos_workers.recover()(task.run_id)
