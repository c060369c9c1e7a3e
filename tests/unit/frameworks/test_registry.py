"""Which adapter an order gets. Input: a framework's name and its manifest. Output: an adapter, or what is missing."""

from importlib.metadata import EntryPoint

import pytest

from crosswind.adapters.frameworks import registry
from crosswind.adapters.frameworks.manifest import ManifestAdapter
from crosswind.adapters.frameworks.pytest import PytestAdapter
from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.frameworks.catalogue import builtin_names


def make_adapter(spec: FrameworkSpec) -> ManifestAdapter:
    """What a plugin's entry point names."""
    return ManifestAdapter(spec)


@pytest.mark.parametrize("name", builtin_names())
def test_every_built_in_framework_has_an_adapter(name: str) -> None:
    assert registry.adapter_for(name, None)


def test_selenium_is_pytest_by_another_name() -> None:
    assert isinstance(registry.adapter_for("selenium", None), PytestAdapter)


def test_a_plugin_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("ava", f"{__name__}:make_adapter", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **query: [entry] if query["name"] == "ava" else [])
    monkeypatch.setattr(EntryPoint, "load", lambda _: make_adapter)

    assert isinstance(registry.adapter_for("ava", FrameworkSpec(adapter="ava")), ManifestAdapter)


@pytest.mark.parametrize(("name", "spec"), [("ava", FrameworkSpec(adapter="ava")), ("cobol", None)])
def test_what_nobody_offers_is_named(name: str, spec: FrameworkSpec | None) -> None:
    with pytest.raises(NotFoundError, match=name):
        registry.adapter_for(name, spec)
