"""Real images. They start from a Debian that is made here, so no registry is needed; what is unchanged is not built again."""

from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import CompletedProcess, run

import pytest

from containers import build as images
from tests.images.store import ensure_images

WORK = "/var/lib/crosswind"


@dataclass(frozen=True)
class Built:
    """An image, and how it is run as a pod under Pod Security `restricted` would be."""

    engine: images.Engine
    image: images.Image

    def restricted(
        self, *words: str, options: Sequence[str] = (), work: bool = True
    ) -> CompletedProcess[str]:
        """Run to its end as `restricted_argv` says."""
        argv = self.restricted_argv(*words, options=options, work=work)
        return run(argv, capture_output=True, text=True, timeout=120, check=False)

    def restricted_argv(self, *words: str, options: Sequence[str] = (), work: bool = True) -> list[str]:
        """Not root, read-only root, no capabilities, no new privileges, no network; `work`: with a work folder."""
        mount = ("--mount", f"type=tmpfs,destination={WORK},U=true,tmpfs-size=256m") if work else ()
        return self.engine.argv(
            *("run", "--rm", "--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all"),
            *("--security-opt=no-new-privileges", *images.limits(), *mount, *options),
            self.image.tag,
            *words,
        )


@pytest.fixture(scope="session")
def built() -> dict[str, Built]:
    """The base and one framework's image."""
    try:
        engine, made = ensure_images()
    except images.BuildError as error:
        pytest.skip(str(error))
    return {image.name: Built(engine, image) for image in made}
