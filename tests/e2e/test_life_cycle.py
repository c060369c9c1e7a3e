"""The embedded cloud's own life: started twice, killed, stopped, on a taken port."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import httpx
import psutil
import pytest

from crosswind.local import processes, toxiproxy
from crosswind.local.home import ProcessRef
from tests.e2e.conftest import SNAPSHOT_SECONDS, Cloud
from tests.e2e.runs import Api

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("life-cycle")]


@pytest.fixture(scope="module", autouse=True)
def _left_as_it_was(cloud: Cloud) -> Iterator[None]:
    """Whatever fails here, the tests of this worker that follow find their cloud up."""
    yield
    cloud.up()


def own_code(cloud: Cloud) -> Mapping[str, ProcessRef]:
    """The processes that run Crosswind's code."""
    return {name: ref for name, ref in cloud.state.processes.items() if name != toxiproxy.NAME}


def names_of_items(cloud: Cloud) -> set[str]:
    table = json.loads(cloud.state.outputs["RunnerEnvironment"])["CROSSWIND_RUNS_TABLE"]
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["pk"]["S"] for page in pages for item in page["Items"]}


def put_item(cloud: Cloud, name: str) -> None:
    table = json.loads(cloud.state.outputs["RunnerEnvironment"])["CROSSWIND_RUNS_TABLE"]
    cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": name}, "sk": {"S": "-"}})


def test_a_second_up_changes_nothing(cloud: Cloud) -> None:
    cloud.up()
    before = cloud.state
    logs = {log: log.stat().st_mtime_ns for log in cloud.home.logs.glob("*.log")}
    cloud.up()
    assert cloud.state == before
    for name in ("synth", "bootstrap", "deploy"):
        log = cloud.home.logs / f"{name}.log"
        assert log.stat().st_mtime_ns == logs[log]


def test_up_starts_anew_what_runs_older_code_and_keeps_the_data(cloud: Cloud) -> None:
    cloud.up()
    put_item(cloud, "LIFE#upgraded")
    before = own_code(cloud)
    older = {name: replace(ref, made_from="older") for name, ref in before.items()}
    cloud.home.save(replace(cloud.state, processes={**cloud.state.processes, **older}))
    cloud.up()
    after = own_code(cloud)
    assert {name: ref.made_from for name, ref in after.items()} == {
        name: ref.made_from for name, ref in before.items()
    }
    assert all(after[name].pid != ref.pid for name, ref in before.items())
    assert [processes.find(ref) for ref in before.values()] == [None] * len(before)
    assert "LIFE#upgraded" in names_of_items(cloud)


def test_up_leaves_a_toxiproxy_that_runs_alone_because_it_would_forget_its_proxies(cloud: Cloud) -> None:
    if toxiproxy.find_toxiproxy() is None:
        pytest.skip("toxiproxy-server is not installed")
    cloud.up()
    before = cloud.state.processes[toxiproxy.NAME]
    cloud.home.save(cloud.state.with_process(toxiproxy.NAME, replace(before, made_from="older")))
    cloud.up()
    assert cloud.state.processes[toxiproxy.NAME].pid == before.pid


def test_every_part_is_well_after_up(cloud: Cloud) -> None:
    cloud.up()
    done = cloud.crosswind("status", "--json")
    assert done.returncode == 0, done.stdout
    names = {part["name"] for part in json.loads(done.stdout)["parts"]}
    assert {"gateway", "emulator", "pool", "crosswind-local-runs", "admission queue"} <= names


@pytest.mark.parametrize("component", ["gateway", "emulator", "whoami"])
def test_the_log_of_a_process_or_a_function_is_read_by_its_name(cloud: Cloud, component: str) -> None:
    Api.at(cloud.endpoint, cloud.token("viewer")).http.get("/api/v1/whoami").raise_for_status()
    done = cloud.crosswind("logs", "--component", component, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(component in line["component"].lower() for line in lines)


def test_nothing_listens_beyond_the_loopback_address(cloud: Cloud) -> None:
    cloud.up()
    ours = set()
    for ref in cloud.state.processes.values():
        process = processes.find(ref)
        assert process is not None
        ours |= {process.pid, *(child.pid for child in process.children(recursive=True))}
    listening = [
        connection
        for connection in psutil.net_connections("inet")
        if connection.pid in ours and connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {str(connection.laddr.ip) for connection in listening if connection.laddr} == {"127.0.0.1"}


def test_a_taken_port_is_told_with_its_holder_and_the_option_to_use(cloud: Cloud, tmp_path: object) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = cloud.crosswind("up", "--port", str(port), CROSSWIND_HOME=f"{tmp_path}/second")
    assert done.returncode == 2
    assert f"port {port} is taken by" in done.stderr
    assert "--port" in done.stderr


def test_what_is_older_than_a_snapshot_survives_kill_9(cloud: Cloud) -> None:
    put_item(cloud, "LIFE#kept")
    time.sleep(SNAPSHOT_SECONDS)
    cloud.kill_emulator()
    cloud.up()
    assert "LIFE#kept" in names_of_items(cloud)
    assert httpx.get(f"{cloud.endpoint}/api/v1/tests", timeout=30).status_code == 401


def test_down_stops_every_process_and_up_brings_the_data_back(cloud: Cloud) -> None:
    put_item(cloud, "LIFE#stopped")
    refs = cloud.state.processes
    assert {"pool", "gateway", "emulator"} <= refs.keys()
    assert set(cloud.down()) == refs.keys()
    assert [name for name, ref in refs.items() if processes.find(ref)] == []
    assert cloud.down() == []
    cloud.up()
    assert "LIFE#stopped" in names_of_items(cloud)


def test_down_ends_the_runners_of_a_pool_that_was_killed(cloud: Cloud) -> None:
    pool = processes.find(cloud.state.processes["pool"])
    assert pool is not None
    runners = [processes.ref_of(child.pid) for child in pool.children()]
    assert runners
    pool.kill()
    assert "pool" in cloud.down()
    assert [processes.find(ref) for ref in runners] == [None] * len(runners)
    cloud.up()


def test_the_endpoint_tells_when_the_emulator_is_away(cloud: Cloud) -> None:
    cloud.kill_emulator()
    answer = httpx.get(f"{cloud.endpoint}/api/v1/tests", timeout=30)
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("application/problem+json")
    cloud.up()
