"""Calls of an API server: what is repeated and for how long, and what a refused credential comes to."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError
from urllib3.exceptions import ReadTimeoutError

from crosswind.adapters.kubernetes.calls import CALL_SECONDS, SILENT_SECONDS, ApiServer, ExpiredError
from crosswind.adapters.kubernetes.clusters import KNOWN_FOR, StoredClusters
from crosswind.adapters.kubernetes.eks import EksToken
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.contracts.clusters import Cluster
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.ports import ClusterError
from tests.fakes import SettableClock

Answer = tuple[int, Mapping[str, str], bytes] | Exception
FINE: Answer = (200, {}, b'{"items": []}')
SILENCE = ReadTimeoutError(None, "/", "read timed out")  # type: ignore[arg-type]  # no pool is needed to tell of it
UNREADABLE = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"


class Scene:
    """A server that answers what a test says, and a clock that its pauses and its silences move."""

    def __init__(self, *answers: Answer, each_takes: float = 0.0) -> None:
        self.now = 0.0
        self.answers = list(answers)
        self.each_takes = each_takes
        self.sent: list[str] = []
        self.limits: list[float] = []
        self.unauthorized = 0
        scene = self

        class Played(ApiServer):
            def _send(
                self, method: str, path: str, body: Any, query: Any, seconds: float
            ) -> tuple[int, Mapping[str, str], bytes]:
                scene.sent.append(f"{method} {path}")
                scene.limits.append(seconds)
                scene.now += scene.each_takes
                answer = scene.answers.pop(0) if len(scene.answers) > 1 else scene.answers[0]
                if isinstance(answer, Exception):
                    raise answer
                return answer

        self.server = Played(
            "https://cluster.example",
            unauthorized=self._count,
            pause=self._pause,
            clock=lambda: self.now,
        )

    def _pause(self, seconds: float) -> None:
        self.now += seconds

    def _count(self) -> None:
        self.unauthorized += 1


def refused(status: int, message: str = "no") -> Answer:
    return status, {}, json.dumps({"message": message}).encode()


def test_a_server_that_fails_for_a_moment_is_asked_again() -> None:
    scene = Scene(refused(503), SILENCE, FINE)

    assert scene.server.call("GET", "/api") == {"items": []}
    assert len(scene.sent) == 3


def test_a_server_that_hangs_takes_a_bounded_time_of_whoever_calls() -> None:
    scene = Scene(SILENCE, each_takes=9.0)

    with pytest.raises(ClusterError) as told:
        scene.server.call("GET", "/api")

    assert told.value.reason is InfrastructureReason.CLUSTER_UNREACHABLE
    assert told.value.passing
    assert scene.limits[-1] <= CALL_SECONDS - 9
    assert len(scene.sent) == 2


def test_a_server_that_did_not_answer_is_left_alone_for_some_seconds() -> None:
    scene = Scene(*[SILENCE] * 5, FINE)
    with pytest.raises(ClusterError):
        scene.server.call("GET", "/api")

    with pytest.raises(ClusterError, match="seconds ago"):
        scene.server.call("GET", "/api")
    assert len(scene.sent) == 5

    scene.now += SILENT_SECONDS
    assert scene.server.call("GET", "/api") == {"items": []}


def test_a_server_that_says_it_is_busy_is_not_taken_for_silent() -> None:
    scene = Scene(*[refused(429)] * 5, FINE)
    with pytest.raises(ClusterError) as told:
        scene.server.call("GET", "/api")

    assert told.value.reason is InfrastructureReason.CLUSTER_THROTTLED
    assert scene.server.call("GET", "/api") == {"items": []}


def test_credentials_that_are_not_accepted_are_told_of_and_may_be_renewed() -> None:
    scene = Scene(refused(401, "Unauthorized"))

    with pytest.raises(ClusterError, match="crosswind clusters add") as told:
        scene.server.call("GET", "/api")

    assert told.value.passing
    assert (scene.unauthorized, len(scene.sent)) == (1, 1)


def test_nodes_that_may_not_be_read_do_not_matter_and_refused_credentials_do() -> None:
    assert KubernetesJobs(Scene(refused(403, "forbidden")).server).node_labels() == {}
    with pytest.raises(ClusterError):
        KubernetesJobs(Scene(refused(401)).server).node_labels()


def test_a_list_whose_continuation_is_too_old_breaks_off() -> None:
    first: Answer = (200, {}, b'{"items": [], "metadata": {"continue": "more"}}')
    scene = Scene(first, refused(410))

    with pytest.raises(ExpiredError):
        list(scene.server.pages("/api/v1/pods"))


@pytest.mark.parametrize("authority", ["nonsense", UNREADABLE])
def test_certificates_that_cannot_be_used_are_one_clusters_fault(authority: str) -> None:
    server = ApiServer("https://cluster.example", certificate_authority=authority)

    with pytest.raises(ClusterError, match="certificates") as told:
        server.call("GET", "/api")

    assert not told.value.passing


class Registry:
    """A registry with one cluster, and the secret that it names."""

    def __init__(self) -> None:
        self.secret = {"token": "first"}
        self.clock = SettableClock()
        connection = {"kind": "server", "endpoint": "https://cluster.example", "secret": "main"}
        self.cluster = Cluster.model_validate(
            {
                "apiVersion": "crosswind.dev/v1",
                "kind": "Cluster",
                "metadata": {"name": "main"},
                "spec": {"connection": connection},
            }
        )
        self.clusters = StoredClusters(
            read=lambda _name: self.cluster,
            read_all=lambda: [self.cluster],
            secret=lambda _name: json.dumps(self.secret),
            session=None,  # type: ignore[arg-type]  # no cluster of EKS is asked for
            clock=self.clock,
        )

    def server(self) -> ApiServer:
        api = self.clusters.connect("main").api
        assert isinstance(api, KubernetesJobs)
        return api.server


def token(server: ApiServer) -> str:
    return server.headers()["Authorization"]


def test_renewed_credentials_are_used_a_moment_later_and_a_connection_is_kept_otherwise() -> None:
    registry = Registry()
    first = registry.server()
    registry.clock.advance(KNOWN_FOR)
    assert registry.server() is first

    registry.secret = {"token": "second"}
    assert registry.server() is first
    registry.clock.advance(KNOWN_FOR)

    assert token(registry.server()) == "Bearer second"


def test_credentials_that_a_cluster_refuses_are_read_anew_at_once() -> None:
    registry = Registry()
    first = registry.server()
    registry.secret = {"token": "second"}

    first.unauthorized()

    assert token(registry.server()) == "Bearer second"


class Signer(EksToken):
    """EksToken without AWS."""

    made = 0

    def _signed(self) -> str:
        self.made += 1
        return f"token-{self.made}"


def test_a_token_of_eks_is_renewed_by_the_time_of_day() -> None:
    clock = SettableClock()
    held = Signer(None, "main", "eu-west-1", clock)  # type: ignore[arg-type]  # nothing is signed
    assert held()["Authorization"] == held()["Authorization"] == "Bearer token-1"

    clock.advance(timedelta(minutes=11))

    assert held()["Authorization"] == "Bearer token-2"


def test_credentials_that_cannot_be_had_are_one_clusters_fault() -> None:
    class Failing(EksToken):
        def _signed(self) -> str:
            raise CredentialRetrievalError(provider="container", error_msg="away")

    with pytest.raises(ClusterError, match="main"):
        Failing(None, "main", "eu-west-1")()  # type: ignore[arg-type]  # nothing is signed
