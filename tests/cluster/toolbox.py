"""The programs of a real Kubernetes, built once by Go into the user's cache, or taken from where KUBEBUILDER_ASSETS says.

`python -m tests.cluster.toolbox` builds what is missing and tells how far it is; the tests do the same in silence.
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswind.local.home import LocalError, cache_folder
from crosswind.local.processes import scrubbed_environment
from crosswind.local.tools import install_once

KWOK_VERSION = "0.7.0"
CONTROL_PLANE = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
ALL = (*CONTROL_PLANE, *CONTROLLERS, "kubelet", "kubectl")
_SOURCES = Path(__file__).with_name("tools")
_KWOK = f"sigs.k8s.io/kwok/cmd/kwok@v{KWOK_VERSION}"
_SMALL = "-s -w"
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_BUILD_SECONDS = 2400
_TELL_SECONDS = 20

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are; not every source of them has them all."""

    folder: Path

    def has(self, *names: str) -> bool:
        """Whether all of these are there."""
        return all((self.folder / name).exists() for name in names)

    def __getitem__(self, name: str) -> Path:
        """One program. Raises LocalError where it is missing."""
        if not self.has(name):
            raise LocalError(f"{self.folder} has no {name}")
        return self.folder / name


def ensure_kubernetes(report: Report, environ: Mapping[str, str] | None = None) -> Tools:
    """etcd and Kubernetes, built where they are missing. Raises LocalError that says what there is neither of."""
    given = (os.environ if environ is None else environ).get("KUBEBUILDER_ASSETS")
    if given:
        tools = Tools(Path(given))
        if not tools.has(*CONTROL_PLANE):
            raise LocalError(f"KUBEBUILDER_ASSETS names {given}, which has no etcd and kube-apiserver")
        return tools
    go = _go()
    source = _SOURCES / "kubernetes"
    folder = cache_folder() / f"kubernetes-{_key(go, source)}"

    def build(folder: Path) -> None:
        report("building etcd and Kubernetes: some 7 minutes on two cores, once for each version")
        _build(go, source, folder / "kubernetes", report)
        for name in ALL:
            (folder / name).symlink_to("kubernetes")

    install_once(folder, build)
    return Tools(folder)


def ensure_kwok(report: Report) -> Path:
    """KWOK, which plays nodes and their pods. It has dependencies of its own, so it is no part of our module."""
    installed = shutil.which("kwok")
    if installed:
        return Path(installed)
    go = _go()
    folder = cache_folder() / f"kwok-{KWOK_VERSION}"

    def build(folder: Path) -> None:
        report(f"building KWOK {KWOK_VERSION}: some 2 minutes on two cores, once")
        environ = {
            "GOBIN": str(folder),
            "GOFLAGS": "-mod=mod -buildvcs=false",
            "CGO_ENABLED": "0",
            "GOWORK": "off",
        }
        _run(
            [go, "install", "-v", "-trimpath", f"-ldflags={_SMALL}", _KWOK],
            environ=environ,
            folder=folder,
            report=report,
        )

    install_once(folder, build)
    return folder / "kwok"


def ensure_probe(report: Report) -> Path:
    """The static program that images of tests consist of."""
    go = _go()
    source = _SOURCES / "probe"
    folder = cache_folder() / f"kubernetes-probe-{_key(go, source)}"
    install_once(folder, lambda folder: _build(go, source, folder / "probe", report))
    return folder / "probe"


def _go() -> str:
    found = shutil.which("go")
    if found is None:
        raise LocalError(
            "a real Kubernetes needs Go 1.24 or later to build it, or etcd and kube-apiserver in a folder that "
            "KUBEBUILDER_ASSETS names, or a cluster whose kubeconfig CROSSWIND_TEST_KUBECONFIG names"
        )
    return found


def _key(go: str, source: Path) -> str:
    """What tells builds apart: the code, all versions by go.sum, and the compiler's version."""
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, check=True, timeout=60).stdout
    files = [path for path in sorted(source.iterdir()) if path.suffix in (".go", ".mod", ".sum")]
    parts = [version, _version_flags(source).encode(), *(path.read_bytes() for path in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _build(go: str, source: Path, target: Path, report: Report) -> None:
    environ = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    flags = f"-ldflags={_SMALL} {_version_flags(source)}"
    command = [go, "build", "-v", "-trimpath", flags, "-o", str(target), "."]
    _run(command, environ=environ, folder=source, report=report)


def _version_flags(source: Path) -> str:
    """Kubernetes learns its own version from its linker only; clients and `kubectl version` compare it."""
    module = (source / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", module)
    if found is None:
        return ""
    values = zip(("gitVersion", "gitMajor", "gitMinor"), found.groups(), strict=True)
    return " ".join(f"-X {package}.{name}={value}" for name, value in values for package in _VERSION_PACKAGES)


def _run(command: list[str], *, environ: Mapping[str, str], folder: Path, report: Report) -> None:
    """Build with low priority; what is compiled is counted, so that whoever waits sees that it goes on."""
    polite = [nice, "-n", "10"] if (nice := shutil.which("nice")) else []
    log = cache_folder() / f"build-{os.getpid()}.log"
    began = told = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*polite, *command],
            cwd=folder,
            env=scrubbed_environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            while process.poll() is None:
                time.sleep(0.2)
                now = time.monotonic()
                if now - began > _BUILD_SECONDS:
                    raise LocalError(
                        f"{command[-1]} was not built within {_BUILD_SECONDS} s; {log} tells more"
                    )
                if now - told > _TELL_SECONDS:
                    told = now
                    report(f"  {now - began:.0f} s: {_lines(log)} packages compiled or downloaded")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        words = log.read_text(encoding="utf-8", errors="replace").strip()
        raise LocalError(f"{' '.join(command[:2])} in {folder.name} failed: {words[-1500:]}")
    log.unlink()


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n")


def main() -> None:
    """Build what is missing, and tell what cannot be built: then the tests that need it skip."""
    if os.environ.get("CROSSWIND_TEST_KUBECONFIG"):
        print("CROSSWIND_TEST_KUBECONFIG names a cluster: no control plane is built")
    wanted: list[Callable[[Report], object]] = [ensure_kwok, ensure_probe]
    if not os.environ.get("CROSSWIND_TEST_KUBECONFIG"):
        wanted.insert(0, ensure_kubernetes)
    for ensure in wanted:
        try:
            ensure(print)
        except LocalError as missing:
            print(f"tests will be skipped: {missing}")


if __name__ == "__main__":
    main()
