"""FireSchedules: start what schedules make due."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import FireAnswer, FireTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: FireTask) -> FireAnswer:
    """Called by a schedule's alarm for that schedule, and by a rule each minute for all that are overdue."""
    if task.team is not None and task.name is not None:
        fired = schedules.fire_schedule()(task.team, task.name)
        return FireAnswer(dealt_with=int(fired is not None), faults=0)
    done = schedules.fire_overdue()()
    return FireAnswer(dealt_with=done.dealt_with, faults=done.faults)
