"""PublishRun: finish the run and publish its event."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import RunTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: RunTask) -> RunTask:
    """Called last, on every path."""
    tasks.publish_run()(task.run_id)
    return task
