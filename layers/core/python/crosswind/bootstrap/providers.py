"""The fault providers of a deployment, made when they are asked for first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.errors import InvalidInputError

if TYPE_CHECKING:
    from crosswind.chaos.providing import Provider
    from crosswind.settings import ChaosSettings

# ruff: noqa: PLC0415  # a provider is imported by whoever needs it

Make = Callable[[], "Provider"]


@dataclass(frozen=True)
class ProviderRegistry:
    """crosswind.chaos.providing.Providers over what a deployment is told that it has."""

    makers: Mapping[ProviderName, Make]
    _made: dict[ProviderName, "Provider"] = field(default_factory=dict)

    def get(self, name: ProviderName) -> "Provider":
        """Raises InvalidInputError for one that is not built or not configured here."""
        if name not in self.makers:
            known = ", ".join(each.value for each in self.available()) or "none"
            raise InvalidInputError(f"the provider {name.value} is not available here; there is {known}")
        if name not in self._made:
            self._made[name] = self.makers[name]()
        return self._made[name]

    def available(self) -> tuple[ProviderName, ...]:
        """Their names, in alphabetical order."""
        return tuple(sorted(self.makers))


def providers(settings: "ChaosSettings") -> ProviderRegistry:
    """Those that the settings name and that are built."""
    built: dict[ProviderName, Make] = {
        ProviderName.TOXIPROXY: partial(_toxiproxy, settings),
        ProviderName.PROCESS: partial(_process, settings),
        ProviderName.FIS: partial(_fis, settings),
    }
    named = {name.strip() for name in settings.providers.split(",") if name.strip()}
    return ProviderRegistry({name: make for name, make in built.items() if name.value in named})


def _toxiproxy(settings: "ChaosSettings") -> "Provider":
    from crosswind.adapters.http import HttpPeer
    from crosswind.adapters.providers.toxiproxy import ToxiproxyProvider

    return ToxiproxyProvider(HttpPeer("Toxiproxy", settings.toxiproxy_url))


def _process(settings: "ChaosSettings") -> "Provider":
    from crosswind.adapters.providers.process.provider import ProcessProvider

    return ProcessProvider(home=Path(settings.process_home), clock=SystemClock())


def _fis(settings: "ChaosSettings") -> "Provider":
    from crosswind.bootstrap.fis import fis_provider

    return fis_provider(settings)
