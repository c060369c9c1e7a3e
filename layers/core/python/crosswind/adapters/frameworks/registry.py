"""Which adapter serves which framework: this package's own, or a plugin's.

A plugin is a distribution on the runner with an entry point of the group `crosswind.frameworks`: its name is what a manifest
says in `adapter`, and it names a callable that takes the manifest's FrameworkSpec and returns a FrameworkAdapter.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from crosswind.adapters.frameworks.base import FrameworkAdapter
from crosswind.adapters.frameworks.command import CommandAdapter
from crosswind.adapters.frameworks.jmeter import JMeterAdapter
from crosswind.adapters.frameworks.k6 import K6Adapter
from crosswind.adapters.frameworks.manifest import ManifestAdapter
from crosswind.adapters.frameworks.pytest import PytestAdapter
from crosswind.contracts.frameworks import COMMAND, JMETER, K6, MANIFEST_ADAPTER, PYTEST, FrameworkSpec
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.frameworks.catalogue import spec_of

GROUP = "crosswind.frameworks"

_ADAPTERS: dict[str, Callable[[FrameworkSpec], FrameworkAdapter]] = {
    PYTEST: lambda _: PytestAdapter(),
    COMMAND: lambda _: CommandAdapter(),
    MANIFEST_ADAPTER: ManifestAdapter,
    K6: lambda _: K6Adapter(),
    JMETER: lambda _: JMeterAdapter(),
}


def adapter_for(framework: str, manifest: FrameworkSpec | None) -> FrameworkAdapter:
    """The adapter of an order's framework. Raises NotFoundError where this runner has none of that name."""
    try:
        spec = spec_of(framework, manifest)
    except LookupError as error:
        raise NotFoundError(str(error)) from error
    make = _ADAPTERS.get(spec.adapter)
    if make is not None:
        return make(spec)
    for entry in entry_points(group=GROUP, name=spec.adapter):
        made: FrameworkAdapter = entry.load()(spec)
        return made
    raise NotFoundError(
        f"framework {framework!r} needs the adapter {spec.adapter!r}, and no package on this runner offers it "
        f"(entry point group {GROUP})"
    )
