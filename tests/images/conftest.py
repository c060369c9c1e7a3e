"""Real images, built once by `containers.build` into a store of their own below the user's cache folder.

They start from a Debian that is made here, so no registry is needed; what is unchanged is not built again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest
from filelock import FileLock

from containers import build as images

WORK = "/var/lib/crosswind"


@dataclass(frozen=True)
class Built:
    """An image, and how it is run as a pod under Pod Security `restricted` would be."""

    engine: images.Engine
    image: images.Image

    def restricted(
        self, *words: str, options: Sequence[str] = (), work: bool = True
    ) -> CompletedProcess[str]:
        """Not root, read-only root, no capabilities, no new privileges, no network; `work`: with a work folder."""
        mount = ("--mount", f"type=tmpfs,destination={WORK},U=true,tmpfs-size=256m") if work else ()
        argv = self.engine.argv(
            *("run", "--rm", "--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all"),
            *("--security-opt=no-new-privileges", *images.limits(), *mount, *options),
            self.image.tag,
            *words,
        )
        return run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def built() -> dict[str, Built]:
    """The base and one framework's image."""
    if os.geteuid() != 0:
        pytest.skip("images are built here by root only")
    try:
        engine = images.find_engine(_cache())
    except images.BuildError as error:
        pytest.skip(str(error))
    if not engine.is_podman:
        pytest.skip("the tests need podman: it keeps these images in a store of their own")
    if not images.can_make_local_base():
        pytest.skip("a base that needs no registry takes mmdebstrap or debootstrap")
    _cache().mkdir(parents=True, exist_ok=True)
    with FileLock(_cache() / "lock"):
        base = images.make_local_base(engine)
        made = images.build(["pytest"], engine=engine, base_image=base)
        images.forget_others(engine, made)
    return {image.name: Built(engine, image) for image in made}


def _cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder, "crosswind", "images")
