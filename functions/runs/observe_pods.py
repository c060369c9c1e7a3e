"""ObservePods: look at every cluster's Jobs, tell what was lost, remove what is in the way."""

from crosswind.bootstrap import pods
from crosswind.contracts.workers import ObserveAnswer, ObserveTask
from crosswind.edge import telemetry
from crosswind.edge.task_handler import task_handler


@task_handler
def handler(_task: ObserveTask) -> ObserveAnswer:
    """Called by a rule each minute; a cluster that a controller looks after is left to it."""
    seen = pods.observe_clusters()()
    telemetry.count(
        stage=pods.stage(), pods_lost=seen.lost, pods_replaced=seen.replaced, orphaned_jobs=seen.orphans
    )
    return ObserveAnswer(
        jobs=seen.jobs,
        lost=seen.lost,
        removed=seen.removed,
        replaced=seen.replaced,
        orphans=seen.orphans,
        failed=seen.failed,
    )
