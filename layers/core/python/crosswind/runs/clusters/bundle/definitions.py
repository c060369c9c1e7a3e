"""CustomResourceDefinitions, with schemas made from the contracts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosswind.contracts.base import WireModel
from crosswind.contracts.custom_resources import (
    GROUP,
    VERSION,
    ChaosExperimentObject,
    TestRunObject,
    TestScheduleObject,
    TestSuiteObject,
)
from crosswind.runs.clusters.bundle.structural import Json, structural

_COUNTED = ".status.counts."


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over several fields, in CEL; `path` leads to the object that it is about."""

    path: tuple[str, ...]
    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object."""

    kind: str
    plural: str
    short: str
    model: type[WireModel]
    columns: Sequence[tuple[str, str, str]]
    """Name, type, and JSON path of what `kubectl get` shows."""

    rules: Sequence[Rule] = ()


_ACCEPTED = ("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status')
_AGE = ("Age", "date", ".metadata.creationTimestamp")
_TEST = ("stages", "[]", "tests", "[]")
_SUITE_RULES = (
    Rule(
        (*_TEST, "source"),
        "!has(self.directory)",
        "a cluster has no folder beside the suite: give git or archive",
    ),
    Rule(
        (*_TEST, "source"), "has(self.git) != has(self.archive)", "exactly one of git and archive is needed"
    ),
    Rule(
        _TEST,
        "self.framework != 'command' || has(self.command)",
        "framework `command` needs a command",
    ),
)


def _under(prefix: tuple[str, ...], rules: Sequence[Rule]) -> tuple[Rule, ...]:
    return tuple(Rule((*prefix, *each.path), each.rule, each.message) for each in rules)


KINDS = (
    Kind(
        kind="TestSuite",
        plural="testsuites",
        short="suite",
        model=TestSuiteObject,
        columns=(("Priority", "string", ".spec.priority"), _ACCEPTED, _AGE),
        rules=_under(("spec",), _SUITE_RULES),
    ),
    Kind(
        kind="TestRun",
        plural="testruns",
        short="run",
        model=TestRunObject,
        columns=(
            ("Suite", "string", ".spec.suite"),
            ("State", "string", ".status.state"),
            ("Verdict", "string", ".status.verdict"),
            ("Passed", "integer", f"{_COUNTED}passed"),
            ("Failed", "integer", f"{_COUNTED}failed"),
            ("Total", "integer", f"{_COUNTED}total"),
            ("Run", "string", ".status.executionId"),
            _AGE,
        ),
        rules=(
            Rule(("spec",), "has(self.suite) != has(self.spec)", "exactly one of suite and spec is needed"),
            Rule(("spec",), "self == oldSelf", "a run never changes: delete it, and make another"),
            Rule(
                ("status",),
                "!has(oldSelf.executionId) || (has(self.executionId) && self.executionId == oldSelf.executionId)",
                "the run that an object stands for never changes",
            ),
            *_under(("spec", "spec"), _SUITE_RULES),
        ),
    ),
    Kind(
        kind="TestSchedule",
        plural="testschedules",
        short="tsched",
        model=TestScheduleObject,
        columns=(
            ("Suite", "string", ".spec.suite"),
            ("Cron", "string", ".spec.cron"),
            ("At", "string", ".spec.at"),
            ("Timezone", "string", ".spec.timezone"),
            _ACCEPTED,
            _AGE,
        ),
        rules=(Rule(("spec",), "has(self.cron) != has(self.at)", "exactly one of cron and at is needed"),),
    ),
    Kind(
        kind="ChaosExperiment",
        plural="chaosexperiments",
        short="experiment",
        model=ChaosExperimentObject,
        columns=(
            ("Environment", "string", ".spec.environment"),
            ("Risk", "string", ".spec.risk"),
            _ACCEPTED,
            _AGE,
        ),
        rules=(
            Rule(
                ("spec", "schedule"),
                "(has(self.cron) ? 1 : 0) + (has(self.at) ? 1 : 0) + (has(self.onEvent) ? 1 : 0) == 1",
                "exactly one of cron, at and onEvent is needed",
            ),
            Rule(
                ("spec", "faults", "[]", "target"),
                "!has(self.pick) || self.pick != 'count' || has(self.count)",
                "`pick: count` needs a count",
            ),
            Rule(
                ("spec", "faults", "[]", "target"),
                "!has(self.pick) || self.pick != 'percent' || has(self.percent)",
                "`pick: percent` needs a percent",
            ),
        ),
    ),
)


def definitions() -> list[Json]:
    """The four definitions."""
    return [definition(each) for each in KINDS]


def definition(kind: Kind) -> Json:
    """One of them."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "crosswind"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["crosswind"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema(kind)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path} for name, type_, path in kind.columns
                    ],
                }
            ],
        },
    }


def _schema(kind: Kind) -> Json:
    schema = structural(kind.model.model_json_schema(by_alias=True, mode="validation"))
    schema["required"] = ["spec"]
    for rule in kind.rules:
        found = _at(schema, rule.path)
        found.setdefault("x-kubernetes-validations", []).append({"rule": rule.rule, "message": rule.message})
    conditions = schema["properties"]["status"]["properties"]["conditions"]
    conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return schema


def _at(schema: Mapping[str, Any], path: Sequence[str]) -> Json:
    found: Any = schema
    for step in path:
        found = found["items"] if step == "[]" else found["properties"][step]
    made: Json = found
    return made
