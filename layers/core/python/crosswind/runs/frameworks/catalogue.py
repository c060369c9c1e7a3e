"""The built-in frameworks: one YAML file each in `builtin/`, read when it is asked for."""

from functools import cache
from importlib import resources

from crosswind.contracts import spec_text
from crosswind.contracts.frameworks import PYTEST, FrameworkManifest, FrameworkSpec, Unit

_FOLDER = resources.files(__package__) / "builtin"
_SUFFIX = ".yaml"


@cache
def builtin_names() -> tuple[str, ...]:
    """By name."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


@cache
def builtin_manifest(name: str) -> FrameworkManifest | None:
    """The manifest of a built-in framework; None where there is none of that name."""
    if name not in builtin_names():
        return None
    text = (_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    return FrameworkManifest.model_validate(spec_text.read_text(text).value, by_alias=True, by_name=False)


def builtin(name: str) -> FrameworkSpec | None:
    """A built-in framework; None where there is none of that name."""
    manifest = builtin_manifest(name)
    return None if manifest is None else manifest.spec


def spec_of(framework: str, manifest: FrameworkSpec | None) -> FrameworkSpec:
    """What a job's framework is: the manifest that was resolved with it, else the built-in one.

    Raises LookupError for a name that neither knows: no job is made with one.
    """
    spec = manifest or builtin(framework)
    if spec is None:
        raise LookupError(f"there is no framework {framework!r}")
    return spec


def pulls(spec: FrameworkSpec) -> bool:
    """Whether its adapter can take batches in one live process."""
    return spec.adapter == PYTEST


def group_separator(spec: FrameworkSpec) -> str | None:
    """What stands behind a group's name in the names of its tests; None where tests are planned and not groups."""
    return spec.identity.separator if spec.identity.unit is Unit.GROUP else None


def selects(spec: FrameworkSpec) -> bool:
    """Whether it can run a part of its tests, and so single tests again."""
    return spec.adapter == PYTEST or spec.selection is not None
