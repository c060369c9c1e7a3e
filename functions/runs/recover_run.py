"""RecoverRun: an execution failed, timed out or was stopped; carry its run on."""

from crosswind.bootstrap import workers
from crosswind.contracts.workers import ExecutionStatusChanged, RecoverAnswer
from crosswind.edge import telemetry
from crosswind.edge.task_handler import task_handler
from crosswind.runs.lifecycle import run_of_execution


@task_handler
def handler(event: ExecutionStatusChanged) -> RecoverAnswer:
    """Called by the rule for Step Functions' status changes."""
    run_id = run_of_execution(event.detail.name)
    telemetry.add(run_id=run_id)
    return RecoverAnswer(recovery=workers.recover_run()(run_id) if run_id else "ignored")
