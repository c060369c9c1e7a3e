"""Builds the images:  python -m containers.build [NAME...]  (all of them unless named; `make images` calls this).

Each image is tagged by the content of what it is made from, so an unchanged one is not built again. Where no registry
can be reached, `--local-base` makes a Debian base with debootstrap or mmdebstrap instead of fetching one.
"""

import argparse
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = ("pytest", "playwright", "selenium", "cypress", "newman", "k6", "jmeter")
IMAGES = ("base", *FRAMEWORKS, "controller")
DEBIAN = "bookworm"
_DEBIAN_PACKAGES = ("ca-certificates", "git", "python3", "python3-venv", "tini")
_BASE_INPUTS = (
    "containers/base",
    "layers/core/python",
    "statemachines",
    "pyproject.toml",
    "uv.lock",
    "README.md",
)
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_DEFAULT_MIRROR = "http://deb.debian.org/debian"
_MOST_FILES = 1024


class BuildError(Exception):
    """An image cannot be built, and why."""


@dataclass(frozen=True, slots=True)
class Engine:
    """podman or docker. `store` is where podman keeps its images, if not where it usually does."""

    program: str
    store: Path | None = None

    @property
    def is_podman(self) -> bool:
        """Whether it takes podman's own options."""
        return Path(self.program).name == "podman"

    def argv(self, *words: str) -> list[str]:
        """A command of the engine."""
        given = [self.program]
        if self.is_podman:
            if runc := shutil.which("runc"):
                given += ["--runtime", runc]
            if self.store:
                given += ["--root", str(self.store / "images"), "--runroot", str(self.store / "run")]
        return [*given, *words]

    def run(self, *words: str, quiet: bool = True) -> str:
        """Its standard output. Raises BuildError with what it said."""
        ended = subprocess.run(
            self.argv(*words),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            said = f"{ended.stdout}\n{ended.stderr or ''}".strip()
            raise BuildError(f"{' '.join(words[:2])} ended with {ended.returncode}:\n{said[-4000:]}")
        return ended.stdout.strip()

    def has(self, image: str) -> bool:
        """Whether it has an image of this name."""
        look = ("image", "exists", image) if self.is_podman else ("image", "inspect", image)
        return subprocess.run(self.argv(*look), capture_output=True, check=False).returncode == 0


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there."""

    name: str
    tag: str
    bytes: int


def find_engine(store: Path | None = None) -> Engine:
    """podman, else docker. Raises BuildError where neither is installed."""
    for name in ("podman", "docker"):
        if program := shutil.which(name):
            return Engine(program, store)
    raise BuildError("neither podman nor docker is installed; on Debian: apt install podman runc")


def limits() -> list[str]:
    """Limits of open files and processes that a container can be given here: an engine's own may be too high."""
    given = []
    for name, what in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(what)[1]
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
        given += ["--ulimit", f"{name}={most}:{most}"]
    return given


def build(
    names: Iterable[str], *, engine: Engine, base_image: str | None = None, quiet: bool = True
) -> list[Image]:
    """Build the named images that are not there yet, the base first. Raises BuildError."""
    base_tag = _tag("base", _key(_BASE_INPUTS, base_image or ""))
    made = [
        _build_one(engine, "base", base_tag, {"BASE_IMAGE": base_image} if base_image else {}, quiet=quiet)
    ]
    wanted = [name for name in names if name != "base"]
    for name in wanted:
        tag = _tag(name, _key((f"containers/{name}",), base_tag))
        made.append(_build_one(engine, name, tag, {"BASE": base_tag}, quiet=quiet))
    return made


def make_local_base(engine: Engine) -> str:
    """A Debian base that no registry is needed for; made once. Raises BuildError."""
    image = f"localhost/crosswind-debian:{DEBIAN}-{_digest([' '.join(_DEBIAN_PACKAGES).encode()])[:12]}"
    if engine.has(image):
        return image
    with tempfile.TemporaryDirectory(prefix="crosswind-base-") as folder:
        archive = Path(folder, "root.tar")
        _make_root(Path(folder), archive)
        engine.run("import", str(archive), image)
    return image


def forget_others(engine: Engine, keep: Sequence[Image]) -> None:
    """Remove earlier images of the same names, and what was left of builds ten days ago, from a store of one's own."""
    tags = {image.tag for image in keep}
    for image in reversed(keep):  # an image goes before the base that it starts from
        repository = image.tag.rpartition(":")[0]
        listed = engine.run("images", "--format", "{{.Repository}}:{{.Tag}}", repository).split()
        for old in set(listed) - tags - {f"{repository}:latest"}:
            with suppress(BuildError):  # another image still starts from it
                engine.run("rmi", old)
    engine.run("image", "prune", "--force", "--filter", "until=240h")


def can_make_local_base() -> bool:
    """Whether the tools for it are there."""
    return os.geteuid() == 0 and any(shutil.which(tool) for tool in ("mmdebstrap", "debootstrap"))


def _make_root(folder: Path, archive: Path) -> None:
    mirror = os.environ.get("CROSSWIND_DEBIAN_MIRROR", _DEFAULT_MIRROR)
    packages = f"--include={','.join(_DEBIAN_PACKAGES)}"
    if tool := shutil.which("mmdebstrap"):
        _call([tool, "--quiet", "--variant=minbase", packages, DEBIAN, str(archive), mirror])
    elif tool := shutil.which("debootstrap"):
        root = folder / "root"
        _call([tool, "--variant=minbase", packages, DEBIAN, str(root), mirror])
        _call(["tar", "--create", "--file", str(archive), "--directory", str(root), "."])
    else:
        raise BuildError("a local base needs mmdebstrap or debootstrap; on Debian: apt install mmdebstrap")


def _call(argv: Sequence[str]) -> None:
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BuildError(f"{Path(argv[0]).name} ended with {ended.returncode}:\n{ended.stderr[-4000:]}")


def _build_one(engine: Engine, name: str, tag: str, arguments: dict[str, str], *, quiet: bool) -> Image:
    if not engine.has(tag):
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        if engine.is_podman:
            given += ["--network=host", *limits()]
            if _CERTIFICATES.is_file():  # so that a proxy's own certificate counts inside as well
                given += ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
        latest = f"localhost/crosswind-{name}:latest"
        file = f"containers/{name}/Dockerfile"
        engine.run("build", *given, "--tag", tag, "--tag", latest, "--file", file, ".", quiet=quiet)
    size = engine.run("image", "inspect", "--format", "{{.Size}}", tag)
    return Image(name, tag, int(size))


def _tag(name: str, key: str) -> str:
    return f"localhost/crosswind-{name}:{key[:12]}"


def _key(inputs: Iterable[str], *further: str) -> str:
    """By the content of files, and of further words."""
    pieces = [word.encode() for word in further]
    for path in sorted(_files(inputs)):
        pieces += [path.relative_to(ROOT).as_posix().encode(), path.read_bytes()]
    return _digest(pieces)


def _files(inputs: Iterable[str]) -> Iterator[Path]:
    for each in inputs:
        path = ROOT / each
        found = path.rglob("*") if path.is_dir() else iter((path,))
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where an image could not be built."""
    parser = argparse.ArgumentParser(
        prog="python -m containers.build", description="Build the container images."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(IMAGES)}; all unless named")
    parser.add_argument("--base-image", help="start from this image instead of the pinned one")
    parser.add_argument("--local-base", action="store_true", help="make a Debian base here and start from it")
    parser.add_argument(
        "--store", type=Path, help="where podman keeps its images, if not where it usually does"
    )
    given = parser.parse_args(argv)
    if unknown := [name for name in given.names if name not in IMAGES]:
        parser.error(f"there is no image {unknown[0]!r}; choose of {', '.join(IMAGES)}")
    try:
        engine = find_engine(given.store)
        base = make_local_base(engine) if given.local_base else given.base_image
        for image in build(given.names or IMAGES, engine=engine, base_image=base, quiet=False):
            print(f"{image.name:11}{image.bytes / 1e6:7.0f} MB  {image.tag}")
    except BuildError as error:
        print(f"containers.build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
