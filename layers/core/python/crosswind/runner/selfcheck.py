"""`crosswind-runner --check`: what a runner can do where it stands, and what it cannot. It talks to nobody.

Asked by people who build an image of their own, and by the tests of ours. A pod that cannot run tests says why at once,
not with the first shard.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from crosswind import __version__
from crosswind.runner.environment import TestEnvironment

DEFAULT_WORK_FOLDER = "/var/lib/crosswind"
_TOOL_SECONDS = 20
_FEWEST_FREE_MIB = 64
_MIB = 1024 * 1024
_VERSION = re.compile(r"\d+\.\d+")
_TOOLS: Mapping[str, tuple[str, ...]] = {
    "python": ("python", "--version"),
    "pytest": ("python", "-m", "pytest", "--version"),
    "node": ("node", "--version"),
    "playwright": ("playwright", "--version"),
    "chromium": ("chromium", "--version"),
    "chromedriver": ("chromedriver", "--version"),
    "cypress": ("cypress", "--version"),
    "newman": ("newman", "--version"),
    "k6": ("k6", "version"),
    "java": ("java", "-version"),
    "jmeter": ("jmeter", "--version"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A runner cannot work where a needed one is not ok."""

    name: str
    ok: bool
    needed: bool
    detail: str


def check(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Look at the user, the work folder, the limits and the tools."""
    folder = Path(environ.get("CROSSWIND_WORK_FOLDER", DEFAULT_WORK_FOLDER))
    return (
        Finding("runner", ok=True, needed=True, detail=f"{__version__}, Python {platform.python_version()}"),
        *_identity(environ),
        *_work_folder(folder),
        _git(),
        *_tools(environ, folder),
    )


def render(findings: tuple[Finding, ...]) -> str:
    """For people."""
    width = max(len(finding.name) for finding in findings)
    return "\n".join(f"{_word(each):4}{each.name:{width}}  {each.detail}" for each in findings)


def render_json(findings: tuple[Finding, ...]) -> str:
    """For programs."""
    return json.dumps({"ok": can_work(findings), "findings": [asdict(each) for each in findings]})


def can_work(findings: tuple[Finding, ...]) -> bool:
    """Whether all that is needed is there."""
    return all(each.ok for each in findings if each.needed)


def _word(finding: Finding) -> str:
    if finding.ok:
        return "yes"
    return "NO" if finding.needed else "no"


def _identity(environ: Mapping[str, str]) -> Iterator[Finding]:
    uid = os.geteuid()
    test_uid = environ.get("CROSSWIND_TEST_UID")
    separate = uid == 0 and test_uid is not None
    yield Finding(
        "own user for tests",
        ok=separate,
        needed=False,
        detail=f"tests run as user {test_uid}" if separate else f"tests run as the runner's user, {uid}",
    )
    yield Finding("not root", ok=uid != 0, needed=False, detail=f"user {uid}, group {os.getegid()}")
    status = _process_status()
    capabilities = int(status.get("CapBnd", "0"), 16)
    yield Finding(
        "no capabilities", ok=capabilities == 0, needed=False, detail=f"bounding set {capabilities:#x}"
    )
    yield Finding(
        "no new privileges",
        ok=status.get("NoNewPrivs") == "1",
        needed=False,
        detail="set-user-id programs gain nothing" if status.get("NoNewPrivs") == "1" else "not set",
    )
    yield Finding(
        "seccomp", ok=status.get("Seccomp") == "2", needed=False, detail=f"mode {status.get('Seccomp', '?')}"
    )
    writable = os.access("/", os.W_OK) or os.access("/usr", os.W_OK)
    read_only = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
    detail = "mounted read-only" if read_only else "writable" if writable else "not writable by this user"
    yield Finding("read-only root", ok=read_only, needed=False, detail=detail)


def _process_status() -> dict[str, str]:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _work_folder(folder: Path) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="check-") as place:
            program = Path(place, "program")
            program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
            program.chmod(0o700)
            yield Finding("work folder", ok=True, needed=True, detail=f"{folder} can be written")
            yield _executes(program, folder)
        free = shutil.disk_usage(folder).free // _MIB
    except OSError as error:
        yield Finding("work folder", ok=False, needed=True, detail=f"{folder}: {error.strerror}")
        return
    yield Finding("free space", ok=free >= _FEWEST_FREE_MIB, needed=True, detail=f"{free} MiB in {folder}")
    shared = Path("/dev/shm")  # noqa: S108  # looked at, not written
    if shared.is_dir():
        size = shutil.disk_usage(shared).total // _MIB
        yield Finding(
            "shared memory",
            ok=size >= _FEWEST_FREE_MIB and os.access(shared, os.W_OK),
            needed=False,
            detail=f"{size} MiB in {shared}, which browsers use",
        )


def _executes(program: Path, folder: Path) -> Finding:
    """A work folder that is mounted noexec breaks virtual environments and node_modules/.bin."""
    try:
        subprocess.run([program], check=True, timeout=_TOOL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("execute from it", ok=False, needed=True, detail=f"{folder}: {error}")
    return Finding("execute from it", ok=True, needed=True, detail="programs that setup installs can start")


def _git() -> Finding:
    """Without it, archives work and Git sources do not."""
    found = shutil.which("git")
    return Finding("git", ok=found is not None, needed=False, detail=found or "Git sources cannot be fetched")


def _tools(environ: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    """What tests would find on their PATH, in their environment."""
    test_python = environ.get("CROSSWIND_TEST_PYTHON")
    tests = TestEnvironment.of(
        environ, marker="check", test_python=Path(test_python) if test_python else None
    )
    with _home(folder) as home:
        env = tests.build(home=home, temporary=home, given={})
        for name, argv in _TOOLS.items():
            yield _tool(name, argv, env)


@contextmanager
def _home(folder: Path) -> Iterator[Path]:
    """A home for tools that write there; where nothing can be written they have to do without."""
    try:
        place = tempfile.mkdtemp(dir=folder, prefix="check-")
    except OSError:
        yield folder
        return
    yield Path(place)
    shutil.rmtree(place, ignore_errors=True)


def _tool(name: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Finding:
    program = shutil.which(argv[0], path=env["PATH"])
    if program is None:
        return Finding(name, ok=False, needed=False, detail="not installed")
    try:
        ran = subprocess.run(
            [program, *argv[1:]],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, ok=False, needed=False, detail=str(error))
    lines = [line.strip() for line in (*ran.stdout.splitlines(), *ran.stderr.splitlines()) if line.strip()]
    said = next((line for line in lines if _VERSION.search(line)), lines[0] if lines else "")
    return Finding(name, ok=ran.returncode == 0, needed=False, detail=said or f"exit status {ran.returncode}")
