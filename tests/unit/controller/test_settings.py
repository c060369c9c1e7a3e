"""The controller's environment."""

import json
import logging
from pathlib import Path

import pytest

from crosswind.controller.logs import EcsFormatter
from crosswind.controller.main import main
from crosswind.controller.settings import ControllerSettings
from crosswind.settings import SettingsError


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    settings = ControllerSettings.from_env(
        {
            "CROSSWIND_ENDPOINT": "https://api.example/",
            "CROSSWIND_TOKEN_FILE": str(file),
            "CROSSWIND_NAMESPACES": "crosswind-shop, crosswind-bank",
        }
    )

    assert settings.endpoint == "https://api.example"
    assert settings.namespaces == ("crosswind-shop", "crosswind-bank")
    assert settings.bearer() == "one"
    file.write_text("two\n")
    assert settings.bearer() == "two"


def test_every_fault_is_named_and_no_token_leaves_in_clear_text() -> None:
    with pytest.raises(SettingsError) as fault:
        ControllerSettings.from_env(
            {"CROSSWIND_ENDPOINT": "http://api.example", "CROSSWIND_LOG_LEVEL": "loud"}
        )

    assert "clear text" in str(fault.value)
    assert "CROSSWIND_TOKEN_FILE" in str(fault.value)
    assert "CROSSWIND_LOG_LEVEL" in str(fault.value)


def test_a_wrong_environment_ends_it_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CROSSWIND_ENDPOINT", raising=False)

    assert main([]) == 2
    assert "CROSSWIND_ENDPOINT" in capsys.readouterr().err


def test_a_line_has_the_names_of_the_common_schema() -> None:
    record = logging.LogRecord("kopf.objects", logging.ERROR, __file__, 1, "it %s", ("failed",), None)
    record.k8s_ref = {"namespace": "crosswind-shop", "kind": "TestRun", "name": "nightly"}

    line = json.loads(EcsFormatter().format(record))

    assert line["message"] == "it failed"
    assert line["log.level"] == "ERROR"
    assert line["orchestrator.resource.name"] == "nightly"
