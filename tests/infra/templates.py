"""Synthesized templates as tests read them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

Resource = dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """The output of one stage's synth."""

    stage: str
    folder: Path
    log: str

    @property
    def files(self) -> list[Path]:
        """Template files."""
        return sorted(self.folder.glob("*.template.json"))

    @cached_property
    def templates(self) -> dict[str, dict[str, Any]]:
        """Templates by the name of their stack, without `crosswind-<stage>-`."""
        return {
            path.name.removesuffix(".template.json").removeprefix(f"crosswind-{self.stage}-"): json.loads(
                path.read_text(encoding="utf-8")
            )
            for path in self.files
        }

    def resources(self, kind: str) -> dict[str, Resource]:
        """Resources of a type in all stacks, by logical id."""
        return {
            name: resource
            for template in self.templates.values()
            for name, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    def functions(self) -> dict[str, Resource]:
        """Lambda functions by their module."""
        return {
            each["Properties"]["Handler"].removesuffix(".handler"): each
            for each in self.resources("AWS::Lambda::Function").values()
            if each["Properties"]["Handler"].endswith(".handler")
        }

    def in_stacks(self, *stacks: str) -> set[str]:
        """Modules of the functions in these stacks."""
        return {
            each["Properties"]["Handler"].removesuffix(".handler")
            for stack in stacks
            for each in self.templates[stack]["Resources"].values()
            if each["Type"] == "AWS::Lambda::Function" and each["Properties"]["Handler"].endswith(".handler")
        }

    def statements_of(self, role: str) -> list[dict[str, Any]]:
        """Policy statements attached to a role, by its logical id."""
        found = []
        for policy in self.resources("AWS::IAM::Policy").values():
            if {"Ref": role} in policy["Properties"]["Roles"]:
                found.extend(policy["Properties"]["PolicyDocument"]["Statement"])
        return found

    def actions_of(self, module: str) -> set[str]:
        """Actions that a function's role allows."""
        role = self.functions()[module]["Properties"]["Role"]["Fn::GetAtt"][0]
        return {action for statement in self.statements_of(role) for action in listed(statement["Action"])}

    def all_statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every identity policy's statements."""
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for name, policy in self.resources(kind).items():
                for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                    yield name, statement


def listed(value: Any) -> list[Any]:
    """CloudFormation writes a list of one as its item."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A value with its references, as one text to search."""
    return json.dumps(value)
