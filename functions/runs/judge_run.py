"""JudgeRun: give the run its verdict."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import JudgeRunAnswer, RunTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: RunTask) -> JudgeRunAnswer:
    """Called after FoldResults, also when that gave up."""
    verdict = tasks.judge_run()(task.run_id)
    return JudgeRunAnswer(verdict=verdict.kind.value, reason=verdict.reason)
