"""What Lambda code may import: read from the sources, from each handler through everything it reaches."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdk.assets import Packages
from cdk.stages import DEV, LOCAL, stage_named
from tests.infra.conftest import ROOT
from tests.infra.templates import Assembly

_PACKAGE = ROOT / "layers/core/python"
_FORBIDDEN = {
    "subprocess",
    "multiprocessing",
    "pty",
    "pytest",
    "unittest",
    "git",
    "dulwich",
    "psutil",
    "typer",
    "uvicorn",
}
_NOT_IN_THE_LAYER = ("crosswind.cli", "crosswind.local", "crosswind.runner", "crosswind.adapters.frameworks")
_ON_LAPTOPS_ONLY = "crosswind.adapters.providers.process"
"""Faults on local processes: their Lambdas run on the laptop itself, and only there the provider is configured."""
_HANDLERS = sorted((ROOT / "functions").rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    base = _PACKAGE / Path(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _reached(handler: Path) -> dict[str, str]:
    """Modules that a handler reaches, each with who imports it."""
    found: dict[str, str] = {}
    waiting = [(handler, handler.name)]
    while waiting:
        path, importer = waiting.pop()
        for module in _imports(path):
            if module in found or module.startswith(_ON_LAPTOPS_ONLY):
                continue
            found[module] = importer
            if module.startswith("crosswind") and (source := _file(module)):
                waiting.append((source, module))
    return found


@pytest.mark.parametrize("handler", _HANDLERS, ids=lambda path: path.stem)
def test_a_handler_reaches_no_process_no_git_and_no_test_framework(handler: Path) -> None:
    for module, importer in _reached(handler).items():
        assert module.split(".")[0] not in _FORBIDDEN, f"{importer} imports {module}"
        assert not module.startswith(_NOT_IN_THE_LAYER), (
            f"{importer} imports {module}, which the layer leaves out"
        )


@pytest.mark.parametrize("handler", _HANDLERS, ids=lambda path: path.stem)
def test_a_handler_is_small_and_touches_no_sdk(handler: Path) -> None:
    modules = set(_imports(handler))
    assert not [name for name in modules if name.split(".")[0] in {"boto3", "botocore", "os"}]
    assert not [name for name in modules if name.startswith("crosswind.adapters")]
    assert len(handler.read_text(encoding="utf-8").splitlines()) <= 40


def test_faults_on_processes_are_reached_through_the_registry_of_providers_only() -> None:
    inside = _PACKAGE / "crosswind/adapters/providers/process"
    users = {
        path.relative_to(_PACKAGE).as_posix()
        for path in (_PACKAGE / "crosswind").rglob("*.py")
        if not path.is_relative_to(inside)
        and any(module.startswith(_ON_LAPTOPS_ONLY) for module in _imports(path))
    }
    assert users == {"crosswind/bootstrap/providers.py"}


def test_where_lambdas_python_is_missing_packages_are_sources_only_and_it_is_said() -> None:
    nowhere = Packages(root=ROOT, stage=replace(DEV, layer_python="3.99"))
    assert nowhere.compiler() is None
    assert "No CPython 3.99" in (nowhere.warning() or "")
    assert Packages(root=ROOT, stage=LOCAL).warning() is None


@pytest.mark.infra
def test_the_synth_warns_of_packages_without_byte_code_and_only_then(assembly: Assembly) -> None:
    warning = Packages(root=ROOT, stage=stage_named(assembly.stage)).warning()
    noted = any("crosswind:no-byte-code" in path.read_text() for path in assembly.folder.glob("*.json"))
    assert noted is (warning is not None)
    assert ("carry no byte code" in assembly.log) is (warning is not None)
