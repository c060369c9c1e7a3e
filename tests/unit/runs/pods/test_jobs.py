"""Jobs: the golden manifests, and that no suite makes a pod which Pod Security `restricted` would refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.clusters import CapacityOffer, RunnerSpec
from crosswind.contracts.services import HttpReadiness, Readiness, ServiceResources, ServiceSpec
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import ArchiveSource, PrepareOrder, ShardOrder
from crosswind.runs.pods.jobs import Launch, deadline_seconds, job_of
from tests.unit.runs.pods.samples import (
    FARGATE,
    ON_DEMAND,
    SPOT,
    admitted,
    make_cluster,
    make_launch,
    shard_order,
)

GOLDEN = Path(__file__).with_name("golden")
DATABASE = ServiceSpec(
    name="db",
    image="docker.io/library/postgres:17",
    env={"POSTGRES_HOST_AUTH_METHOD": "trust"},
    ports=(5432,),
    readiness=Readiness(tcp=5432),
    resources=ServiceResources(cpu="500m", memory="512Mi"),
)


def golden_launches() -> dict[str, Launch]:
    command = shard_order(framework="command", command="./check.sh", reports=("out/*.xml",))
    beside = shard_order(services=(DATABASE,))
    prepare = PrepareOrder(
        team="demo",
        preparation="sha256:1",
        source=ArchiveSource(archive=shard_order().archive),
        setup=("pip install -r requirements.txt",),
        framework="pytest",
        args=(),
        env={},
        timeout_seconds=900,
    )
    nodes = make_cluster(
        SPOT,
        ON_DEMAND,
        runner=RunnerSpec(
            credentials_secret="crosswind-runner", env={"AWS_ENDPOINT_URL": "https://10.0.0.1"}
        ),  # its name
    )
    return {
        "pytest-on-fargate": make_launch(),
        "command-on-spot": make_launch(command, cluster=nodes),
        "services-on-demand": make_launch(
            beside, cluster=nodes, offer=ON_DEMAND, work=admitted(interruptible=False, priority=Priority.P0)
        ),
        "preparation": make_launch(prepare),
    }


@pytest.mark.parametrize("name", sorted(golden_launches()))
def test_a_job_is_as_its_golden_file_says(name: str) -> None:
    expected = (GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")

    assert rendered(golden_launches()[name]) == expected


def rendered(launch: Launch) -> str:
    text: str = yaml.safe_dump(job_of(launch), sort_keys=False, width=110)
    return text


def test_a_job_outlives_what_its_runner_may_take() -> None:
    order = shard_order(timeout_seconds=600, test_retries=2)

    assert deadline_seconds(order, make_cluster(pending="4m")) >= 3 * 600 + 2 * 240


TEXTS = st.text(max_size=40)
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
SERVICES = st.builds(
    ServiceSpec,
    name=NAMES,
    image=st.just("docker.io/library/x:1"),
    command=st.lists(TEXTS, max_size=3).map(tuple),
    args=st.lists(TEXTS, max_size=3).map(tuple),
    env=st.dictionaries(st.from_regex(r"[A-Z_]{1,10}", fullmatch=True), TEXTS, max_size=3),
    readiness=st.none()
    | st.builds(Readiness, tcp=st.integers(1, 65535))
    | st.builds(Readiness, http=st.builds(HttpReadiness, port=st.integers(1, 65535))),
)


@st.composite
def launches(draw: st.DrawFn) -> Launch:
    team = draw(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
    order = shard_order(
        team=team,
        image=draw(st.none() | st.just("registry.example/own:2")),
        env=draw(st.dictionaries(TEXTS, TEXTS, max_size=3)),
        services=tuple(draw(st.lists(SERVICES, max_size=3, unique_by=lambda each: each.name))),
        secret_refs=draw(st.dictionaries(TEXTS, NAMES, max_size=2)),
    )
    offer: CapacityOffer = draw(st.sampled_from([FARGATE, SPOT, ON_DEMAND]))
    work = admitted(
        team=team,
        test=draw(NAMES),
        suite=draw(st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True)),
        interruptible=draw(st.booleans()),
        cpu_millis=draw(st.integers(1, 16_000)),
        memory_mib=draw(st.integers(1, 60_000)),
    )
    return make_launch(order, work=work, cluster=make_cluster(offer))


@given(launches())
def test_no_suite_makes_a_pod_that_restricted_refuses_or_that_names_what_is_anothers(launch: Launch) -> None:
    job = job_of(launch)
    pod = job["spec"]["template"]["spec"]

    assert restricted_faults(pod) == []
    assert job["metadata"]["namespace"].startswith("crosswind-")
    assert len(job["metadata"]["namespace"]) <= 63
    assert pod["serviceAccountName"] == "crosswind-runner"
    assert pod["automountServiceAccountToken"] is False
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod["volumes"])
    assert "secretRef" not in json.dumps(job)
    assert "secretKeyRef" not in json.dumps(job)
    skipped = job["spec"]["template"]["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"]
    assert set(skipped.split(",")) == {each["name"] for each in pod["initContainers"]}
    for value in job["metadata"]["labels"].values():
        assert len(value) <= 63


@given(launches())
def test_what_is_not_the_agent_is_told_nothing_of_the_deployment(launch: Launch) -> None:
    pod = job_of(launch)["spec"]["template"]["spec"]

    for container in pod["initContainers"]:
        given = {each["name"] for each in container.get("env", ())}
        assert not {name for name in given if name.startswith(("CROSSWIND_", "AWS_"))} - {
            name for service in _services(launch) for name in service.env
        }
        assert "envFrom" not in container


def _services(launch: Launch) -> tuple[ServiceSpec, ...]:
    return launch.order.services if isinstance(launch.order, ShardOrder) else ()


def restricted_faults(pod: dict[str, Any]) -> list[str]:
    """What Pod Security `restricted` finds, by its published controls; the real one is asked in tests/cluster."""
    faults = []
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        faults.append("host namespaces")
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    faults += [str(volume) for volume in pod["volumes"] if not set(volume) - {"name"} <= allowed]
    for container in (*pod["containers"], *pod["initContainers"]):
        context = container["securityContext"]
        checks = {
            "privileged": not context.get("privileged"),
            "escalation": context.get("allowPrivilegeEscalation") is False,
            "root": context.get("runAsNonRoot") is True and context.get("runAsUser", 1) != 0,
            "capabilities": context["capabilities"] == {"drop": ["ALL"]},
            "seccomp": context["seccompProfile"]["type"] in {"RuntimeDefault", "Localhost"},
            "ports": all("hostPort" not in port for port in container.get("ports", ())),
        }
        faults += [f"{container['name']}: {name}" for name, well in checks.items() if not well]
    return faults


if __name__ == "__main__":
    for name, launch in golden_launches().items():
        (GOLDEN / f"{name}.yaml").write_text(rendered(launch), encoding="utf-8")
