"""Each rule of an experiment names the place and what is wrong there."""

from typing import Any

import pytest

from crosswind.chaos.providing import Capabilities
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import parse_document
from crosswind.contracts.chaos.definitions import ActionView
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ProviderName
from tests.unit.chaos.spec.samples import (
    OFFLINE,
    SERVER,
    any_experiment,
    any_fault,
    any_probe,
    faults_of,
    guarded,
    probing,
)

FAULT = "spec.faults[0]"
PROBE = "spec.hypothesis.probes[0]"
TWO_WAVES = [any_fault(), any_fault("later", after=["slow"])]
SUITE_PROBE = {"title": "x", "probes": [any_probe(), {"name": "tests", "type": "suite", "suite": "shop"}]}


def probed_by_suite(**changes: Any) -> dict[str, Any]:
    """An experiment with a suite among its probes."""
    tests = {"name": "tests", "type": "suite", "suite": "shop", **changes}
    return any_experiment(hypothesis={"title": "x", "probes": [any_probe(), tests]})


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        # faults, waves and ladder
        (any_experiment(faults=[any_fault(), any_fault()]), "spec.faults[1].name", "another fault"),
        (any_experiment(faults=[any_fault(after=["slow"])]), f"{FAULT}.after[0]", "the fault itself"),
        (any_experiment(faults=[any_fault(after=["fast"])]), f"{FAULT}.after[0]", "no fault `fast`"),
        (
            any_experiment(faults=[any_fault("one", after=["two"]), any_fault("two", after=["one"])]),
            "spec.faults",
            "circle",
        ),
        (any_experiment(faults=[any_fault(duration="13h")]), f"{FAULT}.duration", "out of bounds"),
        (any_experiment(faults=[any_fault(duration="0s")]), f"{FAULT}.duration", "out of bounds"),
        (
            any_experiment(ladder=[{"percent": 25}, {"percent": 25}]),
            "spec.ladder[1].percent",
            "does not rise",
        ),
        (any_experiment(ladder=[{"percent": 5, "hold": "31s"}]), "spec.ladder[0].hold", "longer than every"),
        (
            any_experiment(faults=TWO_WAVES, ladder=[{"percent": 5, "hold": "5s"}]),
            "spec.ladder[0].hold",
            "follow each other",
        ),
        (
            any_experiment(
                faults=[any_fault("f0")] + [any_fault(f"f{n}", after=[f"f{n - 1}"]) for n in range(1, 11)],
                ladder=[{"percent": 1}, {"percent": 5}, {"percent": 25}],
            ),
            "spec.ladder",
            "make 33 steps",
        ),
        (
            any_experiment(faults=[any_fault(), any_fault("short", duration="10s")]),
            "spec.faults[1].duration",
            "shorter than its step (30s), and toxiproxy ends nothing by itself",
        ),
        (
            any_experiment(
                faults=[any_fault(), any_fault("short", duration="10s")],
                ladder=[{"percent": 5, "hold": "10s"}, {"percent": 25}],
            ),
            "spec.faults[1].duration",
            "shorter than its step (30s)",
        ),
        # durations
        (any_experiment(timeout="1m"), "spec.timeout", "shorter than"),
        (any_experiment(timeout="13h"), "spec.timeout", "out of bounds"),
        (any_experiment(baseline="16m"), "spec.baseline", "out of bounds"),
        (any_experiment(recovery="2h"), "spec.recovery", "out of bounds"),
        (any_experiment(approvals={"validFor": "10m"}), "spec.approvals.validFor", "out of bounds"),
        # provider and action
        (any_experiment(faults=[any_fault(provider="istio")]), f"{FAULT}.provider", "not built yet"),
        (any_experiment(faults=[any_fault(provider="fis")]), f"{FAULT}.provider", "not configured"),
        (any_experiment(faults=[any_fault(action="latncy")]), f"{FAULT}.action", "did you mean `latency`"),
        (
            any_experiment(faults=[any_fault(parameters={"latncy": 5, "latency": 5})]),
            f"{FAULT}.parameters.latncy",
            "did you mean `latency`",
        ),
        (any_experiment(faults=[any_fault(parameters={})]), f"{FAULT}.parameters.latency", "is required"),
        (
            any_experiment(faults=[any_fault(parameters={"latency": "5"})]),
            f"{FAULT}.parameters.latency",
            "does not fit",
        ),
        (
            any_experiment(faults=[any_fault(target={"kind": "pod", "names": ["a"]})]),
            f"{FAULT}.target.kind",
            "hits no `pod`",
        ),
        (
            any_experiment(faults=[any_fault(parameters={"latency": 5, "stream": "sideways"})]),
            FAULT,
            "upstream",
        ),
        # selectors and the blast radius
        (
            any_experiment(faults=[any_fault(target={"names": ["a"], "pick": "count"})]),
            f"{FAULT}.target.count",
            "is required",
        ),
        (
            any_experiment(faults=[any_fault(target={"names": ["a"], "percent": 5})]),
            f"{FAULT}.target.percent",
            "only with",
        ),
        (
            any_experiment(faults=[any_fault(target={"names": ["a*"], "pick": "count", "count": 2})]),
            f"{FAULT}.target.count",
            "more than the blast radius",
        ),
        (
            any_experiment(
                faults=[any_fault(target={"names": ["a*"], "pick": "percent", "percent": 60})],
                blastRadius={"maxTargets": 5, "maxPercent": 50},
            ),
            f"{FAULT}.target.percent",
            "more than the blast radius",
        ),
        (
            any_experiment(faults=[any_fault(target={"names": ["a", "b"]})]),
            f"{FAULT}.target",
            "names 2 targets",
        ),
        (
            any_experiment(blastRadius={"maxTargets": 1, "environments": ["staging"]}),
            "spec.environment",
            "not among",
        ),
        # probes
        (
            any_experiment(hypothesis={"title": "x", "probes": [any_probe(), any_probe()]}),
            "spec.hypothesis.probes[1].name",
            "another probe",
        ),
        (probing(phases=["before", "after"]), "spec.hypothesis.probes", "`during`"),
        (probing(phases=["during"]), "spec.hypothesis.probes", "well again"),
        (probing(phases=["during", "during"]), f"{PROBE}.phases", "twice"),
        (probing(interval="31s"), f"{PROBE}.interval", "shortest step"),
        (probing(timeout="2m"), f"{PROBE}.timeout", "out of bounds"),
        (probing(interval="5s", window="3s"), f"{PROBE}.window", "shorter than the interval"),
        (probing(tolerance={}), f"{PROBE}.tolerance", "exactly one"),
        (probing(tolerance={"value": 200, "pattern": "x"}), f"{PROBE}.tolerance", "exactly one"),
        (probing(tolerance={"range": [5, 1]}), f"{PROBE}.tolerance.range", "above"),
        (probing(tolerance={"range": [None, None]}), f"{PROBE}.tolerance.range", "everything"),
        (probing(tolerance={"pattern": "("}), f"{PROBE}.tolerance.pattern", "no regular expression"),
        (probing(tolerance={"pattern": r"(a)\1"}), f"{PROBE}.tolerance.pattern", "RE2"),
        (probing(tolerance={"pattern": "a(?!b)"}), f"{PROBE}.tolerance.pattern", "RE2"),
        (probing(measure="latency"), f"{PROBE}.tolerance", "is required"),
        (probing(measure="latency", tolerance={"pattern": "1"}), f"{PROBE}.tolerance.pattern", "a number"),
        (probing(tolerance={"value": 1, "jsonPath": "$.a"}), f"{PROBE}.tolerance.jsonPath", "no JSON"),
        (
            probing(measure="body", tolerance={"value": 1, "jsonPath": "a"}),
            f"{PROBE}.tolerance.jsonPath",
            "start with",
        ),
        (probing(body="x"), f"{PROBE}.body", "POST"),
        (
            any_experiment(
                hypothesis={
                    "title": "x",
                    "probes": [{"name": "p", "type": "prometheus", "query": "up", "tolerance": {"value": 1}}],
                }
            ),
            f"{PROBE}.url",
            "names no Prometheus",
        ),
        (
            any_experiment(
                hypothesis={
                    "title": "x",
                    "probes": [
                        {
                            "name": "p",
                            "type": "cloudwatch-metric",
                            "namespace": "AWS/SQS",
                            "metric": "m",
                            "statistic": "Mean",
                            "tolerance": {"value": 1},
                        }
                    ],
                }
            ),
            f"{PROBE}.statistic",
            "no statistic",
        ),
        # guards
        (guarded({"breachedFor": "31s"}), "spec.abortOn[0].breachedFor", "shortest step"),
        (
            guarded({"probe": any_probe("guarding", phases=["before"])}),
            "spec.abortOn[0].probe.phases",
            "leaves out",
        ),
        (
            guarded({"probe": {"name": "g", "type": "suite", "suite": "shop"}}),
            "spec.abortOn[0].probe.type",
            "suite",
        ),
        (guarded({"probe": any_probe("answers")}), "spec.abortOn[0].probe.name", "another probe"),
        # schedule
        (any_experiment(hypothesis=SUITE_PROBE), "spec.hypothesis.probes[1].timeout", "longer than"),
        (probed_by_suite(phases=["before"]), "spec.hypothesis.probes[1].timeout", "the baseline (5s)"),
        (probed_by_suite(phases=["during"]), "spec.hypothesis.probes[1].timeout", "the shortest step (30s)"),
        (probed_by_suite(phases=["after"]), "spec.hypothesis.probes[1].timeout", "the recovery (120s)"),
        (probed_by_suite(timeout="10s"), "spec.hypothesis.probes[1].timeout", "no time to start"),
        (any_experiment(schedule={}), "spec.schedule", "exactly one"),
        (
            any_experiment(schedule={"cron": "0 3 * * 1", "at": "2027-01-01T10:00"}),
            "spec.schedule",
            "exactly one",
        ),
        (any_experiment(schedule={"cron": "0 3 * * 9"}), "spec.schedule.cron", "dayOfWeek"),
        (any_experiment(schedule={"at": "next tuesday"}), "spec.schedule.at", "no moment"),
        (
            any_experiment(schedule={"cron": "0 3 * * 1", "timezone": "Nowhere"}),
            "spec.schedule.timezone",
            "no time zone",
        ),
        (
            any_experiment(hypothesis=SUITE_PROBE, schedule={"onEvent": {"type": "runs.run.finished.v1"}}),
            "spec.schedule.onEvent",
            "start it again",
        ),
        # texts
        (
            any_experiment(hypothesis={"title": "a\nb", "probes": [any_probe()]}),
            "spec.hypothesis.title",
            "one line",
        ),
        (
            any_experiment(hypothesis={"title": "a\x1b[2J", "probes": [any_probe()]}),
            "spec.hypothesis.title",
            "control",
        ),
    ],
)
def test_what_no_model_can_say_is_told_with_its_place(
    document: dict[str, Any], path: str, message: str
) -> None:
    found = faults_of(document)
    assert path in found, found
    fault = found[path]
    assert message in f"{fault.message} {fault.expected}"


@pytest.mark.parametrize(
    "document",
    [
        any_experiment(faults=TWO_WAVES, ladder=[{"percent": 1}, {"percent": 5}, {"percent": 25}]),
        any_experiment(ladder=[{"percent": 5, "hold": "10s"}]),
        any_experiment(
            faults=[any_fault(), any_fault("short", duration="10s")],
            ladder=[{"percent": 5, "hold": "10s"}],
        ),
        any_experiment(faults=[any_fault(), any_fault("short", duration="10s", after=["slow"])]),
        any_experiment(schedule={"onEvent": {"type": "runs.run.finished.v1", "suite": "other"}}),
        any_experiment(schedule={"onEvent": {"type": "platform.deployment.recorded.v1", "service": "order"}}),
        any_experiment(schedule={"cron": "0 3 ? * MON *", "timezone": "Europe/Berlin"}),
        probing(measure="body", tolerance={"pattern": r"\(\?=[(?=]a{2}\+", "jsonPath": "$.items[*].name"}),
        probing(tolerance={"range": [None, 399]}, ratio=0.95, window="10s"),
        guarded({"breachedFor": "5s"}),
        any_experiment(
            faults=[
                any_fault(
                    provider="process",
                    action="freeze",
                    target={"application": "shop", "names": ["payment"]},
                    parameters={},
                )
            ]
        ),
    ],
)
def test_what_is_right_is_taken(document: dict[str, Any]) -> None:
    assert parse_document(document, rules=SERVER)


def test_what_is_not_known_here_is_not_checked() -> None:
    document = any_experiment(
        faults=[any_fault(provider="fis", action="whatever", parameters={"any": "thing"})],
        hypothesis={"title": "x", "probes": [any_probe(url="http://10.0.0.1/")]},
    )
    assert parse_document(document, rules=OFFLINE)
    assert set(faults_of(document)) == {"spec.faults[0].provider", "spec.hypothesis.probes[0].url"}


def test_a_fault_that_cannot_be_taken_back_is_never_of_low_risk() -> None:
    rules = Rules(providers=_Irreversible())
    document = any_experiment(faults=[any_fault(action="break", parameters={})], risk="low")
    assert "cannot be taken back" in faults_of(document, rules=rules)["spec.faults[0].action"].message
    assert parse_document(any_experiment(faults=[any_fault(action="break", parameters={})]), rules=rules)


def test_a_provider_that_the_policy_does_not_name_is_refused() -> None:
    policy = PolicySpec(providers=(ProviderName.FIS,), hosts=("127.0.0.1",))
    rules = Rules(policy_of=lambda _: policy)
    assert "may not inject" in faults_of(any_experiment(), rules=rules)["spec.faults[0].provider"].message


def test_the_policys_own_prometheus_may_be_asked_without_being_named() -> None:
    policy = PolicySpec(providers=(ProviderName.TOXIPROXY,), prometheus="https://prometheus.example.com")
    probe = {"name": "p", "type": "prometheus", "query": "up", "tolerance": {"value": 1}}
    rules = Rules(policy_of=lambda _: policy)
    for url in ({}, {"url": "https://prometheus.example.com"}):
        document = any_experiment(hypothesis={"title": "x", "probes": [probe | url]})
        assert parse_document(document, rules=rules)


class _Irreversible:
    """Providers of which one has an action that cannot be undone."""

    def get(self, name: ProviderName) -> Any:
        return self

    def available(self) -> tuple[ProviderName, ...]:
        return (ProviderName.TOXIPROXY,)

    def check(self, request: Any) -> tuple[str, ...]:
        return ()

    def capabilities(self) -> Capabilities:
        action = ActionView(
            provider=ProviderName.TOXIPROXY,
            action="break",
            title="Break it",
            kinds=("proxy",),
            parameters=(),
            reversible=False,
            dosed=False,
        )
        return Capabilities(ProviderName.TOXIPROXY, (action,), own_time_limit=False)
