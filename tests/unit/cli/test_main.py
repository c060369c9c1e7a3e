"""The command as a whole."""

from pathlib import Path

import pytest

from crosswind.cli import local
from crosswind.kernel.errors import DependencyError
from crosswind.local.home import LocalError
from tests.unit.cli.fake_api import Terminal


def test_the_version_is_told(crosswind: Terminal) -> None:
    result = crosswind("--version")
    assert (result.exit_code, result.stdout) == (0, "crosswind 0.1.0\n")


@pytest.mark.parametrize(
    "arguments", [["fly"], ["get"], ["list", "--limit", "0"], ["validate"], ["up", "--port", "65536"]]
)
def test_wrong_usage_ends_with_2(crosswind: Terminal, arguments: list[str]) -> None:
    assert crosswind(*arguments).exit_code == 2


@pytest.mark.parametrize("error", [LocalError("port 8080 is taken"), DependencyError("the emulator is gone")])
def test_an_error_from_below_is_one_line_and_2(
    crosswind: Terminal, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(local, "print_cloud_logs", fail)
    result = crosswind("logs")
    assert (result.exit_code, result.stderr) == (2, f"error: {error}\n")


def test_a_question_that_is_not_answered_deletes_nothing_and_leaves_stdout_clean(crosswind: Terminal) -> None:
    data = Path(crosswind.environ["CROSSWIND_HOME"])
    data.mkdir(parents=True, exist_ok=True)
    result = crosswind("reset", "--json")
    assert (result.exit_code, result.stdout.strip()) == (130, "")
    assert data.exists()


def test_logs_without_a_run_are_the_embedded_clouds(
    crosswind: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(local, "print_cloud_logs", lambda **wanted: asked.append(wanted))
    crosswind("logs", "-f", "--component", "gateway", "--json")
    assert asked == [{"follow": True, "component": "gateway", "as_json": True}]


def test_a_component_of_a_run_is_refused(crosswind: Terminal) -> None:
    result = crosswind("logs", "run-1", "--component", "gateway")
    assert result.exit_code == 2
    assert "--shard" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "get",
        "list",
        "watch",
        "logs",
        "results",
        "artifacts",
        "cancel",
        "validate",
        "login",
        "whoami",
        "demo",
    ],
)
def test_every_command_has_json(crosswind: Terminal, command: str) -> None:
    assert "--json" in crosswind(command, "--help").stdout
