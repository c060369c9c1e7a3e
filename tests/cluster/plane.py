"""A control plane of one's own on 127.0.0.1: etcd, API server, controller manager and scheduler, started in seconds.

Every flag that is not a path or a port is there for a reason that docs/testing-on-kubernetes.md gives.
"""

import os
import shutil
import signal
import ssl
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from crosswind.local import processes
from crosswind.local.home import LOOPBACK, LocalError, ProcessRef
from tests.cluster.certificates import Authority, signing_keys, write_private
from tests.cluster.children import end_child, start_child, tail, usage
from tests.cluster.clusters import Cluster, Endpoint
from tests.cluster.toolbox import CONTROL_PLANE, CONTROLLERS, Tools

API_SERVER = "kube-apiserver"
SERVICE_ADDRESS = "10.96.0.1"  # the first of the service range: `kubernetes.default` in every pod
_MASTERS = "system:masters"
_READY_SECONDS = 90
_NAMES = (
    *("127.0.0.1", "localhost", SERVICE_ADDRESS),
    *("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
)


@dataclass(frozen=True, slots=True)
class PlaneOptions:
    """What a test or a bench may want otherwise."""

    node_grace_seconds: int = 40
    """After so long without a heartbeat a node counts as lost."""
    toleration_seconds: int = 300
    """So long a pod stays bound to a lost node, where it does not say itself."""
    api_server_flags: tuple[str, ...] = ()
    controller_flags: tuple[str, ...] = ()
    scheduler_flags: tuple[str, ...] = ()


@dataclass
class ControlPlane:
    """One control plane: start it, break it, stop it."""

    tools: Tools
    folder: Path
    options: PlaneOptions = field(default_factory=PlaneOptions)
    authority: Authority = field(default_factory=Authority)
    _running: dict[str, ProcessRef] = field(default_factory=dict)
    _commands: dict[str, list[str]] = field(default_factory=dict)
    _cluster: Cluster | None = None
    _port: int = 0

    @property
    def has_controllers(self) -> bool:
        """Whether Jobs make pods and pods get nodes: KUBEBUILDER_ASSETS has no program for it."""
        return self.tools.has(*CONTROLLERS)

    @property
    def endpoint(self) -> Endpoint:
        """Where the API server is."""
        return Endpoint(f"https://{LOOPBACK}:{self._port}", self.authority.pem)

    @property
    def port(self) -> int:
        """The API server's port."""
        return self._port

    @property
    def cluster(self) -> Cluster:
        """The cluster as its clients see it."""
        if self._cluster is None:
            raise LocalError("the control plane is not up")
        return self._cluster

    def start(self) -> Cluster:
        """Start everything; back when Jobs and pods can be created. Raises LocalError with the last words of what failed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
            self._launch("etcd")
            self._launch(API_SERVER)
            self.wait_ready()
            for name in CONTROLLERS if self.has_controllers else ():
                self._launch(name)
            admin = self.kubeconfig("admin", [_MASTERS])
            kubectl = self.tools["kubectl"] if self.tools.has("kubectl") else None
            self._cluster = Cluster(
                admin=admin, folder=self.folder, kubectl_path=kubectl, has_controllers=self.has_controllers
            )
            if self.has_controllers:
                self._cluster.wait_for_default_account("default")
        except BaseException:
            self.stop()
            raise
        return self._cluster

    def stop(self) -> None:
        """End everything, and forget all that the cluster held."""
        if self._cluster is not None:
            self._cluster.close()
        for name in reversed((*CONTROL_PLANE, *CONTROLLERS)):
            end_child(self._running.pop(name, None))
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for any user with any groups, by a client certificate; the file is named by the user."""
        path = self.folder / f"{user.replace(':', '-').replace('/', '-')}.kubeconfig"
        return self.endpoint.kubeconfig(path, identity=self.authority.client(user, groups))

    def restart_api_server(self, *, down_seconds: float = 0, with_controllers: bool = False) -> None:
        """kill -9 of the API server, and the same again on the same port; back when it is ready.

        Controller manager and scheduler double their pause with each vain attempt, up to a minute when it is lost several
        times in a row. `with_controllers` starts them anew, too; then they know nothing of how long a node has been gone.
        """
        self.kill(API_SERVER)
        time.sleep(down_seconds)
        self._launch(API_SERVER)
        self.wait_ready()
        for name in CONTROLLERS if with_controllers and self.has_controllers else ():
            self.kill(name)
            self._launch(name)

    def kill(self, name: str) -> None:
        """kill -9 of one program; back when it is gone."""
        ref = self._running.pop(name)
        os.kill(ref.pid, signal.SIGKILL)
        end_child(ref)

    def launch_again(self, name: str) -> None:
        """Start what was killed."""
        self._launch(name)

    def pause(self, name: str) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        os.kill(self._running[name].pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self._running[name].pid, signal.SIGCONT)

    def usage(self) -> dict[str, dict[str, float]]:
        """What each program took so far; a bench reads it before and after."""
        return {name: usage(ref) for name, ref in self._running.items()}

    def log(self, name: str) -> Path:
        """Where a program writes to."""
        return self.folder / f"{name}.log"

    def wait_ready(self, *, seconds: float = _READY_SECONDS) -> None:
        """Wait until the API server says that it is ready. Raises LocalError when it has ended or time is up."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            ended = [name for name, ref in self._running.items() if processes.find(ref) is None]
            if ended:
                raise LocalError(f"{ended[0]} ended:\n{tail(self.log(ended[0]))}")
            if time.monotonic() > deadline:
                raise LocalError(f"no API server within {seconds:.0f} s:\n{tail(self.log(API_SERVER))}")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether the API server can be used now."""
        trust = ssl.create_default_context(cadata=self.authority.pem.decode())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        with suppress(OSError), opener.open(f"{self.endpoint.server}/readyz", timeout=2) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False

    def _launch(self, name: str) -> None:
        command = [str(self.tools[name]), *self._commands[name]]
        self._running[name] = start_child(command, log=self.log(name))

    def _prepare(self) -> None:
        """Certificates, ports and command lines, the same for every start."""
        etcd, peers, self._port, manager, scheduler = processes.free_ports(5)
        etcd_url = f"http://{LOOPBACK}:{etcd}"
        self._commands["etcd"] = self._etcd(etcd_url, f"http://{LOOPBACK}:{peers}")
        private, public = signing_keys()
        signing = write_private(self.folder / "accounts.key", private)
        checking = write_private(self.folder / "accounts.pub", public)
        authority = write_private(self.folder / "authority.crt", self.authority.pem)
        self._commands[API_SERVER] = self._api_server(etcd_url, authority, signing, checking)
        self._commands["kube-controller-manager"] = self._controller_manager(manager, authority, signing)
        self._commands["kube-scheduler"] = self._scheduler(scheduler)

    def _etcd(self, url: str, peers: str) -> list[str]:
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
            "--log-level=warn",
        ]

    def _api_server(self, etcd: str, authority: Path, signing: Path, checking: Path) -> list[str]:
        certificate, key = self.authority.server(_NAMES).write(self.folder, "api-server")
        kubelet_user = self.authority.client("api-server", [_MASTERS])
        kubelet_certificate, kubelet_key = kubelet_user.write(self.folder, "kubelet-client")
        tolerate = self.options.toleration_seconds
        # Without controllers no namespace gets its default account, which this plugin would wait for.
        no_accounts = () if self.has_controllers else ("--disable-admission-plugins=ServiceAccount",)
        return [
            f"--etcd-servers={etcd}",
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--cert-dir={self.folder / 'api-server'}",
            f"--client-ca-file={authority}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",  # as EKS: what is refused is refused by Pod Security
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={checking}",
            f"--service-account-signing-key-file={signing}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--kubelet-preferred-address-types=Hostname",
            f"--kubelet-certificate-authority={authority}",
            f"--kubelet-client-certificate={kubelet_certificate}",
            f"--kubelet-client-key={kubelet_key}",
            f"--default-not-ready-toleration-seconds={tolerate}",
            f"--default-unreachable-toleration-seconds={tolerate}",
            *no_accounts,
            *self.options.api_server_flags,
        ]

    def _controller_manager(self, port: int, authority: Path, signing: Path) -> list[str]:
        access = self.kubeconfig("system:kube-controller-manager")
        return [
            *_serving(access, port),
            f"--cert-dir={self.folder / 'controller-manager'}",
            f"--root-ca-file={authority}",
            f"--service-account-private-key-file={signing}",
            "--use-service-account-credentials",
            "--kube-api-qps=2000",
            "--kube-api-burst=4000",
            "--concurrent-job-syncs=20",
            f"--node-monitor-grace-period={self.options.node_grace_seconds}s",
            f"--node-monitor-period={max(1, self.options.node_grace_seconds // 8)}s",
            *self.options.controller_flags,
        ]

    def _scheduler(self, port: int) -> list[str]:
        access = self.kubeconfig("system:kube-scheduler")
        return [
            *_serving(access, port),
            f"--cert-dir={self.folder / 'scheduler'}",
            "--kube-api-qps=2000",
            "--kube-api-burst=4000",
            *self.options.scheduler_flags,
        ]


def _serving(kubeconfig: Path, port: int) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--leader-elect=false",
    ]
