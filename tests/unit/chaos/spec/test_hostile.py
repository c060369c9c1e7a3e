"""What somebody might try with an experiment, and the reason with which it is refused.

The environment's policy lets probes ask 127.0.0.1 and shop.example.com; namespace `checkout` is team demo's, `ledger`
is team payments'; the control plane listens on 127.0.0.1:4566.
"""

from typing import Any

import pytest

from crosswind.chaos import templating
from crosswind.chaos.specs import parse_experiment
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import InvalidInputError
from tests.unit.chaos.spec.samples import (
    OFFLINE,
    any_experiment,
    any_fault,
    any_probe,
    faults_of,
    fis_fault,
    guarded,
    probing,
)

TARGET = "spec.faults[0].target"
URL = "spec.hypothesis.probes[0].url"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
SLOW: dict[str, Scalar] = {"service": "order", "url": "http://127.0.0.1:8001/", "team": "demo"}


def hitting(**target: Any) -> dict[str, Any]:
    """A fault on this target only."""
    return any_experiment(faults=[any_fault(target=target)], blastRadius={"maxTargets": 1000})


def on_pods(**target: Any) -> dict[str, Any]:
    return any_experiment(faults=[fis_fault(target=target)])


def selecting(value: str) -> dict[str, Any]:
    parameters = {
        "clusterIdentifier": "arn:aws:eks:x",
        "selectorType": "labelSelector",
        "selectorValue": value,
    }
    return on_pods(parameters=parameters)


def probe_of(**probe: Any) -> dict[str, Any]:
    return any_experiment(hypothesis={"title": "x", "probes": [{"name": "p", **probe}]})


HOSTILE = {
    # a selector of everything
    "no selector": (hitting(), TARGET, "match everything"),
    "a kind alone": (hitting(kind="proxy"), TARGET, "match everything"),
    "a star": (hitting(names=["*"]), f"{TARGET}.names[0]", "match everything"),
    "two stars and a question mark": (hitting(names=["*?*"]), f"{TARGET}.names[0]", "match everything"),
    "a set of all letters": (hitting(names=["[a-z]*"]), f"{TARGET}.names[0]", "match everything"),
    "a star beside a name": (hitting(names=["a", "*"]), f"{TARGET}.names[1]", "match everything"),
    "a label of anything": (hitting(labels={"app": "*"}), f"{TARGET}.labels.app", "match everything"),
    "a tag of anything": (hitting(tags={"team": "**"}), f"{TARGET}.tags.team", "match everything"),
    "an ARN with a star": (hitting(arns=["arn:aws:ec2:*"]), f"{TARGET}.arns[0]", "right form"),
    "an application alone": (hitting(application="shop"), TARGET, "match everything"),
    "a cluster alone": (
        on_pods(parameters={"clusterIdentifier": "arn:aws:eks:x"}),
        TARGET,
        "match everything",
    ),
    "every pod that is not one": (
        selecting("app!=none"),
        f"{TARGET}.parameters.selectorValue",
        "carries no such label",
    ),
    "every pod without a label": (
        selecting("!app"),
        f"{TARGET}.parameters.selectorValue",
        "carries no such label",
    ),
    "every pod with a label": (
        selecting("app"),
        f"{TARGET}.parameters.selectorValue",
        "carries no such label",
    ),
    "every pod not in a set": (
        selecting("app notin (a, b)"),
        f"{TARGET}.parameters.selectorValue",
        "carries no such label",
    ),
    # somebody else's namespace
    "another team's namespace": (
        on_pods(namespace="ledger"),
        f"{TARGET}.namespace",
        "belongs to another team",
    ),
    "a namespace of nobody": (
        on_pods(namespace="orders"),
        f"{TARGET}.namespace",
        "none of the team's own",
    ),
    "every namespace": (on_pods(namespace="*"), f"{TARGET}.namespace", "right form"),
    "namespaces by a part of their name": (
        on_pods(namespace="check*"),
        f"{TARGET}.namespace",
        "one namespace",
    ),
    "the cluster's own": (on_pods(namespace="kube-system"), f"{TARGET}.namespace", "never hit"),
    "Crosswind's runners": (on_pods(namespace="crosswind-runners"), f"{TARGET}.namespace", "never hit"),
    "a namespace in the selector's parameters": (
        on_pods(parameters={"selectorValue": "app=a", "namespace": "ledger"}),
        f"{TARGET}.parameters.namespace",
        "belongs to another team",
    ),
    "a namespace in the action's parameters": (
        any_experiment(faults=[fis_fault(parameters={"kubernetesNamespace": "ledger"})]),
        "spec.faults[0].parameters.kubernetesNamespace",
        "belongs to another team",
    ),
    "another team's namespace in a probe": (
        probe_of(type="kubernetes", objectKind="Secret", namespace="ledger"),
        "spec.hypothesis.probes[0].namespace",
        "belongs to another team",
    ),
    # addresses that only the runner reaches
    "EC2 metadata": (probing(url="http://169.254.169.254/latest/meta-data/iam/"), URL, "link-local"),
    "EC2 metadata by IPv6": (probing(url="http://[fd00:ec2::254]/latest"), URL, "link-local"),
    "EC2 metadata in IPv6 clothes": (probing(url="http://[::ffff:169.254.169.254]/"), URL, "link-local"),
    "EC2 metadata through NAT64": (probing(url="http://[64:ff9b::a9fe:a9fe]/"), URL, "link-local"),
    "EC2 metadata as one number": (probing(url="http://2852039166/"), URL, "unusual form"),
    "EC2 metadata in octal": (probing(url="http://0251.0376.0251.0376/"), URL, "unusual form"),
    "EC2 metadata in hexadecimal": (probing(url="http://0xa9.0xfe.0xa9.0xfe/"), URL, "unusual form"),
    "credentials of a container": (probing(url="http://169.254.170.2/v2/credentials"), URL, "link-local"),
    "Google's metadata": (probing(url="http://metadata.google.internal/"), URL, "metadata"),
    "metadata with a closing dot": (probing(url="http://metadata.google.internal./"), URL, "metadata"),
    "the control plane": (probing(url="http://127.0.0.1:4566/"), URL, "control plane"),
    "the control plane by name": (probing(url="http://localhost:4566/"), URL, "control plane"),
    "the control plane by another loopback": (probing(url="http://127.8.9.1:4566/"), URL, "control plane"),
    "the control plane by IPv6": (probing(url="http://[::1]:4566/"), URL, "control plane"),
    "the control plane's port by any address": (probing(url="http://0.0.0.0:4566/"), URL, "reserved"),
    "a private address": (probing(url="http://10.0.0.7/"), URL, "private"),
    "short loopback": (probing(url="http://127.1:8001/"), URL, "unusual form"),
    "a host that is not named": (probing(url="https://evil.example/"), URL, "not among the hosts"),
    "a host beside the named one": (probing(url="https://shop.example.com.evil.example/"), URL, "not among"),
    "a named host as a user": (probing(url="https://shop.example.com@evil.example/"), URL, "user name"),
    "a backslash": (probing(url="https://evil.example\\@shop.example.com/"), URL, "backslashes"),
    "a file": (probing(url="file:///etc/passwd"), URL, "only http"),
    "gopher": (probing(url="gopher://127.0.0.1:6379/_FLUSHALL"), URL, "only http"),
    "a line break": (probing(url="http://127.0.0.1/\r\nHost: evil"), URL, "control characters"),
    "a name of another script": (probing(url="https://shop.ex\u0430mple.com/"), URL, "xn--"),
    "metadata by Prometheus": (
        probe_of(type="prometheus", url="http://169.254.169.254", query="up", tolerance={"value": 1}),
        URL,
        "link-local",
    ),
    "metadata by a queue": (
        probe_of(type="queue-depth", queue="http://169.254.169.254/q", tolerance={"value": 1}),
        "spec.hypothesis.probes[0].queue",
        "link-local",
    ),
    "metadata by a guard": (
        guarded({"probe": any_probe("guarding", url="http://169.254.169.254/")}),
        "spec.abortOn[0].probe.url",
        "link-local",
    ),
    "another host by its header": (
        probing(headers={"Host": "169.254.169.254"}),
        "spec.hypothesis.probes[0].headers.Host",
        "set by the request",
    ),
    "a header in a header": (
        probing(headers={"X-A": "a\r\nX-B: b"}),
        "spec.hypothesis.probes[0].headers.X-A",
        "line break",
    ),
    # values that become something else
    "a value that becomes code": (
        any_experiment(
            parameters={"who": {"default": "a"}},
            hypothesis={
                "title": "x",
                "probes": [
                    {"name": "p", "type": "command", "command": ["sh", "-c", "id ${{ parameters.who }}"]}
                ],
            },
        ),
        "spec.hypothesis.probes[0].command[2]",
        "become code",
    ),
    "a value that becomes the program": (
        any_experiment(
            parameters={"who": {"default": "ls"}},
            hypothesis={
                "title": "x",
                "probes": [{"name": "p", "type": "command", "command": ["${{ parameters.who }}"]}],
            },
        ),
        "spec.hypothesis.probes[0].command[0]",
        "become code",
    ),
    "an expression in a default": (
        any_experiment(parameters={"who": {"default": "${{ parameters.who }}"}}),
        "spec.parameters.who",
        "an expression itself",
    ),
    "an address in a default": (
        any_experiment(
            parameters={"host": {"default": "169.254.169.254"}},
            hypothesis={"title": "x", "probes": [any_probe(url="http://${{ parameters.host }}/")]},
        ),
        URL,
        "link-local",
    ),
    "a terminal's control sequence": (
        any_experiment(service="\x1b[2J"),
        "spec.service",
        "form",
    ),
    "a pattern that never ends": (
        probing(tolerance={"pattern": r"(a+)+\1$"}),
        "spec.hypothesis.probes[0].tolerance.pattern",
        "RE2",
    ),
    # beyond the bounds
    "an experiment that starts itself": (
        any_experiment(
            hypothesis={
                "title": "x",
                "probes": [any_probe(), {"name": "t", "type": "suite", "suite": "shop"}],
            },
            schedule={"onEvent": {"type": "runs.run.finished.v1", "suite": "shop"}},
        ),
        "spec.schedule.onEvent",
        "start it again",
    ),
    "a fault for ever": (
        any_experiment(faults=[any_fault(duration="999999h")]),
        "spec.faults[0].duration",
        "out of bounds",
    ),
    "a provider that is not built": (
        any_experiment(faults=[any_fault(provider="gremlin")]),
        "spec.faults[0].provider",
        "not built yet",
    ),
}


@pytest.mark.parametrize("attempt", HOSTILE)
def test_it_is_refused_with_its_place_and_the_reason(attempt: str) -> None:
    document, path, reason = HOSTILE[attempt]
    found = faults_of(document)
    assert path in found, found
    assert reason in f"{found[path].message} {found[path].expected}"


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "[" * 5000,
        "!!python/object/apply:os.system [id]",
        "a: 1\na: 2",
        "<<: {a: 1}",
        '{"a": NaN}',
        "\x00",
        "--- 1\n--- 2",
    ],
    ids=["bomb", "depth", "tag", "twice", "merge", "nan", "nul", "documents"],
)
def test_a_text_that_goes_beyond_is_refused_before_it_is_read(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_experiment(text, rules=OFFLINE)


@pytest.mark.parametrize(
    "value",
    [
        'payment"], duration: 12h, x: ["',
        "payment]",
        "payment: {a: 1}",
        "{{ 7 * 7 }}",
        "{% for x in y %}",
        "!!python/object/apply:os.system [id]",
        "*anchor",
        "# comment",
        "- a",
        "true",
    ],
)
def test_a_templates_value_stays_one_value_whatever_it_holds(value: str) -> None:
    document = templating.render(templating.template("dependency-slow"), SLOW | {"proxy": value})
    experiment = parse_experiment(templating.to_yaml(document), rules=OFFLINE)
    assert [fault.target.names for fault in experiment.spec.faults] == [(value,)]


@pytest.mark.parametrize("value", ["${{ parameters.team }}", "${{", "a\nb", "\x1b[2J", "x" * 600])
def test_a_templates_value_that_is_no_plain_text_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        templating.render(templating.template("dependency-slow"), SLOW | {"proxy": value})
    assert [fault.path for fault in caught.value.errors] == ["parameters.proxy"]
