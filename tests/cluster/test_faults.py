"""Each simulated fault looks to an observer as a cluster shows it; docs/testing-on-kubernetes.md lists them."""

from typing import Any

import pytest

from tests.cluster.clusters import wait_for
from tests.cluster.scene import Scene

pytestmark = pytest.mark.xdist_group("cluster")


def container(pod: dict[str, Any], name: str = "tests") -> dict[str, Any]:
    """The state of a container."""
    states = [each["state"] for each in pod["status"]["containerStatuses"] if each["name"] == name]
    found: dict[str, Any] = states[0]
    return found


def disruption(pod: dict[str, Any]) -> str:
    """The reason of a disruption, if there was one."""
    conditions = pod["status"].get("conditions", [])
    return next((str(each["reason"]) for each in conditions if each["type"] == "DisruptionTarget"), "")


def waiting(pod: dict[str, Any]) -> str:
    """Why the tests' container waits."""
    if not pod["status"].get("containerStatuses"):
        return ""
    return str(container(pod).get("waiting", {}).get("reason", ""))


def test_a_pod_that_succeeds(scene: Scene) -> None:
    pod = scene.wait_for_phase("succeeded", "Succeeded")
    assert scene.history.phases("succeeded") == ["Pending", "Running", "Succeeded"]
    assert container(pod)["terminated"]["reason"] == "Completed"
    wait_for(lambda: scene.job("succeeded")["status"].get("succeeded") == 1, what="the Job")


def test_a_container_that_fails_by_itself(scene: Scene) -> None:
    pod = scene.wait_for_phase("failed", "Failed")
    assert container(pod, "agent")["terminated"]["exitCode"] == 3  # the first, unless one is named
    assert not disruption(pod)
    wait_for(lambda: scene.job_failure("failed") == "BackoffLimitExceeded", what="the Job")


def test_a_container_that_is_out_of_memory(scene: Scene) -> None:
    pod = scene.wait_for_phase("oom", "Failed")
    ended = container(pod)["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert container(pod, "agent")["terminated"]["exitCode"] == 0
    assert not disruption(pod)


def test_a_pod_that_is_evicted_by_its_node(scene: Scene) -> None:
    pod = scene.wait_for_phase("evicted", "Failed")
    assert pod["status"]["reason"] == "Evicted"
    assert pod["status"]["message"].startswith("The node was low on resource: memory.")
    assert disruption(pod) == "TerminationByKubelet"
    assert "deletionTimestamp" not in pod["metadata"]  # it stays, for people to look at


def test_a_pod_on_an_interrupted_spot_node(scene: Scene) -> None:
    pod = scene.wait_for_phase("spot-interruption", "Failed")
    assert disruption(pod) == "EvictionByEvictionAPI"
    assert pod["metadata"]["deletionTimestamp"]
    assert container(pod)["terminated"]["exitCode"] == 143
    wait_for(lambda: scene.history.is_gone("spot-interruption"), what="the pod to be gone")


def test_a_pod_that_makes_room_for_a_more_urgent_one(scene: Scene) -> None:
    pod = scene.wait_for_phase("preempted", "Failed")
    assert disruption(pod) == "PreemptionByScheduler"
    assert scene.wait_for_phase("urgent", "Running")["spec"]["nodeName"] == pod["spec"]["nodeName"]


def test_a_pod_beyond_its_own_deadline(scene: Scene) -> None:
    pod = scene.wait_for_phase("deadline-of-pod", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    wait_for(lambda: scene.job_failure("deadline-of-pod") == "BackoffLimitExceeded", what="the Job")


def test_a_job_beyond_its_deadline_takes_its_pod_away(scene: Scene) -> None:
    wait_for(lambda: scene.job_failure("deadline-of-job") == "DeadlineExceeded", what="the Job")
    pod = scene.wait_for_phase("deadline-of-job", "Failed")
    assert container(pod)["terminated"]["exitCode"] == 143
    assert not disruption(pod)
    assert "reason" not in pod["status"]  # only the Job says why
    wait_for(lambda: scene.history.is_gone("deadline-of-job"), what="the pod to be gone")


def test_a_job_that_is_deleted_takes_its_pod_away(scene: Scene) -> None:
    pod = scene.wait_for_phase("deleted", "Failed")
    assert container(pod)["terminated"]["exitCode"] == 143
    assert not disruption(pod)
    wait_for(lambda: scene.history.is_gone("deleted"), what="the pod to be gone")


def test_an_image_that_cannot_be_pulled(scene: Scene) -> None:
    scene.wait_for("image-pull", lambda pod: waiting(pod) == "ImagePullBackOff", what="to back off")
    reasons = [waiting(pod) for pod in scene.history.of("image-pull")]
    assert "ErrImagePull" in reasons
    assert scene.history.phases("image-pull") == ["Pending"]
    assert scene.job_failure("image-pull") == ""  # it waits for ever


def test_a_secret_that_is_missing(scene: Scene) -> None:
    pod = scene.wait_for(
        "config-error", lambda pod: waiting(pod) == "CreateContainerConfigError", what="to be refused"
    )
    assert "not found" in container(pod)["waiting"]["message"]


@pytest.mark.parametrize(
    ("name", "why"),
    [("unschedulable", "didn't match Pod's node affinity/selector"), ("too-large", "Insufficient cpu")],
)
def test_a_pod_that_no_node_takes(scene: Scene, name: str, why: str) -> None:
    def unschedulable(pod: dict[str, Any]) -> bool:
        return any(
            each["type"] == "PodScheduled"
            and each.get("reason") == "Unschedulable"
            and why in each["message"]
            for each in pod["status"].get("conditions", [])
        )

    pod = scene.wait_for(name, unschedulable, what="to be unschedulable")
    assert pod["status"]["phase"] == "Pending"
    assert "nodeName" not in pod["spec"]


def test_a_job_whose_pods_are_refused_has_no_pod(scene: Scene) -> None:
    events = wait_for(lambda: scene.events("FailedCreate"), what="the event")
    assert 'violates PodSecurity "restricted:latest"' in events[0]["message"]
    assert scene.history.of("refused") == []
    assert "conditions" not in scene.job("refused")["status"]
