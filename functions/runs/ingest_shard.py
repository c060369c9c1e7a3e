"""IngestShard: read the reports of one committed shard."""

from crosswind.bootstrap import tasks
from crosswind.contracts.tasks import IngestShardAnswer, IngestShardTask
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(task: IngestShardTask) -> IngestShardAnswer:
    """Called when a shard's token was answered, with whatever outcome; the work item tells the truth."""
    return tasks.ingest_shard()(task.run_id, task.work_id)
