"""`kubectl crosswind`, with a kubectl that a test writes."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner, Result

from crosswind.cli.kubectl import app
from crosswind.cli.surroundings import Surroundings
from tests.unit.cli.fake_api import ENDPOINT, FakeApi, problem

_KUBECTL = """#!/bin/sh
echo "$@" >> "$KUBECTL_FOLDER/asked"
case "$1" in create) cat > "$KUBECTL_FOLDER/given";; esac
next=$(ls "$KUBECTL_FOLDER"/answers | head -1)
cat "$KUBECTL_FOLDER/answers/$next"
case "$next" in *refused) exec 1>&2; cat "$KUBECTL_FOLDER/answers/$next"; exit 1;; esac
[ "$(ls "$KUBECTL_FOLDER"/answers | wc -l)" -gt 1 ] && rm "$KUBECTL_FOLDER/answers/$next"
exit 0
"""
_CREATED = {"metadata": {"name": "checkout-x7k2p", "namespace": "crosswind-shop"}}
_SUITE = {
    "apiVersion": "crosswind.dev/v1",
    "kind": "TestSuite",
    "metadata": {"name": "checkout", "team": "shop"},
    "spec": {"parameters": {"users": {"type": "integer"}}, "stages": []},
}


class Cluster:
    """Answers of kubectl, one after the other; the last one again and again."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._count = folder, 0
        (folder / "answers").mkdir(parents=True)
        program = folder / "bin" / "kubectl"
        program.parent.mkdir()
        program.write_text(_KUBECTL)
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        monkeypatch.setenv("KUBECTL_FOLDER", str(folder))

    def answers(self, *answers: dict[str, Any] | str) -> None:
        for each in answers:
            self._count += 1
            refused = isinstance(each, str)
            name = f"{self._count:02}{'-refused' if refused else ''}"
            (self.folder / "answers" / name).write_text(str(each) if refused else json.dumps(each))

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    @property
    def made(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "given").read_text())
        return found


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(tmp_path / "kubectl", monkeypatch)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def kubectl(api: FakeApi, tmp_path: Path) -> Callable[..., Result]:
    """Run `kubectl crosswind …`."""
    environ = {
        "CROSSWIND_TOKEN": "a-token",
        "CROSSWIND_ENDPOINT": ENDPOINT,
        "CROSSWIND_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    around = Surroundings(
        environ=environ, transport=httpx.MockTransport(api.handle), sleep=lambda _: None, program="crosswind"
    )
    return lambda *words: CliRunner(env={"NO_COLOR": "1"}).invoke(app, list(words), obj=around)


def status(**values: Any) -> dict[str, Any]:
    return {"metadata": {"name": "checkout-x7k2p"}, "status": values}


def refused(reason: str, message: str) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": "False", "reason": reason, "message": message}
    return status(conditions=[condition])


def test_a_stored_suite_is_run_with_parameters_of_its_types(
    cluster: Cluster, kubectl: Callable[..., Result]
) -> None:
    cluster.answers(_SUITE, _CREATED)

    done = kubectl("run", "checkout", "--param", "users=3", "--priority", "P0", "-n", "crosswind-shop")

    assert done.exit_code == 0, done.output
    assert "testrun.crosswind.dev/checkout-x7k2p created in crosswind-shop" in done.stdout
    assert cluster.made == {
        "apiVersion": "crosswind.dev/v1",
        "kind": "TestRun",
        "metadata": {"generateName": "checkout-"},
        "spec": {"suite": "checkout", "parameters": {"users": 3}, "priority": "P0"},
    }
    assert all("--namespace=crosswind-shop" in each for each in cluster.asked)


def test_a_suite_of_a_file_goes_into_the_run(
    cluster: Cluster, kubectl: Callable[..., Result], tmp_path: Path
) -> None:
    cluster.answers(_CREATED)
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(_SUITE))

    done = kubectl("run", "-f", str(file), "--param", "users=4", "--context", "other")

    assert done.exit_code == 0, done.output
    assert cluster.made["spec"] == {"spec": _SUITE["spec"], "parameters": {"users": 4}}
    assert "--context=other" in cluster.asked[0]


def test_waiting_tells_states_and_leaves_with_the_verdicts_status(
    cluster: Cluster, kubectl: Callable[..., Result]
) -> None:
    going = status(executionId="run-1", state="executing")
    ended = status(executionId="run-1", state="finished", verdict="failed", reason="1 of 3 tests failed")
    cluster.answers(_CREATED, status(), going, going, ended)

    done = kubectl("run", "checkout", "--wait")

    assert done.exit_code == 1
    assert done.stderr.splitlines() == ["executing"]
    assert done.stdout.splitlines()[-1] == "FAILED  1 of 3 tests failed"


def test_waiting_ends_where_the_run_is_refused(cluster: Cluster, kubectl: Callable[..., Result]) -> None:
    cluster.answers(_CREATED, refused("Unavailable", "away"), refused("Refused", "spec.timeout: is too long"))

    done = kubectl("run", "checkout", "--wait")

    assert done.exit_code == 2
    assert "was refused: spec.timeout: is too long" in done.stderr


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (("why",), "GET /api/v1/tests/run-1/why"),
        (("results",), "GET /api/v1/tests/run-1/results"),
        (("logs",), "GET /api/v1/tests/run-1"),
        (("cancel",), "DELETE /api/v1/tests/run-1"),
    ],
)
def test_what_is_beyond_the_object_is_asked_of_the_api(
    cluster: Cluster, api: FakeApi, kubectl: Callable[..., Result], command: tuple[str, ...], asked: str
) -> None:
    cluster.answers(status(executionId="run-1", state="executing"))
    api.on(asked, lambda _: problem(503, "Away", "for a moment"))

    done = kubectl(*command, "checkout-x7k2p")

    assert done.exit_code == 2
    assert api.sent(asked)


def test_a_run_that_was_not_accepted_says_why(cluster: Cluster, kubectl: Callable[..., Result]) -> None:
    cluster.answers(refused("NotFound", "team shop has no suite checkout"))

    done = kubectl("logs", "checkout-x7k2p")

    assert done.exit_code == 2
    assert "has no run yet: team shop has no suite checkout" in done.stderr


def test_what_the_cluster_refuses_is_told_in_its_words(
    cluster: Cluster, kubectl: Callable[..., Result]
) -> None:
    cluster.answers("Error from server (Forbidden): testruns.crosswind.dev is forbidden")

    done = kubectl("run", "checkout")

    assert done.exit_code == 2
    assert "testruns.crosswind.dev is forbidden" in done.stderr


def test_wrong_words_are_told(cluster: Cluster, kubectl: Callable[..., Result], tmp_path: Path) -> None:
    other = tmp_path / "run.yaml"
    other.write_text("kind: TestRun\n")
    for words, complaint in (
        (("run",), "name a suite, or give one"),
        (("run", "checkout", "--param", "users"), "is not KEY=VALUE"),
        (("run", "-f", str(other)), "is no TestSuite"),
    ):
        done = kubectl(*words)
        assert done.exit_code == 2
        assert complaint in done.stderr


def test_without_kubectl_it_says_so(kubectl: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert "there is no kubectl on the PATH" in kubectl("run", "checkout").stderr
