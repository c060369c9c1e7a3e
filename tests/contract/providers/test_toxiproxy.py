"""The Toxiproxy provider on a real server, and where the server's answers go astray."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import httpx
import pytest

from crosswind.adapters.http import HttpPeer
from crosswind.adapters.providers.toxiproxy import ToxiproxyProvider
from crosswind.chaos.providing import FaultRequest, Provider
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import TargetSelector
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import DependencyError
from crosswind.local.home import LocalError
from crosswind.local.processes import free_ports, stop
from crosswind.local.toxiproxy import ensure_toxiproxy, start_toxiproxy
from tests.contract.providers.contract import RUN, ProviderContract, planned, refused

_SLOW = 300  # milliseconds


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """Answers every connection with what it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_echo, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        binary = ensure_toxiproxy(print)
    except LocalError as missing:
        pytest.skip(str(missing))
    port = free_ports(1)[0]
    process = start_toxiproxy(binary, port=port, log=tmp_path_factory.mktemp("toxiproxy") / "log")
    yield f"http://127.0.0.1:{port}"
    stop(process, grace_seconds=2)


@pytest.fixture
def port(server: str, upstream: int) -> Iterator[int]:
    """Where the proxy `pay` listens."""
    made = httpx.post(
        f"{server}/proxies",
        json={"name": "pay", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}"},
        trust_env=False,
    ).json()
    yield int(made["listen"].rsplit(":", 1)[1])
    httpx.delete(f"{server}/proxies/pay", trust_env=False)


@pytest.fixture
def provider(server: str, port: int) -> Provider:
    return ToxiproxyProvider(HttpPeer("Toxiproxy", server))


def request(action: str = "latency", names: tuple[str, ...] = ("pay",), **parameters: Scalar) -> FaultRequest:
    return FaultRequest(
        run_id=RUN,
        step=1,
        fault="hurt",
        action=action,
        selector=TargetSelector(names=names),
        parameters=parameters or ({"latency": _SLOW} if action == "latency" else {}),
        percent=100.0,
        duration_seconds=60,
        environment="local",
        team="demo",
    )


def seconds_to_answer(port: int) -> float:
    """How long an echo takes; infinite where none comes."""
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"x")
            return time.monotonic() - began if connection.recv(1) else float("inf")
    except OSError:
        return float("inf")


class TestToxiproxyProvider(ProviderContract):
    @pytest.fixture(autouse=True)
    def _remember_port(self, port: int) -> None:
        self.port = port

    def request(self) -> FaultRequest:
        return request()

    def is_hit(self) -> bool:
        return seconds_to_answer(self.port) >= _SLOW / 1000


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("latency", {"latency": _SLOW, "jitter": 10}),
        ("timeout", {}),
        ("reset", {}),
        ("down", {}),
        ("bandwidth", {"rate": 1}),
        ("slow-close", {"delay": 100}),
        ("limit-data", {"bytes": 1}),
        ("slicer", {"average-size": 1, "delay": 10}),
    ],
)
def test_every_action_goes_in_and_comes_out(
    provider: Provider, port: int, action: str, parameters: dict[str, Scalar]
) -> None:
    injection = planned(provider, replace(request(action), parameters=parameters))
    assert provider.inject(injection).state is FaultState.ACTIVE
    hurt = seconds_to_answer(port)
    provider.stop(injection)
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert seconds_to_answer(port) < _SLOW / 1000
    if action in {"timeout", "reset", "down"}:
        assert hurt == float("inf")


def test_a_proxy_that_was_off_before_is_a_problem_and_stays_off(provider: Provider, server: str) -> None:
    httpx.post(f"{server}/proxies/pay", json={"enabled": False}, trust_env=False)
    preview = provider.preview(request("down"))
    assert preview.problems == ("proxy pay is switched off already",)


def test_one_connection_in_so_many_is_hit_by_a_share(provider: Provider, server: str) -> None:
    injection = planned(provider, replace(request(), percent=25.0))
    provider.inject(injection)
    toxics = httpx.get(f"{server}/proxies/pay/toxics", trust_env=False).json()
    assert [(toxic["name"], toxic["toxicity"]) for toxic in toxics] == [(injection.marker, 0.25)]


def test_a_proxy_that_is_gone_has_no_fault_left(provider: Provider, server: str) -> None:
    injection = planned(provider, request())
    provider.inject(injection)
    httpx.delete(f"{server}/proxies/pay", trust_env=False)
    provider.stop(injection)
    assert provider.verify_removed(injection).state is FaultState.REMOVED
    assert "refused" in refused(provider, injection)


class _LostAnswers(httpx.BaseTransport):
    """Hands requests on; the answers of some get lost on the way back."""

    def __init__(self, losses: int) -> None:
        self._inner = httpx.HTTPTransport()
        self._losses = losses

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if request.method in {"POST", "DELETE"} and self._losses:
            self._losses -= 1
            answer.read()
            raise httpx.ReadError("the connection broke")
        return answer


def test_a_toxic_whose_answer_was_lost_is_not_added_twice(server: str, port: int) -> None:
    provider = ToxiproxyProvider(
        HttpPeer("Toxiproxy", server, transport=_LostAnswers(1), pause=lambda _: None)
    )
    injection = planned(provider, request())
    assert provider.inject(injection).state is FaultState.ACTIVE
    provider.stop(injection)
    assert provider.verify_removed(injection).state is FaultState.REMOVED


def test_a_removal_whose_answer_was_lost_is_found_done(server: str, port: int) -> None:
    provider = ToxiproxyProvider(HttpPeer("Toxiproxy", server))
    injection = planned(provider, request())
    provider.inject(injection)
    forgetful = ToxiproxyProvider(
        HttpPeer("Toxiproxy", server, transport=_LostAnswers(1), pause=lambda _: None)
    )
    forgetful.stop(injection)
    assert provider.verify_removed(injection).state is FaultState.REMOVED


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_fails_is_told_as_a_fault_of_its_own(status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="no"))
    peer = HttpPeer("Toxiproxy", "http://127.0.0.1:1", transport=transport, pause=lambda _: None)
    with pytest.raises((DependencyError, Exception), match="Toxiproxy"):
        ToxiproxyProvider(peer).preview(request())


def test_parameters_are_checked_before_anybody_is_asked(tmp_path: Path) -> None:
    provider = ToxiproxyProvider(HttpPeer("Toxiproxy", "http://127.0.0.1:1"))
    assert provider.check(request("bandwidth")) == ("bandwidth needs the parameter 'rate' (KB/s)",)
    assert provider.check(request(latency=-1))
    assert provider.check(request(latency=5, stream="sideways"))
    assert provider.check(request(latency=5)) == ()


def _echo(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(1024):
            connection.sendall(data)
