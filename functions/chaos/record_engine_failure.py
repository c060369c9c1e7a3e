"""RecordEngineFailure: keep why a state of the machine gave up."""

from crosswind.bootstrap import chaos_workers
from crosswind.contracts.chaos.tasks import EngineFailureTask, ExperimentInput
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: EngineFailureTask) -> ExperimentInput:
    """Called by a Catch; the recovery comes next."""
    detail = f"{task.failure.error}: {task.failure.cause}"
    chaos_workers.record_engine_failure()(task.run_id, state=task.state, detail=detail)
    return ExperimentInput(run_id=task.run_id)
