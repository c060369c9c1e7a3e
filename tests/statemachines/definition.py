"""Definitions of state machines as tests read them: parsed, and walked through its maps."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "statemachines").rglob("*.asl.json"))
TEST_RUN = ROOT / "statemachines/runs/test-run.asl.json"
EXPERIMENT = ROOT / "statemachines/chaos/experiment.asl.json"
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")

State = dict[str, Any]


def load(path: Path) -> State:
    """The parsed definition."""
    definition: State = json.loads(path.read_text(encoding="utf-8"))
    return definition


def machines(definition: State) -> Iterator[State]:
    """The machine itself and the machine inside each Map."""
    yield definition
    for state in definition["States"].values():
        if state["Type"] == "Map":
            yield from machines(state["ItemProcessor"])


def states(definition: State) -> Iterator[tuple[str, State]]:
    """Every state by name, those inside Maps too."""
    for machine in machines(definition):
        yield from machine["States"].items()


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of every object, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner)


def targets(state: State) -> set[str]:
    """Names of the states that may follow."""
    names = {state[name] for name in ("Next", "Default") if name in state}
    return names | {rule["Next"] for rule in state.get("Choices", []) + state.get("Catch", [])}


def placeholders(definition: State) -> set[str]:
    """Names of what CDK must put in."""
    return set(PLACEHOLDER.findall(json.dumps(definition)))


def needed_actions(definition: State) -> set[str]:
    """IAM actions that the definition's role must allow, beside those for logs and traces."""
    actions: set[str] = set()
    for _, state in states(definition):
        resource = state.get("Resource", "")
        if resource.startswith("arn:aws:states:::lambda:invoke"):
            actions.add("lambda:InvokeFunction")
        if resource.startswith("arn:aws:states:::sqs:sendMessage"):
            actions |= {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            actions |= {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}
        if state.get("ItemReader", {}).get("Resource") == "arn:aws:states:::s3:getObject":
            actions |= {"s3:GetObject", "kms:Decrypt"}
        if "ResultWriter" in state:
            actions |= {
                "s3:PutObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:AbortMultipartUpload",
            }
            actions.add("kms:GenerateDataKey")
    return actions
