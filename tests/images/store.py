"""The images that tests use: built once by `containers.build` into a store of their own below the user's cache folder."""

import os
from pathlib import Path

from filelock import FileLock

from containers import build as images


def ensure_images() -> tuple[images.Engine, list[images.Image]]:
    """The base and pytest's image, built where they are not there yet. Raises BuildError with what is missing here."""
    if os.geteuid() != 0:
        raise images.BuildError("images are built here by root only")
    engine = images.find_engine(_folder())
    if not engine.is_podman:
        raise images.BuildError("the tests need podman: it keeps these images in a store of their own")
    if not images.can_make_local_base():
        raise images.BuildError("a base that needs no registry takes mmdebstrap or debootstrap")
    _folder().mkdir(parents=True, exist_ok=True)
    with FileLock(_folder() / "lock"):
        base = images.make_local_base(engine)
        made = images.build(["pytest"], engine=engine, base_image=base)
        images.forget_others(engine, made)
    return engine, made


def ensure_archive() -> tuple[Path, dict[str, str]]:
    """Both images in one file that containerd takes, written once; and their tags by their names. Raises BuildError."""
    engine, made = ensure_images()
    tags = {image.name: image.tag for image in made}
    folder = _folder() / "archives"
    archive = folder / f"{'-'.join(tag.rpartition(':')[2] for tag in tags.values())}.tar"
    with FileLock(_folder() / "lock"):
        if not archive.exists():
            folder.mkdir(exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
            part = archive.with_suffix(".part")
            engine.run("save", "--multi-image-archive", "--output", str(part), *tags.values())
            part.rename(archive)
    return archive, tags


def _folder() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder, "crosswind", "images")
