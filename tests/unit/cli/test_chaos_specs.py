"""`crosswind chaos init|validate|templates`."""

import json
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import parse_experiment, spec_digest
from crosswind.cli import chaos_specs
from crosswind.cli.main import Commands
from crosswind.cli.surroundings import Surroundings
from tests.unit.cli.fake_api import FakeApi, Terminal, problem

VALUES = ("service=order", "proxy=order-to-payment", "url=http://127.0.0.1:8001/products", "team=demo")
PARAMS = [word for value in VALUES for word in ("-p", value)]


@pytest.fixture
def chaos(crosswind: Terminal, api: FakeApi) -> "Chaos":
    return Chaos(crosswind, api)


class Chaos:
    """Runs `chaos ARGUMENTS` against the fake API."""

    def __init__(self, terminal: Terminal, api: FakeApi) -> None:
        self._around = Surroundings(environ=terminal.environ, transport=httpx.MockTransport(api.handle))
        self._app = typer.Typer(cls=Commands)
        chaos_specs.register(self._app)

    def __call__(self, *arguments: str) -> Result:
        return CliRunner(env={"NO_COLOR": "1"}).invoke(self._app, list(arguments), obj=self._around)


def test_init_writes_an_experiment_that_is_valid(chaos: Chaos, tmp_path: Path) -> None:
    file = tmp_path / "slow.yaml"
    done = chaos("init", "dependency-slow", *PARAMS, "-p", "latency=1500", "-o", str(file))
    assert done.exit_code == 0, done.output
    spec = parse_experiment(file.read_bytes(), rules=Rules()).spec
    assert spec.faults[0].parameters["latency"] == 1500

    checked = chaos("validate", "-f", str(file), "--offline")
    assert checked.exit_code == 0
    assert f"valid  {file}  {spec_digest(spec)[:19]}" in checked.stdout
    assert "2 steps, faults are in for 60s at most" in checked.stdout
    assert "not checked here" in checked.stderr


def test_init_without_a_file_prints_the_experiment_alone(chaos: Chaos) -> None:
    printed = chaos("init", "dependency-slow", *PARAMS)
    assert parse_experiment(printed.stdout, rules=Rules()).metadata.name == "dependency-slow"
    as_json = chaos("init", "dependency-slow", *PARAMS, "--json")
    assert json.loads(as_json.stdout)["kind"] == "ChaosExperiment"


def test_init_tells_every_missing_and_wrong_value(chaos: Chaos) -> None:
    refused = chaos("init", "dependency-slow", "-p", "latency=slow", "-p", "prxy=x")
    assert refused.exit_code == 2
    for name in ("latency", "prxy", "proxy", "service", "team", "url"):
        assert f"parameters.{name}" in refused.stderr
    assert "parameters.duration" not in refused.stderr


def test_init_does_not_overwrite_a_file_unless_forced(chaos: Chaos, tmp_path: Path) -> None:
    file = tmp_path / "slow.yaml"
    file.write_text("mine")
    refused = chaos("init", "dependency-slow", *PARAMS, "-o", str(file))
    assert refused.exit_code == 2
    assert file.read_text() == "mine"
    assert "--force" in refused.stderr
    assert chaos("init", "dependency-slow", *PARAMS, "-o", str(file), "--force").exit_code == 0


def test_an_unknown_template_names_the_known_ones(chaos: Chaos) -> None:
    refused = chaos("init", "nonsense")
    assert refused.exit_code == 2
    assert "process-frozen" in refused.stderr


def test_validate_asks_the_api_and_shows_its_faults(chaos: Chaos, api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "slow.yaml"
    chaos("init", "dependency-slow", *PARAMS, "-o", str(file))
    what = "POST /api/v1/experiment-validations"
    api.on(what, {"valid": True, "digest": "sha256:" + "a" * 64})
    assert "valid" in chaos("validate", "-f", str(file)).stdout
    assert api.sent(what)[0].content.decode() == file.read_text()

    error = {"path": "spec.faults[0].target", "message": "the selector would match everything", "line": 7}
    api.on(what, problem(422, "The input is not valid", "the experiment has a fault", [error]))
    refused = chaos("validate", "-f", str(file))
    assert refused.exit_code == 2
    assert "spec.faults[0].target" in refused.stderr


def test_validate_offline_tells_every_fault_with_its_line(chaos: Chaos, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "apiVersion: crosswind.dev/v1\nkind: ChaosExperiment\nmetadata: {name: a, team: b}\nspec: {}\n"
    )
    refused = chaos("validate", "-f", str(file), "--offline")
    assert refused.exit_code == 2
    assert "spec.faults" in refused.stderr
    assert "spec.hypothesis" in refused.stderr


def test_templates_are_listed_and_one_is_shown_with_its_parameters(chaos: Chaos) -> None:
    listed = chaos("templates")
    assert listed.exit_code == 0
    for name in ("dependency-slow", "process-killed", "rds-failover"):
        assert name in listed.stdout
    assert len(json.loads(chaos("templates", "--json").stdout)["items"]) == 16

    shown = chaos("templates", "process-frozen")
    assert "SIGSTOP" in shown.stderr
    assert parse_experiment(shown.stdout, rules=Rules())


def test_the_actions_that_faults_are_made_of_are_listed_with_their_parameters(
    chaos: Chaos, api: FakeApi
) -> None:
    latency = {
        "provider": "toxiproxy",
        "action": "latency",
        "title": "Delay",
        "kinds": ["proxy"],
        "parameters": [
            {"name": "latency", "type": "integer", "required": True},
            {"name": "jitter", "type": "integer", "default": 0},
        ],
        "reversible": True,
        "dosed": True,
    }
    reboot = {**latency, "provider": "fis", "action": "ec2.reboot", "parameters": [], "reversible": False}
    api.on("GET /api/v1/experiment-templates", {"items": [], "actions": [latency, reboot]})
    listed = chaos("templates", "--actions").stdout
    assert "latency, jitter=0" in listed
    assert "Delay (not taken back)" in listed
    assert len(json.loads(chaos("templates", "--actions", "--json").stdout)["actions"]) == 2
