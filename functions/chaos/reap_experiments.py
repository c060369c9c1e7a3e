"""ReapExperiments: undo what nobody else does."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import ReapAnswer, ReapTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: ReapTask) -> ReapAnswer:
    """Called by a run's dead-man schedule for that run, and by a rule each minute for all."""
    return chaos_workers.reap_experiments()(task.run_id)
