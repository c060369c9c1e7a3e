"""InjectStep: inject the faults of one step."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import EngineAnswer, StepTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: StepTask) -> EngineAnswer:
    """Called when the monitor is live, and when the step before is over."""
    return chaos_workers.inject_step()(task.run_id, step=task.step)
