"""A fake API and a terminal for every test."""

from pathlib import Path

import pytest

from tests.unit.cli.fake_api import FakeApi, Terminal


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def crosswind(api: FakeApi, tmp_path: Path) -> Terminal:
    return Terminal(api=api, home=tmp_path)
