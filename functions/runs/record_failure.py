"""RecordFailure: note that a state gave up, for the verdict."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import RecordFailureTask, RunTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: RecordFailureTask) -> RunTask:
    """Called by every Catch."""
    tasks.record_failure()(task.run_id, state=task.state, failure=task.failure, ticket=task.ticket)
    return RunTask(run_id=task.run_id)
