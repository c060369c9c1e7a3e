"""Every wire model has a stored schema: a change of a contract is seen in review, as a change of a file.

`python -m tests.contract.test_schemas` writes the files again.
"""

import importlib
import json
import pkgutil
from pathlib import Path

import pytest

from crosswind import contracts
from crosswind.contracts.base import WireModel

FOLDER = Path(__file__).with_name("schemas")


def _models() -> dict[str, type[WireModel]]:
    found: dict[str, type[WireModel]] = {}
    for module in pkgutil.walk_packages(contracts.__path__, f"{contracts.__name__}."):
        area = importlib.import_module(module.name)
        for name, value in vars(area).items():
            is_model = isinstance(value, type) and issubclass(value, WireModel) and value is not WireModel
            if is_model and value.__module__ == area.__name__:
                found[f"{area.__name__.removeprefix(f'{contracts.__name__}.')}.{name}"] = value
    return found


def _render(model: type[WireModel]) -> str:
    return json.dumps(model.model_json_schema(by_alias=True), indent=1, sort_keys=True) + "\n"


MODELS = _models()


@pytest.mark.parametrize("name", MODELS)
def test_the_stored_schema_is_the_models(name: str) -> None:
    stored = FOLDER / f"{name}.json"
    text = stored.read_text(encoding="utf-8") if stored.exists() else ""
    assert text == _render(MODELS[name]), (
        f"{name} changed; if old messages can still be read: python -m tests.contract.test_schemas"
    )


def test_no_stored_schema_is_left_over() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(MODELS)


def write() -> None:
    """Write every schema."""
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.json"):
        file.unlink()
    for name, model in MODELS.items():
        (FOLDER / f"{name}.json").write_text(_render(model), encoding="utf-8")


if __name__ == "__main__":
    write()
