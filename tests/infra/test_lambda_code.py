"""What Lambda code may import: read from the sources, from each handler through everything it reaches."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.conftest import ROOT

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
            if module in found:
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
