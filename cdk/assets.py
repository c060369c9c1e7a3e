"""Lambda packages as zip files: built once per content, compiled, byte for byte the same on every machine.

CDK publishes these files as they are, so a second synth neither copies nor zips nor asks an index. They lie in
`$XDG_CACHE_HOME/crosswind/assets` (default ~/.cache), named by everything that went into them. Missing .pyc files cost
an import three to six times its time, so sources are compiled with hashes instead of dates, by the Python that will
run them. Where that Python is not installed the package carries sources only, and the synth warns of it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cdk.stages import Stage

_PLATFORM = "x86_64-manylinux2014"
_FORMAT = "2"  # part of every key: raise it when the way packages are built changes
_NOT_IN_LAMBDA = ("cli", "local", "runner", "adapters/frameworks")
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class AssetError(Exception):
    """A package cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """A built zip file and the hash that names it."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Packages:
    """Builds the packages of one stage from one source tree."""

    root: Path
    stage: Stage

    def core(self) -> Package:
        """The layer with Crosswind itself, without what only laptops and runners use."""
        source = self.root / "layers/core/python/crosswind"
        files = [
            (f"python/crosswind/{name}", path)
            for name, path in _sources(source)
            if not name.startswith(tuple(f"{folder}/" for folder in _NOT_IN_LAMBDA))
        ]
        return self._from_files("core", files)

    def functions(self, area: str) -> Package:
        """Every handler of an area; each Lambda names its own module."""
        return self._from_files(f"functions-{area}", list(_sources(self.root / "functions" / area)))

    def dependencies(self) -> Package:
        """The layer with third-party code, from the requirements exported from uv.lock."""
        requirements = (self.root / "layers/deps/requirements.txt").read_bytes()
        target = self._target()
        key = _digest(_FORMAT.encode(), requirements, " ".join(target).encode(), self._python_tag().encode())
        return _cached(f"deps-layer-{key}", key, lambda folder: self._install(folder, target))

    def compiler(self) -> str | None:
        """The interpreter whose byte code the stage can use, if it is installed."""
        if self.stage.layer_python is None:
            return emulator_python()
        return _installed_python(self.stage.layer_python)

    def warning(self) -> str | None:
        """What is to be known about the packages of this stage, as a sentence."""
        if self.compiler() is not None:
            return None
        return (
            f"No CPython {self.stage.layer_python} is installed here, so the Lambda packages carry no byte code and every "
            f"cold start compiles: install it (`uv python install {self.stage.layer_python}`) and synthesize again."
        )

    def _from_files(self, name: str, files: list[tuple[str, Path]]) -> Package:
        digest = hashlib.sha256(f"{_FORMAT} {name} {self._python_tag()}".encode())
        for relative, path in files:
            content = path.read_bytes()
            digest.update(f"\n{relative} {len(content)}\n".encode())
            digest.update(content)
        key = digest.hexdigest()

        def fill(folder: Path) -> None:
            for relative, path in files:
                target = folder / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            self._compile(folder)

        return _cached(f"{name}-{key}", key, fill)

    def _target(self) -> list[str]:
        if self.stage.layer_python is None:
            return ["--python", emulator_python()]
        return ["--python-platform", _PLATFORM, "--python-version", self.stage.layer_python]

    def _python_tag(self) -> str:
        compiler = self.compiler()
        return _cache_tag(compiler) if compiler else f"sources-{self.stage.layer_python}"

    def _install(self, folder: Path, target: list[str]) -> None:
        requirements = self.root / "layers/deps/requirements.txt"
        _run(
            sys.executable,
            *(
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--link-mode",
                "copy",
            ),
            *("--target", str(folder / "python"), "--requirement", str(requirements), *target),
        )
        shutil.rmtree(
            folder / "python" / "bin", ignore_errors=True
        )  # scripts name this machine's interpreter
        for record in (
            *folder.rglob("direct_url.json"),
            *folder.rglob("uv_cache.json"),
            *folder.rglob("RECORD"),
        ):
            record.unlink()  # they list paths and dates of this machine, and files that were removed
        (folder / "python" / ".lock").unlink(missing_ok=True)
        self._compile(folder)

    def _compile(self, folder: Path) -> None:
        for cached in folder.rglob("__pycache__"):
            shutil.rmtree(cached)
        compiler = self.compiler()
        if compiler:
            _run(
                compiler,
                *("-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"),
                *("-s", str(folder), "-p", "/opt", str(folder)),
            )


def emulator_python() -> str:
    """The interpreter that runs the embedded cloud, and so its Lambdas: of CROSSWIND_EMULATOR_PYTHON, else this one."""
    return os.environ.get("CROSSWIND_EMULATOR_PYTHON") or sys.executable


def cache_folder() -> Path:
    """Where built packages are kept between synths."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "crosswind" / "assets"


def _sources(folder: Path) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        raise AssetError(f"There is no folder {folder}; a stack needs its Python files")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path


@cache
def _cache_tag(python: str) -> str:
    return _run(python, "-c", "import sys; print(sys.implementation.cache_tag)").strip()


@cache
def _installed_python(version: str) -> str | None:
    """A CPython of this version that runs and makes the byte code that Lambda reads."""
    try:
        found = _run(
            sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", "--system", version
        ).strip()
        usable = _cache_tag(found) == f"cpython-{version.replace('.', '')}"
    except (AssetError, OSError):
        return None
    return found if usable else None


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def _cached(name: str, key: str, fill: Callable[[Path], None]) -> Package:
    """The zip of this name, built by `fill` when it is missing. Two builders at once both succeed."""
    package = Package(cache_folder() / f"{name}.zip", key)
    if package.path.exists():
        return package
    package.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.path.parent) as scratch:
        folder = Path(scratch) / "content"
        folder.mkdir()
        fill(folder)
        unfinished = Path(scratch) / "package.zip"
        _zip(folder, unfinished)
        unfinished.replace(package.path)
    return package


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())


def _run(*command: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # sets in byte code keep their order
    done = subprocess.run(  # noqa: S603  # fixed words, and paths of this tree
        command, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        raise AssetError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout
