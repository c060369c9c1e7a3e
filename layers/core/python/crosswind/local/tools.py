"""The tools that the embedded cloud needs, installed once into the user's cache: emulator, CDK CLI, a Python for tests.

Each lies in a folder named by its version, built beside it and renamed when it is whole, so that an interrupted
installation leaves nothing half done and two users of the cache do not meet.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from crosswind.local.home import LocalError, cache_folder

MINISTACK = "1.5.33"
BOTO3 = "1.43.106"  # of the botocore that this MiniStack pins: its Lambdas import it
CRYPTOGRAPHY = "50.0.2"
CDK = "2.1148.1"
_PYTHON_TAG = f"py{sys.version_info.major}{sys.version_info.minor}"
_INSTALL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Tools:
    """Where each tool is."""

    emulator_python: Path
    cdk: Path
    test_python: Path


def ensure_tools(report: Callable[[str], None]) -> Tools:
    """Install what is missing, all at once; quick when nothing is. Raises LocalError with the installer's last words."""
    emulator = cache_folder() / f"emulator-{MINISTACK}-{_PYTHON_TAG}-{_interpreter_key()}"
    cdk = cache_folder() / f"cdk-{CDK}"
    tests = cache_folder() / f"test-python-{_PYTHON_TAG}-{_interpreter_key()}"
    work: list[tuple[Path, str, Callable[[Path], None]]] = [
        (emulator, f"the AWS emulator (MiniStack {MINISTACK})", _install_emulator),
        (cdk, f"the CDK CLI {CDK}", _install_cdk),
        (tests, "a Python for tests", _install_test_python),
    ]
    missing = [item for item in work if not (item[0] / "complete").exists()]
    for _, title, _ in missing:
        report(f"installing {title}")
    with ThreadPoolExecutor(max_workers=3) as pool:
        for done in [pool.submit(install_once, folder, install) for folder, _, install in missing]:
            done.result()
    return Tools(
        emulator_python=emulator / "bin" / "python",
        cdk=cdk / "node_modules" / ".bin" / "cdk",
        test_python=tests / "bin" / "python",
    )


def _interpreter_key() -> str:
    """Tell interpreters of one version apart: a virtual environment works only with the one that made it."""
    return hashlib.sha256(os.path.realpath(sys.executable).encode()).hexdigest()[:8]


def install_once(folder: Path, install: Callable[[Path], None]) -> None:
    """Have `install` fill the folder where that was not done before; users of one cache do not meet."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        # Virtual environments hold their own path, so the folder has its name from the start and the mark comes last.
        folder.mkdir()
        install(folder)
        (folder / "complete").touch()


def _install_emulator(folder: Path) -> None:
    _make_venv(folder, with_pip=True)
    wanted = (f"ministack=={MINISTACK}", f"boto3=={BOTO3}", f"cryptography=={CRYPTOGRAPHY}")
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", *wanted])


def _install_test_python(folder: Path) -> None:
    _make_venv(folder, with_pip=True)


def _install_cdk(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise LocalError(
            "npm was not found; install Node.js 20 or later (`crosswind doctor` shows everything missing)"
        )
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    flags = ("--no-audit", "--no-fund", "--loglevel=error", "--save-exact", "--ignore-scripts")
    _run([npm, "install", *flags, "--prefix", str(folder), f"aws-cdk@{CDK}"])


def _make_venv(folder: Path, *, with_pip: bool) -> None:
    options = [] if with_pip else ["--without-pip"]
    _run([_base_python(), "-m", "venv", *options, str(folder)])


def _base_python() -> str:
    """The interpreter behind this virtual environment, so that the new one depends on nothing that may go away."""
    base = getattr(sys, "_base_executable", None)
    return str(base) if base and Path(base).exists() else sys.executable


def _run(command: Sequence[str]) -> None:
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LocalError(f"{' '.join(command[:4])} took more than {_INSTALL_SECONDS} s") from error
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if done.returncode != 0:
        raise LocalError(f"{' '.join(command[:5])} failed:\n{said[-2000:]}")
