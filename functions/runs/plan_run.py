"""PlanRun: split what the preparations found into shards."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import PlanRunAnswer, RunTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: RunTask) -> PlanRunAnswer:
    """Called once per execution; the plan is made once per run."""
    return tasks.plan_run()(task.run_id)
