"""A cluster that tests can reach: its kubeconfigs, its clients, and namespaces that go when a test ends."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import yaml
from kubernetes import client, config

from crosswind.local.home import LocalError
from crosswind.local.processes import scrubbed_environment
from tests.cluster.certificates import Identity, write_private

_REQUEST_SECONDS = 30
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an API server is, and how it proves that it is the one."""

    server: str
    authority: bytes

    def kubeconfig(self, path: Path, *, identity: Identity | None = None, token: str = "") -> Path:
        """Write a kubeconfig for a client certificate or a token."""
        user: dict[str, str] = {"token": token} if token else {}
        if identity:
            user["client-certificate-data"] = base64.b64encode(identity.certificate).decode()
            user["client-key-data"] = base64.b64encode(identity.key).decode()
        cluster = {
            "server": self.server,
            "certificate-authority-data": base64.b64encode(self.authority).decode(),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
            "current-context": "test",
        }
        return write_private(path, yaml.safe_dump(document).encode())


@dataclass
class Cluster:
    """A cluster, and a folder for what tests write about it."""

    admin: Path
    folder: Path
    kubectl_path: Path | None = None
    has_controllers: bool = True
    """Whether Jobs make pods, namespaces get accounts, and what is deleted goes."""
    _clients: dict[Path, client.ApiClient] = field(default_factory=dict)

    @property
    def endpoint(self) -> Endpoint:
        """Where the cluster is, out of the admin's kubeconfig."""
        document = yaml.safe_load(self.admin.read_text(encoding="utf-8"))
        current = document["current-context"]
        context = next(each["context"] for each in document["contexts"] if each["name"] == current)
        found = next(each["cluster"] for each in document["clusters"] if each["name"] == context["cluster"])
        authority = found.get("certificate-authority-data")
        if authority is None:
            path = self.admin.parent / found["certificate-authority"]
            return Endpoint(found["server"], path.read_bytes())
        return Endpoint(found["server"], base64.b64decode(authority))

    def api(self, kubeconfig: Path | None = None) -> client.ApiClient:
        """A client of the administrator, or of whoever a kubeconfig is for; the same one each time."""
        path = kubeconfig or self.admin
        if path not in self._clients:
            made = config.new_client_from_config(str(path))
            made.configuration.retries = False
            self._clients[path] = client.ApiClient(made.configuration)
            made.close()
        return self._clients[path]

    def of(self, group: Callable[[client.ApiClient], Any], kubeconfig: Path | None = None) -> Any:
        """A group of the API, e.g. client.BatchV1Api; untyped, because manifests are written as JSON here."""
        return group(self.api(kubeconfig))

    @property
    def core(self) -> Any:
        """Pods, nodes, namespaces, secrets, events; as the administrator."""
        return self.of(client.CoreV1Api)

    @property
    def batch(self) -> Any:
        """Jobs; as the administrator."""
        return self.of(client.BatchV1Api)

    def close(self) -> None:
        """Close the clients."""
        for each in self._clients.values():
            each.close()
        self._clients.clear()

    def service_account(self, namespace: str, name: str, *, seconds: int = 3600) -> Path:
        """A kubeconfig of a service account, by a token that the API server issues for it."""
        request = {"spec": {"expirationSeconds": seconds}}
        issued = self.core.create_namespaced_service_account_token(name, namespace, request)
        path = self.folder / f"account-{namespace}-{name}-{uuid4().hex[:6]}.kubeconfig"
        return self.endpoint.kubeconfig(path, token=issued.status.token)

    def kubectl(
        self, *words: str, kubeconfig: Path | None = None, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl. Raises LocalError where there is none."""
        if self.kubectl_path is None:
            raise LocalError("there is no kubectl beside this cluster")
        return subprocess.run(
            [str(self.kubectl_path), "--kubeconfig", str(kubeconfig or self.admin), *words],
            input=given,
            env=scrubbed_environment({"HOME": str(self.folder)}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def apply(self, *documents: Mapping[str, Any]) -> str:
        """Create or change objects of any kind, as a user would by `kubectl apply`. Raises LocalError with what it said."""
        done = self.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(documents))
        if done.returncode:
            raise LocalError(done.stderr.strip())
        return done.stdout

    @contextmanager
    def namespace(self, prefix: str, labels: Mapping[str, str] | None = None) -> Iterator[str]:
        """A namespace of one's own; it is deleted with all that is in it, without waiting for that."""
        name = f"{prefix}-{uuid4().hex[:6]}"
        self.core.create_namespace({"metadata": {"name": name, "labels": dict(labels or {})}})
        try:
            if self.has_controllers:
                self.wait_for_default_account(name)
            yield name
        finally:
            self.core.delete_namespace(name, propagation_policy="Background")

    def wait_for_default_account(self, namespace: str, *, seconds: float = 60) -> None:
        """No pod is admitted to a namespace before its default service account is there."""
        wait_for(
            lambda: any(
                account.metadata.name == "default" and account.metadata.uid
                for account in self.core.list_namespaced_service_account(namespace).items
            ),
            what=f"the default service account of {namespace}",
            seconds=seconds,
        )

    def raw(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> str:
        """What a path answers the administrator with, past the client library's models. Raises LocalError."""
        api = self.api()
        pool: Any = api.rest_client.pool_manager
        answer = pool.request(
            method,
            f"{api.configuration.host}{path}",
            body=json.dumps(body) if body else None,
            headers={"Content-Type": content_type},
            timeout=_REQUEST_SECONDS,
        )
        said = str(answer.data.decode())
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise LocalError(f"{method} {path}: {answer.status} {said[:500]}")
        return said


def plain(thing: Any, api: client.ApiClient | None = None) -> dict[str, Any]:
    """An object of the client library as the JSON that the API server sent."""
    answer: dict[str, Any] = (api or client.ApiClient()).sanitize_for_serialization(thing)
    return answer


def wait_for(look: Callable[[], Found], *, what: str, seconds: float = 60, pause: float = 0.1) -> Found:
    """Look until something true is found; it is returned. Raises LocalError when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise LocalError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(pause)


def given_kubeconfig(environ: Mapping[str, str] | None = None) -> Path | None:
    """The cluster that a developer wants the tests to use instead of one of their own."""
    named = (os.environ if environ is None else environ).get("CROSSWIND_TEST_KUBECONFIG")
    return Path(named).expanduser() if named else None
