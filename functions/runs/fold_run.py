"""FoldResults: put the results of all shards together."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import FoldRunAnswer, RunTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: RunTask) -> FoldRunAnswer:
    """Called when no further stage runs, whatever the reason."""
    return tasks.fold_run()(task.run_id)
