"""Nodes that are deleted or fall silent; last, because clusters take their time over it."""

import pytest

from tests.cluster.clusters import wait_for
from tests.cluster.scene import Scene
from tests.cluster.test_faults import disruption

pytestmark = pytest.mark.xdist_group("cluster")


def test_a_pod_on_a_silent_node_is_given_up_but_stays(scene: Scene) -> None:
    pod = scene.wait_for(
        "node-silent",
        lambda pod: disruption(pod) == "DeletionByTaintManager",
        what="to be given up",
        seconds=60,
    )
    assert pod["metadata"]["deletionTimestamp"]
    # Nobody is left who would say that it ended: it runs for ever, and its Job never finishes.
    assert pod["status"]["phase"] == "Running"
    assert not scene.history.is_gone("node-silent")
    assert scene.job_failure("node-silent") == ""
    ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
    assert ready["status"] == "False"


def test_a_pod_on_a_deleted_node_is_collected(scene: Scene) -> None:
    pod = scene.wait_for_phase("node-deleted", "Failed", seconds=120)
    assert disruption(pod) == "DeletionByPodGC"
    assert pod["status"]["containerStatuses"][0]["state"].get("running")  # as it was last heard of
    wait_for(lambda: scene.history.is_gone("node-deleted"), what="the pod to be gone")
    wait_for(lambda: scene.job_failure("node-deleted") == "BackoffLimitExceeded", what="the Job")
