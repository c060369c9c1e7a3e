"""CloseStage: decide whether the next stage runs."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import CloseStageTask, PlanRunAnswer
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: CloseStageTask) -> PlanRunAnswer:
    """Called when every shard of the stage was answered."""
    return tasks.close_stage()(task.run_id, stage=task.stage)
