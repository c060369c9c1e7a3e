"""CloseStep: what the monitor answered."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import CloseStepTask, EngineAnswer
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: CloseStepTask) -> EngineAnswer:
    """Called when the token of a wait was answered, with whatever outcome."""
    return chaos_workers.close_step()(task.run_id, step=task.step, answer=task.answer)
