"""Pods' facts within two seconds: threads beside kopf that watch Jobs and pods, and one that looks at what changed.

A thread that ends by an error that nobody foresaw ends the process: Kubernetes starts it anew, and until then the
edition without a controller takes over.
"""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from crosswind.adapters.kubernetes.calls import ApiServer, ClientCertificate
from crosswind.adapters.kubernetes.kubeconfig import read_kubeconfig
from crosswind.bootstrap import pods
from crosswind.kernel.errors import CrosswindError
from crosswind.runs.usecases.attending_cluster import AttendCluster

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAUSE_AFTER_FAILURE = 1.0
_log = logging.getLogger(__name__)


@dataclass
class Attending:
    """The threads. `stop` ends them; `broke` says that one of them could not go on."""

    stop: Event = field(default_factory=Event)
    broke: bool = False

    def start(self, cluster: str, server: ApiServer) -> None:
        """Look after this cluster. Raises SettingsError where the settings of the stores are not told."""
        jobs = pods.watched_jobs(server)
        attend = pods.attend_cluster(cluster, jobs)
        jobs.start(self.stop, self._guarded)
        Thread(
            target=self._guarded, args=(lambda: self._keep(attend),), daemon=True, name="attending"
        ).start()
        _log.info("looking after the pods of cluster %s", cluster)

    def _keep(self, attend: AttendCluster) -> None:
        while not self.stop.is_set():
            try:
                seen = attend()
            except CrosswindError as error:
                _log.warning("the cluster's pods cannot be looked after now: %s", error)
                self.stop.wait(_PAUSE_AFTER_FAILURE)
                continue
            if seen.lost or seen.removed or seen.replaced or seen.failed:
                _log.info("pods: %s", seen)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  # whatever it is, the process has to end with it
            _log.exception("a thread that looks after pods cannot go on")
            self.broke = True
            os.kill(os.getpid(), signal.SIGTERM)


def own_api_server() -> ApiServer:
    """The cluster that this process runs in, else that of the kubeconfig. Its token's file is read for each call."""
    if (_ACCOUNT / "token").is_file():
        return ApiServer(
            "https://kubernetes.default.svc",
            headers=lambda: _bearer((_ACCOUNT / "token").read_text(encoding="utf-8").strip()),
            certificate_authority=(_ACCOUNT / "ca.crt").read_text(encoding="utf-8"),
        )
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    read = read_kubeconfig(Path(named))
    certificate, key = read.credentials.get("clientCertificate"), read.credentials.get("clientKey")
    return ApiServer(
        read.endpoint,
        headers=lambda: _bearer(read.credentials.get("token")),
        certificate_authority=read.certificate_authority,
        server_name=read.server_name,
        client_certificate=ClientCertificate(certificate, key) if certificate and key else None,
    )


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
