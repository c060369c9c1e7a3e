"""The process provider on real processes of this machine."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import psutil
import pytest

from crosswind.adapters.providers.process.provider import ProcessProvider
from crosswind.adapters.providers.process.registry import read_registry
from crosswind.chaos.model import Injection
from crosswind.chaos.providing import FaultRequest, Provider
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import TargetSelector
from crosswind.kernel.clock import SystemClock
from tests.contract.providers.contract import RUN, ProviderContract, planned, refused

_SLEEPER = [sys.executable, "-c", "import time; time.sleep(120)"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "sleepers"
    folder.mkdir()
    services = {}
    for name in ("first", "second"):
        process = subprocess.Popen(_SLEEPER, start_new_session=True)
        services[name] = {
            "pid": process.pid,
            "startedAt": psutil.Process(process.pid).create_time(),
            "url": "http://127.0.0.1:9",
            "command": _SLEEPER,
            "cwd": str(folder),
            "logFile": str(folder / f"{name}.log"),
            "labels": {"tier": "back" if name == "second" else "front"},
        }
    (folder / "application.json").write_text(json.dumps({"application": "sleepers", "services": services}))
    yield tmp_path
    for holder in holders():  # of a test that failed
        holder.kill()
        holder.wait(5)
    for each in read_registry(tmp_path, "sleepers").values():
        for pid in (each.pid, services[each.name]["pid"]):
            try:
                os.kill(int(str(pid)), signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def provider(home: Path) -> Provider:
    return ProcessProvider(home=home, clock=SystemClock())


def request(action: str = "freeze", seconds: float = 60, **parameters: float) -> FaultRequest:
    return FaultRequest(
        run_id=RUN,
        step=1,
        fault="hurt",
        action=action,
        selector=TargetSelector(application="sleepers", names=("first",)),
        parameters=parameters,
        percent=100.0,
        duration_seconds=seconds,
        environment="local",
        team="demo",
    )


def status(home: Path, name: str = "first") -> str:
    try:
        return str(psutil.Process(read_registry(home, "sleepers")[name].pid).status())
    except psutil.NoSuchProcess:
        return "gone"


def holders() -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if f"chaos-{RUN}-1-hurt" in (process.info["cmdline"] or [])
    ]


class TestProcessProvider(ProviderContract):
    @pytest.fixture(autouse=True)
    def _remember_home(self, home: Path) -> None:
        self.home = home

    def request(self) -> FaultRequest:
        return request()

    def is_hit(self) -> bool:
        return status(self.home) == psutil.STATUS_STOPPED


def _inject_and_live(home: Path, injection: Injection, done: Event) -> None:
    ProcessProvider(home=home, clock=SystemClock()).inject(injection)
    done.set()
    time.sleep(120)


def test_a_holder_that_its_own_worker_has_not_reaped_is_not_waited_for(
    provider: Provider, home: Path
) -> None:
    injection = planned(provider, request())
    context = multiprocessing.get_context("fork")
    done = context.Event()
    worker = context.Process(target=_inject_and_live, args=(home, injection, done))
    worker.start()
    try:
        assert done.wait(30)
        began = time.monotonic()
        provider.stop(injection)
        assert time.monotonic() - began < 3  # it would be six: five until it is killed, and one for that
        assert provider.verify_removed(injection).state is FaultState.REMOVED
    finally:
        worker.kill()
        worker.join()


@pytest.mark.parametrize(
    ("action", "parameters"),
    [("freeze", {}), ("kill", {}), ("cpu", {"share": 0.5}), ("memory", {"mib": 8}), ("disk", {"mib": 8})],
)
def test_every_action_is_held_and_undone(
    provider: Provider, home: Path, action: str, parameters: dict[str, float]
) -> None:
    injection = planned(provider, request(action, **parameters))
    assert provider.inject(injection).state is FaultState.ACTIVE
    provider.stop(injection)
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert status(home) in {psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING}
    assert holders() == []


@pytest.mark.parametrize("action", ["freeze", "kill"])
def test_a_fault_ends_by_itself_when_its_time_is_over(provider: Provider, home: Path, action: str) -> None:
    injection = planned(provider, request(action, seconds=1.5))
    assert provider.inject(injection).state is FaultState.ACTIVE
    ends = time.monotonic() + 10
    while provider.verify_removed(injection).state is not FaultState.REMOVED and time.monotonic() < ends:
        time.sleep(0.1)
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert status(home) != psutil.STATUS_STOPPED


@pytest.mark.parametrize("action", ["freeze", "kill"])
def test_what_a_killed_holder_left_is_seen_and_undone(provider: Provider, home: Path, action: str) -> None:
    injection = planned(provider, request(action))
    provider.inject(injection)
    for holder in holders():
        holder.kill()
        holder.wait(5)
    assert provider.verify_removed(injection).state is FaultState.UNKNOWN
    provider.stop(injection)
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert status(home) in {psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING}


def test_a_killed_service_is_started_again_once_and_the_registry_knows_it(
    provider: Provider, home: Path
) -> None:
    before = read_registry(home, "sleepers")["first"].pid
    injection = planned(provider, request("kill"))
    provider.inject(injection)
    provider.stop(injection)
    after = read_registry(home, "sleepers")["first"].pid
    provider.stop(injection)
    assert after != before
    assert read_registry(home, "sleepers")["first"].pid == after


def test_only_the_process_that_was_resolved_is_hit(provider: Provider, home: Path) -> None:
    injection = planned(provider, request("kill"))
    provider.inject(injection)
    provider.stop(injection)
    assert "is not the process any more" in refused(provider, replace(injection, fault="later"))


def test_a_fault_whose_time_is_over_is_not_injected_again(provider: Provider, home: Path) -> None:
    injection = planned(provider, request(seconds=0.01))
    time.sleep(0.05)
    assert "time of this fault is over" in refused(provider, injection)
    assert status(home) != psutil.STATUS_STOPPED


def test_services_are_found_by_their_labels(provider: Provider) -> None:
    selector = TargetSelector(application="sleepers", labels={"tier": "back"})
    preview = provider.preview(replace(request(), selector=selector))
    assert [target.id for target in preview.targets] == ["sleepers/second"]


def test_more_memory_or_disk_than_half_of_what_is_free_is_refused(provider: Provider) -> None:
    for action in ("memory", "disk"):
        preview = provider.preview(request(action, mib=100_000_000))
        assert any("more than half" in problem for problem in preview.problems)
