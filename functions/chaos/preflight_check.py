"""PreFlightCheck: whether a run of an experiment may begin."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import EngineAnswer, ExperimentInput
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: ExperimentInput) -> EngineAnswer:
    """Called first in every execution."""
    return chaos_workers.preflight_check()(task.run_id)
