"""The shop's suite in real pods: the runner's own image, containerd and a kubelet, and the embedded cloud."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers.build import ROOT, BuildError
from crosswind.runs.pods.jobs import AGENT, RUN_LABEL, TESTS, TTL_SECONDS, USER
from tests.cluster.clusters import wait_for
from tests.cluster.real import NODE, RealNode
from tests.cluster.real_pods import NAME, NAMESPACE, SECRET, TEAM, FollowedLogs, RealPods, real_pods
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api
from tests.images.store import ensure_archive

pytestmark = pytest.mark.xdist_group("cluster")

SHARDS = 3
TESTS_OF_SHOP = 29
# Beside the shop's tests, not in them: time to look at the pods, and a file from each test that says where it ran.
CONFTEST = """
import json, os, time
from pathlib import Path
import pytest

@pytest.fixture(autouse=True)
def told(request):
    seen = sorted(name for name in os.environ if name.startswith(("AWS_", "CROSSWIND_RUN", "KUBERNETES")))
    Path("told").mkdir(exist_ok=True)
    where = {"pod": os.uname().nodename, "user": os.getuid(), "seen": seen}
    Path("told", f"{request.node.name}.json").write_text(json.dumps(where))
    yield
    time.sleep(float(os.environ["PACE"]))
"""


@dataclass(frozen=True)
class Shop:
    """The example, with a suite for this cluster."""

    suite: Path
    kube: RealPods
    runs: list[str] = field(default_factory=list)

    def run(self) -> str:
        """Submit it; the run's id."""
        answer = json.loads(self.kube.say("run", "-f", str(self.suite), "--json"))
        self.runs.append(answer["executionId"])
        return self.runs[-1]


@pytest.fixture(scope="module")
def imported(real_node: RealNode) -> Iterator["Future[dict[str, str]]"]:
    """The images, on their way into the node while the cloud starts."""
    try:
        archive, tags = ensure_archive()
    except BuildError as missing:
        pytest.skip(str(missing))

    def bring() -> dict[str, str]:
        real_node.import_image(archive)
        return tags

    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(bring)


@pytest.fixture(scope="module")
def kube(imported: "Future[dict[str, str]]", cloud: Cloud, real_node: RealNode) -> Iterator[RealPods]:
    """A cluster of one real node, prepared for team demo."""
    with real_pods(cloud, real_node, imported.result(timeout=300)) as made:
        yield made


@pytest.fixture(scope="module")
def shop(kube: RealPods, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A copy: its pods have no way to a package index, and pytest is in their image."""
    folder = tmp_path_factory.mktemp("shop") / "shop"
    example = ROOT / "examples/shop"
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns("__pycache__", "frameworks", ".*"))
    (folder / "tests/conftest.py").write_text(CONFTEST, encoding="utf-8")
    suite = yaml.safe_load((folder / "suite.yaml").read_text(encoding="utf-8"))
    suite["spec"]["cluster"] = NAME
    for stage in suite["spec"]["stages"]:
        (job,) = stage["tests"]
        del job["setup"]
        job |= {"resources": {"cpu": "600m", "memory": "256Mi"}, "artifacts": ["told/*.json"]}
        job["env"]["PACE"] = "0.05" if stage["name"] == "unit" else "0.8"
        job["shards"]["count"] = 1 if stage["name"] == "unit" else SHARDS
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    return Shop(folder / "suite.yaml", kube)


def test_the_shops_suite_runs_in_real_pods_with_live_logs_and_artifacts(
    shop: Shop, api: Api, kube: RealPods, tmp_path: Path
) -> None:
    run = shop.run()
    with FollowedLogs(kube.cloud, run).following() as logs:
        work = logs.wait_for("tests/api", among="shard")
        (pod,) = kube.pods(run, work)  # as it runs
    assert pod.status.phase == "Running"
    assert [each.name for each in pod.spec.containers] == [AGENT]
    assert [each.name for each in pod.spec.init_containers] == [TESTS]
    rules = kube.cluster.core.read_namespace(NAMESPACE).metadata.labels
    assert rules["pod-security.kubernetes.io/enforce"] == "restricted"

    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view["verdict"]
    assert len(api.cases(run)) == TESTS_OF_SHOP
    shards = {row["workId"]: row for row in kube.ended(run, api) if row["workId"].startswith("shard")}
    assert len(shards) == 1 + SHARDS
    assert {(row["state"], row["attempt"], row["node"]) for row in shards.values()} == {
        ("succeeded", 1, NODE)
    }
    assert kube.say("pods", run).count("The cluster's nodes: ") == len(kube.ended(run, api))

    kube.say("artifacts", run, "--download", str(tmp_path))
    told = {
        shard: [json.loads(path.read_text()) for path in (tmp_path / shard / "told").glob("*.json")]
        for shard in shards
    }
    assert sum(len(each) for each in told.values()) == TESTS_OF_SHOP
    for shard, places in told.items():
        assert {place["pod"].rpartition("-")[0] for place in places} == {shards[shard]["job"]}
        assert {place["user"] for place in places} == {USER}
        assert all(place["seen"] == [] for place in places)  # nothing of the agent's


def test_a_shard_whose_agent_or_tests_are_killed_runs_again(
    shop: Shop, api: Api, kube: RealPods, real_node: RealNode
) -> None:
    run = shop.run()
    with FollowedLogs(kube.cloud, run).following() as logs:
        first = logs.wait_for("tests/api", among="shard")
        second = logs.wait_for("tests/api", among="shard", but=first)
        for work, container in ((first, AGENT), (second, TESTS)):
            (pod,) = kube.pods(run, work)
            real_node.kill_container(NAMESPACE, pod.metadata.name, container)
    view = kube.finished(run, api)

    assert view["verdict"]["kind"] == "passed", view["verdict"]
    assert len(api.cases(run)) == TESTS_OF_SHOP
    attempts = {work["workId"]: work["attempt"] for work in view["work"]}
    assert {work for work, attempt in attempts.items() if attempt == 2} == {first, second}
    lost = {row["workId"]: row for row in kube.ended(run, api) if row.get("reason")}
    assert lost[first]["reason"] == "runner_error"
    assert "its agent was killed" in lost[first]["detail"]
    why = kube.say("why", run)
    assert f"{first} lost attempt 1: runner_error: its agent was killed" in why
    assert f"{second} lost attempt 1: oom_runner: the tests' container ended under the command" in why


def test_the_doctors_probe_is_a_pod_on_the_node_that_reaches_what_it_is_told_to(kube: RealPods) -> None:
    whose = ("--cluster", NAME, "--teams", TEAM, "--kubeconfig", str(kube.cluster.admin), "--json")
    nobody = "192.0.2.1:443"
    done = kube.cloud.crosswind(
        *("clusters", "doctor", *whose, "--probe", "--reach", kube.emulator, "--reach", nobody),
        CROSSWIND_TOKEN=kube.cloud.token("editor"),
    )
    findings = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    reach = findings.pop(f"reach from {NAMESPACE}")
    assert reach["detail"].startswith(f"{nobody}: no connection to 192.0.2.1")
    assert kube.emulator not in reach["detail"]
    wrong = {check: each["detail"] for check, each in findings.items() if not each["ok"] and each["required"]}
    assert not wrong


def test_nothing_is_left_of_runs_that_are_over(kube: RealPods, shop: Shop) -> None:
    first, *_ = shop.runs
    labels = f"{RUN_LABEL}={first}"

    def left() -> list[Any]:
        listed = kube.cluster.batch.list_namespaced_job(NAMESPACE, label_selector=labels).items
        return [*listed, *kube.pods(first)]

    wait_for(lambda: not left(), what="the first run's Jobs and pods to go", seconds=TTL_SECONDS + 30)
    for job in kube.cluster.batch.list_namespaced_job(NAMESPACE).items:  # those of later ones follow
        assert job.spec.ttl_seconds_after_finished == TTL_SECONDS
        assert {each.type for each in job.status.conditions or ()} & {"Complete", "Failed"}
    secrets = {each.metadata.name for each in kube.cluster.core.list_namespaced_secret(NAMESPACE).items}
    assert secrets == {SECRET}  # the one that the operator made
