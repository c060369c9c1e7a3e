"""A real node: containerd and a kubelet on this machine, in a network and with mounts of their own.

The mounts vanish with the last process that sees them. `leftovers` tells what is changed on the machine for a while.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crosswind.local import processes
from crosswind.local.home import LOOPBACK, LocalError, ProcessRef
from tests.cluster import leftovers
from tests.cluster.children import end_child, start_child, tail, usage
from tests.cluster.clusters import wait_for
from tests.cluster.network import Bridge, NetworkNamespace
from tests.cluster.plane import SERVICE_ADDRESS, ControlPlane
from tests.cluster.runtime import PAUSE_IMAGE, Runtime

NODE = "localhost"  # the API server reaches a kubelet by its node's name
REAL = "crosswind.dev/real"
HOST_ADDRESS = "10.89.0.1"
"""Where pods find what `expose` hands in: an address of their own network, of no other."""
TOLERATION = {"key": REAL, "operator": "Exists"}
_POD_RANGE = "10.88.0.0/16"
_COMMAND_SECONDS = 300
# Folders that containerd's programs name themselves: the node sees empty ones of its own.
_PRIVATE_FOLDERS = ("/run/netns", "/run/containerd", "/var/log/containers")


@dataclass
class RealNode:
    """The one real node of a control plane."""

    plane: ControlPlane
    runtime: Runtime
    images: Path
    """An archive that holds the pause image, at least."""
    labels: Mapping[str, str] = field(default_factory=lambda: {REAL: "true"})
    taints: Sequence[str] = (f"{REAL}=true:NoSchedule",)
    """Without one, pods that are meant for simulated nodes would be run here."""
    folder: Path = field(default=Path(), init=False)
    _started: bool = False
    _network: NetworkNamespace | None = None
    _containerd: ProcessRef | None = None
    _kubelet: ProcessRef | None = None
    _bridges: list[Bridge] = field(default_factory=list)

    @property
    def cgroup(self) -> str:
        """All of the node's containers are below it."""
        return self.folder.name

    def start(self) -> None:
        """Start containerd and the kubelet; back when the node takes pods. Raises LocalError with what they said."""
        leftovers.sweep()
        self.folder = leftovers.new_folder()
        self._started = True
        try:
            self._network = NetworkNamespace()
            self._network.add_address(HOST_ADDRESS)
            self._network.add_address(SERVICE_ADDRESS)
            self._lead_in(LOOPBACK, self.plane.port, self.plane.port)
            self._lead_in(SERVICE_ADDRESS, 443, self.plane.port)
            self._start_containerd()
            self.import_image(self.images)
            self._start_kubelet()
        except BaseException as error:
            said = "\n".join(tail(self.folder / f"{name}.log") for name in ("containerd", "kubelet"))
            self.stop()
            if isinstance(error, LocalError | OSError):
                raise LocalError(f"{error}\n{said}") from error
            raise

    def stop(self) -> None:
        """End the kubelet, then all containers, then containerd; put back what was changed."""
        end_child(self._kubelet, grace_seconds=3)
        if processes.find(self._containerd) is not None:
            with suppress(LocalError, subprocess.TimeoutExpired):
                self._end_containers()
        end_child(self._containerd, grace_seconds=3)
        self._kubelet = self._containerd = None
        for bridge in self._bridges:
            bridge.close()
        self._bridges.clear()
        if self._network:
            self._network.close()
            self._network = None
        if self._started:
            self._started = False
            leftovers.put_back(self.folder)

    @contextmanager
    def running(self) -> Iterator["RealNode"]:
        """Start, and stop in any case."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def expose(self, port: int, *, address: str = LOOPBACK) -> str:
        """Let pods reach a server of this machine. What they connect to: host:port."""
        self._lead_in(HOST_ADDRESS, port, port, address)
        return f"{HOST_ADDRESS}:{port}"

    def import_image(self, archive: Path) -> list[str]:
        """Images from an archive (`podman save`, `docker save`, or OCI). Their names."""
        said = self.ctr("images", "import", "--all-platforms", str(archive))
        return [line.split()[1] for line in said.splitlines() if line.startswith("unpacking")]

    def ctr(self, *words: str) -> str:
        """A command of containerd's own client. Raises LocalError."""
        done = subprocess.run(
            [str(self.runtime["ctr"]), "--address", str(self._socket), "--namespace", "k8s.io", *words],
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise LocalError(f"ctr {' '.join(words[:2])}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def kill_container(self, namespace: str, pod: str, container: str) -> None:
        """kill -9 of a container's first process, as the kernel does it."""
        told = self.plane.cluster.core.read_namespaced_pod(pod, namespace).status
        found = [*(told.init_container_statuses or ()), *told.container_statuses]
        status = next(each for each in found if each.name == container)
        self.ctr("tasks", "kill", "--signal", "SIGKILL", status.container_id.removeprefix("containerd://"))

    def usage(self) -> dict[str, dict[str, float]]:
        """What containerd and the kubelet took so far."""
        running = {"containerd": self._containerd, "kubelet": self._kubelet}
        return {name: usage(ref) for name, ref in running.items() if ref}

    @property
    def _socket(self) -> Path:
        return self.folder / "containerd.sock"

    def _lead_in(self, address: str, port: int, outside: int, host: str = LOOPBACK) -> None:
        """Inside, `address:port` leads to a port outside."""
        assert self._network
        listener = self._network.listen(address, port)
        self._bridge(Bridge(listener, lambda: socket.create_connection((host, outside), timeout=5)))

    def _bridge(self, bridge: Bridge) -> None:
        bridge.start()
        self._bridges.append(bridge)

    def _enter(self) -> list[str]:
        assert self._network
        return [_found("nsenter"), f"--net={self._network.path}", "--"]

    def _start_containerd(self) -> None:
        write = self.folder.joinpath
        (self.folder / "cni").mkdir(exist_ok=True)
        write("cni/pods.conflist").write_text(json.dumps(_cni(self.folder)), encoding="utf-8")
        write("containerd.toml").write_text(self._containerd_configuration(), encoding="utf-8")
        for folder in _PRIVATE_FOLDERS:
            Path(folder).mkdir(parents=True, exist_ok=True)
        mounts = "".join(f"mount -t tmpfs none {folder} && " for folder in _PRIVATE_FOLDERS)
        script = f'{mounts}exec "$@"'
        command = [
            _found("unshare"),
            "--mount",
            "--propagation=slave",
            "--",
            _found("sh"),
            "-c",
            script,
            "sh",
        ]
        containerd = [str(self.runtime["containerd"]), "--config", str(write("containerd.toml"))]
        self._containerd = start_child(
            [*self._enter(), *command, *containerd],
            log=write("containerd.log"),
            environ={"PATH": self.runtime.search_path},
        )
        wait_for(self._containerd_answers, what="containerd")

    def _containerd_answers(self) -> bool:
        if processes.find(self._containerd) is None:
            raise LocalError("containerd ended")
        try:
            return bool(self.ctr("version"))
        except LocalError:
            return False

    def _start_kubelet(self) -> None:
        assert self._containerd
        assert self._network
        port = processes.free_ports(1)[0]
        certificate, key = self.plane.authority.server([NODE, LOOPBACK]).write(self.folder, "kubelet")
        authority = self.folder / "authority.crt"
        authority.write_bytes(self.plane.authority.pem)
        configuration = self.folder / "kubelet.yaml"
        configuration.write_text(
            yaml.safe_dump(self._kubelet_configuration(port, certificate, key, authority)), encoding="utf-8"
        )
        access = self.plane.kubeconfig(f"system:node:{NODE}", ["system:nodes"])
        mounts = [_found("nsenter"), f"--mount=/proc/{self._containerd.pid}/ns/mnt", "--"]
        kubelet = [
            str(self.plane.tools["kubelet"]),
            f"--config={configuration}",
            f"--kubeconfig={access}",
            f"--hostname-override={NODE}",
            f"--node-ip={HOST_ADDRESS}",  # it finds none by itself: this network has no way out
            f"--root-dir={self.folder / 'kubelet'}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--node-labels={','.join(f'{key}={value}' for key, value in self.labels.items())}",
            f"--register-with-taints={','.join(self.taints)}",
            "--v=1",
        ]
        self._kubelet = start_child(
            [*self._enter(), *mounts, *kubelet],
            log=self.folder / "kubelet.log",
            environ={"PATH": self.runtime.search_path},
        )
        # Logs and exec: the API server asks 127.0.0.1, which leads to the kubelet's own loopback address.
        network = self._network
        outside = socket.create_server((LOOPBACK, port))
        self._bridge(Bridge(outside, lambda: network.connect(LOOPBACK, port)))
        wait_for(self._node_is_ready, what="the real node", seconds=60)

    def _node_is_ready(self) -> bool:
        if processes.find(self._kubelet) is None:
            raise LocalError("the kubelet ended")
        for node in self.plane.cluster.core.list_node(field_selector=f"metadata.name={NODE}").items:
            tainted = any(taint.key.startswith("node.kubernetes.io/") for taint in node.spec.taints or [])
            ready = any(
                each.type == "Ready" and each.status == "True" for each in node.status.conditions or []
            )
            return ready and not tainted
        return False

    def _end_containers(self) -> None:
        for identifier in self.ctr("containers", "list", "--quiet").split():
            with suppress(LocalError):
                self.ctr("tasks", "kill", "--signal", "SIGKILL", identifier)
        deadline = time.monotonic() + 5
        while self.ctr("tasks", "list", "--quiet").split() and time.monotonic() < deadline:
            for identifier in self.ctr("tasks", "list", "--quiet").split():
                with suppress(LocalError):
                    self.ctr("tasks", "delete", "--force", identifier)
        for identifier in self.ctr("containers", "list", "--quiet").split():
            with suppress(LocalError):
                self.ctr("containers", "delete", identifier)

    def _containerd_configuration(self) -> str:
        return f"""version = 2
root = "{self.folder}/containerd"
state = "{self.folder}/state"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]
[grpc]
address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
disable_apparmor = true
stream_server_address = "{LOOPBACK}"
stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{self.runtime["runc"]}"
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{self.runtime.plugins}"
conf_dir = "{self.folder}/cni"
"""

    def _kubelet_configuration(
        self, port: int, certificate: Path, key: Path, authority: Path
    ) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": LOOPBACK,
            "port": port,
            "readOnlyPort": 0,
            "healthzPort": 0,
            "tlsCertFile": str(certificate),
            "tlsPrivateKeyFile": str(key),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(authority)},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": ["none"],
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            "resolvConf": "",
            "clusterDNS": [],
            "evictionHard": {
                "memory.available": "50Mi",
                "nodefs.available": "0%",
                "nodefs.inodesFree": "0%",
                "imagefs.available": "0%",
                "imagefs.inodesFree": "0%",
            },
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "podLogsDir": str(self.folder / "pods"),
            "maxPods": 110,
            "registerNode": True,
        }


def _cni(folder: Path) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(folder / "addresses"),
        "ranges": [[{"subnet": _POD_RANGE}]],
    }
    routes = [{"dst": "0.0.0.0/0"}]
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses | {"routes": routes}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]}


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise LocalError(f"{program} was not found")
    return path
