"""Limits of AWS that the emulator does not keep."""

import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from crosswind.contracts.suites import Priority
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import OrderRef, Ticket, WorkAnswer, WorkKind, WorkOutcome
from tests.infra.conftest import ROOT
from tests.infra.templates import Assembly
from tests.statemachines import definition as asl

pytestmark = pytest.mark.infra

_API_SECONDS = 29
_LAMBDA_SECONDS = 900
_PAYLOAD_BYTES = 256 * 1024
_UNZIPPED_BYTES = 250 * 1024 * 1024
_PREPARATIONS = 200


def _biggest_ticket() -> Ticket:
    return Ticket(
        run_id="run-" + "z" * 26,
        work_id="shard-99999",
        kind=WorkKind.SHARD,
        team="é" * 63,
        suite="é" * 63,
        test="é" * 63,
        priority=Priority.P0,
        stage=99,
        concurrency=1000,
        infrastructure_retries=10,
        queue_seconds=10**7,
        estimate_seconds=10.0**7 / 3,
        order=OrderRef(key="runs/run-" + "z" * 26 + "/stages/99/orders.jsonl", offset=10**12, length=10**9),
    )


def test_messages_and_payloads_are_small_at_their_biggest() -> None:
    ticket = _biggest_ticket()
    assert len(ticket.to_wire().encode()) < 2048
    answer = WorkAnswer(
        run_id=ticket.run_id,
        work_id=ticket.work_id,
        outcome=WorkOutcome.CANCELLED,
        attempt=11,
        epoch=999,
        reason="\N{GRINNING FACE}" * 1000,
    )
    assert len(answer.to_wire().encode()) < 8192
    given = RunExecutionInput(run_id=ticket.run_id, preparations=(ticket,) * _PREPARATIONS)
    assert len(given.to_wire().encode()) < _PAYLOAD_BYTES * 3 // 4


def test_functions_keep_the_gateways_29_seconds_and_lambdas_15_minutes(assembly: Assembly) -> None:
    operations = assembly.in_stacks("runs-api", "chaos-api", "edge")
    for integration in assembly.resources("AWS::ApiGateway::Method").values():
        assert integration["Properties"]["Integration"]["TimeoutInMillis"] <= _API_SECONDS * 1000
    for module, function in assembly.functions().items():
        limit = _API_SECONDS if module in operations else _LAMBDA_SECONDS
        assert function["Properties"]["Timeout"] <= limit, module


@pytest.mark.parametrize("file", asl.FILES, ids=lambda path: path.name)
def test_a_state_outlives_the_function_it_calls(assembly: Assembly, file: Path) -> None:
    functions = assembly.functions()
    modules = {"".join(part.title() for part in module.split("_")): module for module in functions}
    for name, state in asl.states(asl.load(file)):
        if state.get("Resource") == "arn:aws:states:::lambda:invoke":
            placeholder = asl.PLACEHOLDER.fullmatch(state["Parameters"]["FunctionName"])
            assert placeholder is not None
            function = functions[modules[placeholder[1].removesuffix("FunctionArn")]]
            assert state["TimeoutSeconds"] > function["Properties"]["Timeout"], name


def test_a_function_with_its_layers_fits_lambda(assembly: Assembly) -> None:
    manifest = assembly.folder.glob("*.assets.json")
    packages = {path for file in manifest for path in _zips(file)}
    assert len(packages) == 5, "two layers and the handlers of three areas"
    unzipped = 0
    for path in packages:
        with zipfile.ZipFile(path) as archive:
            unzipped += sum(entry.file_size for entry in archive.infolist())
            assert not [
                name for name in archive.namelist() if "/cli/" in name and name.startswith("python/crosswind")
            ]
    assert unzipped < _UNZIPPED_BYTES


def test_the_dependency_layer_is_for_the_stages_python(assembly: Assembly) -> None:
    names = {
        name
        for file in assembly.folder.glob("*.assets.json")
        for path in _zips(file)
        for name in zipfile.ZipFile(path).namelist()
    }
    native = [name for name in names if name.startswith("python/pydantic_core/") and name.endswith(".so")]
    assert len(native) == 1
    if assembly.stage != "local":
        assert "cpython-313-x86_64-linux-gnu" in native[0]


def test_policies_are_no_longer_than_iam_takes(assembly: Assembly) -> None:
    """6,144 characters of a managed policy, 10,240 of all policies in a role; a reference is an ARN at its longest."""
    for policy in assembly.resources("AWS::IAM::ManagedPolicy").values():
        assert len(_resolved(policy["Properties"]["PolicyDocument"])) <= 6144
    lengths: Counter[str] = Counter()
    for policy in assembly.resources("AWS::IAM::Policy").values():
        for role in policy["Properties"]["Roles"]:
            lengths[role["Ref"]] += len(_resolved(policy["Properties"]["PolicyDocument"]))
    assert lengths
    assert not {role: length for role, length in lengths.items() if length > 10_240}


def test_definitions_stay_far_below_a_megabyte() -> None:
    for path in asl.FILES:
        assert path.stat().st_size < 256 * 1024


def test_the_layers_requirements_are_those_of_the_lock_file() -> None:
    command = ["export", "--frozen", "--offline", "--quiet", "--extra", "lambda", "--no-default-groups"]
    flags = ["--no-emit-project", "--no-header", "--no-annotate"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", *command, *flags], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kept = (ROOT / "layers/deps/requirements.txt").read_text(encoding="utf-8")
    command_line = "python -m uv " + " ".join([*command, *flags]) + " -o layers/deps/requirements.txt"
    assert done.stdout == kept, f"run: {command_line}"


def _resolved(document: object) -> str:
    """A policy as IAM counts it, with a text of 120 characters for each reference."""

    def reference(value: dict[str, object]) -> object:
        return (
            "x" * 120
            if {"Ref", "Fn::GetAtt", "Fn::ImportValue", "Fn::Join", "Fn::Sub"} & set(value)
            else value
        )

    return json.dumps(json.loads(json.dumps(document), object_hook=reference), separators=(",", ":"))


def _zips(manifest: Path) -> list[Path]:
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"].values()
    paths = [(manifest.parent / each["source"]["path"]).resolve() for each in files]
    return [path for path in paths if path.suffix == ".zip"]
