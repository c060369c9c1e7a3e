"""Real containers on a real kubelet, under Pod Security `restricted`."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from tests.cluster.clusters import wait_for
from tests.cluster.manifests import container, job, pod_spec
from tests.cluster.real import HOST_ADDRESS, NODE, RealNode
from tests.cluster.reality import DELETED, EXIT_CODE, KILLED, OOM, lived, on_real_node
from tests.cluster.scene import Scene

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A server on 127.0.0.1 of this machine; its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from outside")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as above
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@pytest.fixture(scope="module")
def life(real_node: RealNode, server: int) -> Iterator[Scene]:
    """All Jobs, under way; and two that try to reach the machine."""
    exposed = real_node.expose(server)
    reach = pod_spec(container("get", f"http://{exposed}/"))
    trespass = pod_spec(container("get", f"http://127.0.0.1:{server}/"))
    outside = pod_spec(container("get", "http://192.0.2.1/"))
    with lived(
        real_node,
        job("reaches-what-is-exposed", on_real_node(reach)),
        job("does-not-reach-loopback", on_real_node(trespass)),
        job("does-not-reach-the-world", on_real_node(outside)),
    ) as scene:
        yield scene


def log(scene: Scene, name: str, container_name: str = "tests") -> str:
    """What a container said."""
    said: str = scene.cluster.core.read_namespaced_pod_log(
        scene.pod_name(name), scene.namespace, container=container_name
    )
    return said


def ended(scene: Scene, name: str, phase: str, container_name: str = "tests") -> dict[str, object]:
    """How a container of a Job's pod ended, when the pod is in a phase."""
    statuses = scene.wait_for_phase(name, phase)["status"]["containerStatuses"]
    found: dict[str, object] = next(each for each in statuses if each["name"] == container_name)["state"][
        "terminated"
    ]
    return found


def test_a_job_with_an_init_container_and_a_volume_completes(life: Scene) -> None:
    state = ended(life, "real-succeeded", "Succeeded")
    assert (state["exitCode"], state["reason"]) == (0, "Completed")
    assert log(life, "real-succeeded") == "made before\n"
    wait_for(lambda: life.job("real-succeeded")["status"].get("succeeded"), what="the Job")


def test_a_sidecar_is_ready_before_the_tests_start(life: Scene) -> None:
    ended(life, "real-served", "Succeeded")
    assert log(life, "real-served") == "200 served /orders\n"


def test_an_exit_code_is_told(life: Scene) -> None:
    state = ended(life, "real-failed", "Failed")
    assert (state["exitCode"], state["reason"]) == (EXIT_CODE, "Error")


def test_a_program_that_is_not_in_the_image_fails_the_pod_before_it_starts(life: Scene) -> None:
    state = ended(life, "real-start-error", "Failed")
    assert (state["exitCode"], state["reason"]) == (128, "StartError")
    assert "no such file or directory" in str(state["message"])
    assert "Running" not in life.history.phases("real-start-error")


def test_too_much_memory_kills_the_one_container(life: Scene) -> None:
    told = [ended(life, name, "Failed") for name in OOM]
    assert {state["exitCode"] for state in told} == {137}
    assert "OOMKilled" in {state["reason"] for state in told}
    assert {ended(life, name, "Failed", "agent")["exitCode"] for name in OOM} == {0}


def test_a_container_that_is_killed_fails_its_pod(life: Scene, real_node: RealNode) -> None:
    life.wait_for_phase(KILLED, "Running")
    real_node.kill_container(life.namespace, life.pod_name(KILLED), "tests")
    state = ended(life, KILLED, "Failed")
    assert (state["exitCode"], state["reason"]) == (137, "Error")


def test_a_pod_can_be_asked_while_it_runs_and_is_told_to_end(life: Scene) -> None:
    life.wait_for_phase(DELETED, "Running")
    pod = life.pod_name(DELETED)
    core = life.cluster.core
    wait_for(lambda: "sleeping" in log(life, DELETED), what="its first words")
    said = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        life.namespace,
        command=["/probe", "say", "from inside"],
        stdout=True,
    )
    assert said == "from inside\n"
    core.delete_namespaced_pod(pod, life.namespace)
    state = ended(life, DELETED, "Failed")
    assert state["exitCode"] == 143


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("real-image-never", {"ErrImageNeverPull"}),
        ("real-image-pull", {"ErrImagePull", "ImagePullBackOff"}),
        ("real-config-error", {"CreateContainerConfigError"}),
    ],
)
def test_a_container_that_cannot_start_says_why(life: Scene, name: str, reasons: set[str]) -> None:
    def waiting() -> str:
        statuses = life.history.last(name).get("status", {}).get("containerStatuses", [{}])
        return str(statuses[0].get("state", {}).get("waiting", {}).get("reason", ""))

    wait_for(lambda: waiting() in reasons, what=f"{name} to say one of {reasons}")
    assert life.history.phases(name) == ["Pending"]


def test_a_pod_beyond_its_deadline_is_failed_by_the_kubelet(life: Scene) -> None:
    status = life.wait_for_phase("real-deadline-of-pod", "Failed")["status"]
    assert status["reason"] == "DeadlineExceeded"


def test_a_pod_reaches_what_was_exposed_to_it_and_nothing_else(life: Scene) -> None:
    ended(life, "reaches-what-is-exposed", "Succeeded")
    assert log(life, "reaches-what-is-exposed") == "200 from outside\n"
    for name in ("does-not-reach-loopback", "does-not-reach-the-world"):
        assert ended(life, name, "Failed")["exitCode"] == 1
        assert "dial tcp" in log(life, name)


def test_a_container_runs_without_rights(life: Scene, real_node: RealNode) -> None:
    root = on_real_node(pod_spec(container("pause"), securityContext={"runAsUser": 0}))
    with pytest.raises(ApiException, match="violates PodSecurity"):
        life.cluster.core.create_namespaced_pod(life.namespace, {"metadata": {"name": "root"}, "spec": root})
    node = life.cluster.core.read_node(NODE)
    assert node.status.node_info.container_runtime_version.startswith("containerd://")


def test_the_pods_network_is_no_part_of_the_machines(real_node: RealNode) -> None:
    addresses = Path("/proc/net/fib_trie").read_text(encoding="ascii")
    assert HOST_ADDRESS not in addresses
    assert not any("cw-node" in line for line in Path("/proc/self/mountinfo").read_text().splitlines())
    assert os.geteuid() == 0
