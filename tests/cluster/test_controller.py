"""The controller as a process with its own account on a real API server: what becomes of objects, and how soon it sees pods die."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from crosswind.adapters.kubernetes.calls import Json
from crosswind.adapters.kubernetes.operating import OperatedCluster
from crosswind.controller.views import ROUND_SECONDS
from crosswind.runs.clusters.bundle.controller import CONTROLLER_RULES, TEAM_RULES
from crosswind.runs.clusters.bundle.options import CONTROLLER, BundleOptions, ControllerOptions
from crosswind.runs.clusters.bundle.render import objects_of
from crosswind.runs.clusters.reading import parse_cluster
from crosswind.runs.pods.naming import SYSTEM
from tests.cluster.children import tail
from tests.cluster.clusters import Cluster, plain, wait_for
from tests.cluster.controlled import (
    NAMESPACE,
    PREFIX,
    Attended,
    Objects,
    Process,
    SilentServer,
    seconds_until_told,
    server_as,
)
from tests.cluster.stub_api import TOO_LONG, StubApi, stub_api
from tests.cluster.test_bundle import RISKY, VERBS, resources_of
from tests.cluster.test_carried_work import TEAM

pytestmark = pytest.mark.xdist_group("cluster")

_DOCUMENT = f"""
apiVersion: crosswind.dev/v1
kind: Cluster
metadata: {{name: main}}
spec:
  connection: {{kind: server, endpoint: "https://127.0.0.1", secret: main}}
  namespacePrefix: {PREFIX}
"""
_SUITE: dict[str, Any] = {
    "stages": [
        {
            "name": "all",
            "tests": [
                {
                    "name": "api",
                    "framework": "pytest",
                    "source": {"git": {"uri": "https://git.example/shop.git"}},
                }
            ],
        }
    ]
}
SAMPLES = 20


@pytest.fixture(scope="module")
def prepared(working_cluster: Cluster) -> Iterator[str]:
    """What `crosswind clusters apply --controller` makes."""
    cluster = working_cluster
    wait_for(partial(_is_not_going, cluster, SYSTEM), what=f"an earlier {SYSTEM} to be gone")
    wanted = ControllerOptions(image="registry.example/controller:1", endpoint="https://api.example")
    options = BundleOptions(cluster=parse_cluster(_DOCUMENT), teams=(TEAM,), controller=wanted)
    objects = [each for part in objects_of(options).values() for each in part]
    with OperatedCluster.opened(cluster.admin, None) as operated:
        done = operated.apply(objects, dry_run=False, force=True)
        assert not [each for each in done if each.error], done
    yield NAMESPACE
    for namespace in (NAMESPACE, SYSTEM):
        cluster.core.delete_namespace(namespace, propagation_policy="Background")


def _is_not_going(cluster: Cluster, namespace: str) -> bool:
    found = [each for each in cluster.core.list_namespace().items if each.metadata.name == namespace]
    return not found or found[0].status.phase == "Active"


@pytest.fixture(scope="module")
def account(working_cluster: Cluster, prepared: str) -> Path:
    """A kubeconfig of the controller's own account."""
    return working_cluster.service_account(SYSTEM, CONTROLLER)


@pytest.fixture(scope="module")
def api() -> Iterator[StubApi]:
    with stub_api() as served:
        yield served


@pytest.fixture(scope="module")
def controller(account: Path, api: StubApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(account, api, tmp_path_factory.mktemp("controller"))
    process.start()
    try:
        yield process
    finally:
        process.stop()
        print(tail(process.log, 40))


@pytest.fixture
def objects(working_cluster: Cluster, controller: Process) -> Objects:
    return Objects(working_cluster)


def eventually(look: Callable[[], object], *, what: str, seconds: float = 20) -> None:
    wait_for(look, what=what, seconds=seconds, pause=0.05)


def test_a_suite_is_accepted_refused_with_its_faults_mended_and_deleted(
    objects: Objects, api: StubApi
) -> None:
    objects.make("TestSuite", "checkout", _SUITE)
    eventually(lambda: objects.condition("TestSuite", "checkout")[0] == "True", what="the suite's acceptance")
    assert api.suites["checkout"]["metadata"] == {"name": "checkout", "team": TEAM}
    assert objects.status("TestSuite", "checkout")["observedGeneration"] == 1

    objects.change("TestSuite", "checkout", {"timeout": TOO_LONG})
    eventually(lambda: objects.condition("TestSuite", "checkout")[0] == "False", what="its refusal")
    assert "spec.timeout: is too long; expected 24h at most" in objects.condition("TestSuite", "checkout")[2]
    status = objects.status("TestSuite", "checkout")
    assert status["observedGeneration"] == 1, "the API has the first one"

    objects.change("TestSuite", "checkout", {"timeout": "1h"})
    eventually(lambda: objects.condition("TestSuite", "checkout")[0] == "True", what="its acceptance")
    objects.delete("TestSuite", "checkout")
    eventually(lambda: objects.read("TestSuite", "checkout") is None, what="the object to go")
    assert "checkout" not in api.suites


def test_an_outage_is_unknown_and_over_by_itself(objects: Objects, api: StubApi) -> None:
    api.away = True
    try:
        objects.make("TestSuite", "patient", _SUITE)
        eventually(lambda: objects.condition("TestSuite", "patient")[0] == "Unknown", what="the outage")
    finally:
        api.away = False
    eventually(lambda: objects.condition("TestSuite", "patient")[0] == "True", what="its acceptance")
    objects.delete("TestSuite", "patient")


def test_a_run_is_mirrored_until_its_verdict(
    objects: Objects, api: StubApi, working_cluster: Cluster
) -> None:
    objects.make("TestRun", "nightly", {"suite": "checkout", "parameters": {"users": 3}})
    eventually(lambda: objects.status("TestRun", "nightly").get("executionId"), what="its run")
    run_id = objects.status("TestRun", "nightly")["executionId"]
    assert objects.read("TestRun", "nightly")["metadata"]["finalizers"]  # type: ignore[index]  # it is there

    api.change(
        run_id, state="executing", startedAt="2026-11-23T09:00:05.000Z", tests={"total": 3, "passed": 1}
    )
    began = time.monotonic()
    eventually(lambda: objects.status("TestRun", "nightly").get("state") == "executing", what="its progress")
    assert time.monotonic() - began < 8
    assert objects.status("TestRun", "nightly")["counts"]["passed"] == 1

    api.finish(run_id, "failed", "1 of 3 tests failed")
    eventually(lambda: objects.condition("TestRun", "nightly", "Finished")[0] == "True", what="its verdict")
    status = objects.status("TestRun", "nightly")
    assert (status["verdict"], status["reason"]) == ("failed", "1 of 3 tests failed")
    eventually(
        lambda: not (objects.read("TestRun", "nightly") or {})["metadata"].get("finalizers"),
        what="nothing to keep it",
    )

    def told() -> list[str]:
        listed = working_cluster.core.list_namespaced_event(NAMESPACE).items
        return [each.reason for each in listed if each.involved_object.name == "nightly"]

    eventually(lambda: {"Accepted", "Executing", "Failed"} <= set(told()), what="its events")
    assert len(told()) == 3
    if working_cluster.kubectl_path is not None:
        shown = working_cluster.kubectl("get", "testruns", "-n", NAMESPACE).stdout
        row = " ".join(shown.splitlines()[1].split())
        assert row.startswith(f"nightly checkout finished failed 2 1 3 {run_id} ")

    reads = api.reads
    time.sleep(ROUND_SECONDS * 1.5)
    assert api.reads == reads, "a run that has ended costs nothing"


def test_kubectl_runs_a_suite_and_waits_for_its_verdict(
    controller: Process, api: StubApi, working_cluster: Cluster
) -> None:
    """As `kubectl crosswind run`: kubectl finds the plugin on the PATH, and the plugin finds kubectl there."""
    if working_cluster.kubectl_path is None:
        pytest.skip("there is no kubectl beside this cluster")
    before = set(api.runs)
    path = f"{working_cluster.kubectl_path.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
    running = subprocess.Popen(
        [working_cluster.kubectl_path, "crosswind", "run", "checkout", "-n", NAMESPACE, "--wait"],
        env={"PATH": path, "KUBECONFIG": str(working_cluster.admin), "HOME": str(working_cluster.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: set(api.runs) - before, what="its run")
        (run_id,) = set(api.runs) - before
        api.finish(run_id, "failed", "1 of 3 tests failed")
        said, noted = running.communicate(timeout=30)
    finally:
        running.kill()
    assert said.splitlines()[-1] == "FAILED  1 of 3 tests failed", noted
    assert running.returncode == 1


def test_a_controller_that_is_killed_after_submitting_starts_no_second_run(
    objects: Objects, api: StubApi, controller: Process
) -> None:
    before, runs = len(api.submissions), len(api.runs)
    api.answering.clear()
    objects.make("TestRun", "once", {"suite": "checkout"})
    eventually(lambda: len(api.submissions) > before, what="its submission")
    controller.kill()
    api.answering.set()
    assert "executionId" not in objects.status("TestRun", "once"), "the answer was lost"

    controller.start()
    eventually(lambda: objects.status("TestRun", "once").get("executionId"), what="its run")

    assert len(api.submissions) - before == 2
    assert len(set(api.submissions[before:])) == 1
    assert len(api.runs) == runs + 1


def test_deleting_an_unfinished_run_cancels_it(objects: Objects, api: StubApi) -> None:
    objects.make("TestRun", "unwanted", {"suite": "checkout"})
    eventually(lambda: objects.status("TestRun", "unwanted").get("executionId"), what="its run")
    run_id = objects.status("TestRun", "unwanted")["executionId"]

    objects.delete("TestRun", "unwanted")

    eventually(lambda: objects.read("TestRun", "unwanted") is None, what="the object to go")
    assert api.cancelled == [run_id]


def test_its_pod_passes_restricted(working_cluster: Cluster, prepared: str) -> None:
    deployment = working_cluster.of(client.AppsV1Api).read_namespaced_deployment(CONTROLLER, SYSTEM)
    template = plain(deployment)["spec"]["template"]
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dry"}, "spec": template["spec"]}

    assert working_cluster.core.create_namespaced_pod(SYSTEM, made, dry_run="All").metadata.name == "dry"


def test_its_account_can_do_its_role_and_nothing_beyond(
    working_cluster: Cluster, account: Path, prepared: str
) -> None:
    reviews = working_cluster.of(client.AuthorizationV1Api, account)
    everywhere, own = (_granted(rules) for rules in (CONTROLLER_RULES, TEAM_RULES))
    beyond = [("apps", "deployments"), ("crosswind.dev", "testruns"), ("", "events"), ("", "nodes")]
    for namespace, granted in ((prepared, everywhere | own), ("default", everywhere)):
        for group, resource in (*RISKY, *beyond):
            for verb in VERBS:
                name, _, part = resource.partition("/")
                attributes = {
                    "verb": verb,
                    "group": group,
                    "resource": name,
                    "subresource": part,
                    "namespace": namespace,
                }
                review = reviews.create_self_subject_access_review(
                    {"spec": {"resourceAttributes": attributes}}
                )
                assert review.status.allowed is ((verb, group, resource) in granted), attributes
    known = set(resources_of(working_cluster))
    assert {(group, resource) for _, group, resource in everywhere | own} <= known, "nothing is misspelt"


def _granted(rules: tuple[Json, ...]) -> set[tuple[str, str, str]]:
    return {
        (verb, rule["apiGroups"][0], resource)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture
def clean(working_cluster: Cluster, prepared: str) -> Iterator[None]:
    """Leaves no Job behind."""
    yield
    working_cluster.batch.delete_collection_namespaced_job(prepared, propagation_policy="Background")


@pytest.mark.usefixtures("clean", "nodes")
def test_a_pods_end_is_told_within_two_seconds(working_cluster: Cluster, account: Path) -> None:
    with Attended(server_as(account)) as attended:
        for number in range(SAMPLES):
            attended.world.admit(number)
        took = [seconds_until_told(attended.world, working_cluster, number) for number in range(SAMPLES)]
        caretaker = attended.world.pods.caretaker("main")
    p95 = sorted(took)[round(0.95 * SAMPLES) - 1]
    print(f"told after p50 {statistics.median(took):.2f} s, p95 {p95:.2f} s, at most {max(took):.2f} s")
    assert p95 < 2
    assert caretaker is not None


@pytest.mark.usefixtures("clean", "nodes")
def test_a_watch_that_goes_silent_is_overcome_by_the_list(working_cluster: Cluster, account: Path) -> None:
    with Attended(server_as(account, SilentServer), watch_seconds=2) as attended:
        attended.world.admit(0)

        assert seconds_until_told(attended.world, working_cluster, 0) < 5
