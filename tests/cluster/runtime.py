"""containerd, runc and the plugins of a pod's network: those that are installed, or Debian's, unpacked into the cache.

Nothing is installed on the machine: the packages are downloaded by apt and unpacked beside the other tools.
"""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crosswind.local.home import LocalError, cache_folder
from crosswind.local.tools import install_once
from tests.cluster.manifests import IMAGE
from tests.cluster.toolbox import Report

PAUSE_IMAGE = "crosswind.test/pause:1"
_PACKAGES = ("containerd", "runc", "containernetworking-plugins")
_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc")
_PLUGINS = ("ptp", "host-local", "loopback")
_PLUGIN_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
_SECONDS = 300
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the programs that run containers are."""

    folders: tuple[Path, ...]
    plugins: Path

    @property
    def search_path(self) -> str:
        """PATH for those who call each other by name."""
        own = os.pathsep.join(str(folder) for folder in self.folders)
        return f"{own}{os.pathsep}/usr/sbin:/usr/bin:/sbin:/bin"

    def __getitem__(self, program: str) -> Path:
        """One program."""
        found = shutil.which(program, path=self.search_path)
        if found is None:
            raise LocalError(f"{program} was not found")
        return Path(found)


def ensure_runtime(report: Report) -> Runtime:
    """What is installed, or Debian's packages unpacked. Raises LocalError that says what is missing."""
    if os.geteuid() != 0:
        raise LocalError("real pods need root: containers, cgroups and a network namespace are made")
    for helper in ("nsenter", "unshare", "mount"):
        if shutil.which(helper) is None:
            raise LocalError(f"real pods need {helper} (util-linux)")
    installed = _installed()
    if installed:
        return installed
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise LocalError(f"real pods need {', '.join(_PROGRAMS)} and the CNI plugins {', '.join(_PLUGINS)}")
    folder = cache_folder() / "containerd-debian"

    def unpack(folder: Path) -> None:
        report(f"unpacking Debian's {', '.join(_PACKAGES)} into {folder}")
        for package in _download(folder):
            _run(["dpkg-deb", "-x", str(package), str(folder)], folder)
            package.unlink()

    install_once(folder, unpack)
    found = Runtime((folder / "usr/bin", folder / "usr/sbin"), folder / "usr/lib/cni")
    for program in _PROGRAMS:
        found[program]
    return found


def _installed() -> Runtime | None:
    if any(shutil.which(program) is None for program in _PROGRAMS):
        return None
    for named in _PLUGIN_FOLDERS:
        if all(Path(named, plugin).exists() for plugin in _PLUGINS):
            return Runtime((), Path(named))
    return None


def _download(folder: Path) -> list[Path]:
    """The packages; the lists of what there is are fetched first where they are missing."""
    try:
        _run(["apt-get", "download", *_PACKAGES], folder)
    except LocalError:
        _run(["apt-get", "update", "-qq"], folder)
        _run(["apt-get", "download", *_PACKAGES], folder)
    return sorted(folder.glob("*.deb"))


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise LocalError(f"real pods: {' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")


def write_images(probe: Path, folder: Path) -> Path:
    """An archive with the tests' image and the pause image of pods: one static program, no registry, no builder."""
    layer = _tar({"probe": (probe.read_bytes(), 0o755), "tmp/": (b"", 0o1777)})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": ["/probe"], "Env": ["PATH=/"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE, PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    parts = {
        "layer.tar": (layer, 0o644),
        "config.json": (config, 0o644),
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
    }
    archive = folder / "images.tar"
    archive.write_bytes(_tar(parts))
    return archive


def _tar(members: dict[str, tuple[bytes, int]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, (content, mode) in members.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = mode
            member.size = len(content)
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
