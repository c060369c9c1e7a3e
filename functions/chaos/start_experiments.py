"""StartExperiments: start what schedules make due."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import StartAnswer, StartTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: StartTask) -> StartAnswer:
    """Called by a rule each minute."""
    return chaos_workers.start_experiments()(task.team, task.experiment)
