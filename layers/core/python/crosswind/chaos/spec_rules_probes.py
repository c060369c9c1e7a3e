"""Rules of probes and guards: what can be measured, compared and asked."""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.chaos import addresses
from crosswind.chaos.raw import Piece, duration_fault, listed, mapping, seconds
from crosswind.chaos.selectors import namespace_refusal
from crosswind.chaos.spec_context import Context
from crosswind.contracts.chaos.probes import Measure, Phase, SuiteProbe
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.contracts.faults import Path
from crosswind.contracts.parameters import Fault

_MAX_INTERVAL = 10 * 60
_MAX_TIMEOUT = 60
_MAX_SUITE = 60 * 60
_LEAST_SUITE = 60
_MAX_WINDOW = 60 * 60
_COMPARISONS = ("value", "range", "pattern")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect"}
)
_STATISTIC = re.compile(r"Average|Sum|Minimum|Maximum|SampleCount|IQM|(p|tm|wm|tc|ts)\d{1,2}(\.\d{1,2})?")
_AWS_QUEUE = re.compile(r"https://sqs\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[0-9]{12}/[A-Za-z0-9_.-]+")
_TOKEN = re.compile(
    r"\\(?P<back>[1-9])|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<group>\(\?(?:P=|=|!|<=|<!|\(|>))|(?P<greedy>[*+?}]\+)",
    re.DOTALL,
)
_BEYOND_RE2 = ("back", "group", "greedy")


def all_probes(spec: Mapping[str, Any]) -> Iterator[Piece]:
    """The probes of the hypothesis and of the guards."""
    for index, probe in enumerate(listed(mapping(spec.get("hypothesis")).get("probes"))):
        yield ("spec", "hypothesis", "probes", index), mapping(probe)
    for index, guard in enumerate(listed(spec.get("abortOn"))):
        yield ("spec", "abortOn", index, "probe"), mapping(mapping(guard).get("probe"))


def probe_faults(spec: Mapping[str, Any], context: Context) -> Iterator[Fault]:
    """Everything that is wrong with probes and guards."""
    yield from _coverage(spec)
    for path, probe in all_probes(spec):
        yield from _timing(probe, path, context)
        yield from _tolerance(probe, path)
        yield from _kind(probe, path, context)
        if probe.get("type") == "suite":
            yield from _suite(probe, path, spec, context)
    for index, guard in enumerate(listed(spec.get("abortOn"))):
        yield from _guard(mapping(guard), ("spec", "abortOn", index), context)


def pattern_fault(pattern: str) -> str | None:
    """Why a regular expression is not taken; None where it is."""
    for match in _TOKEN.finditer(pattern):
        if match.lastgroup in _BEYOND_RE2:
            return f"uses `{match[0]}`, which RE2 does not have (no backreferences, no lookaround)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    return None


def _coverage(spec: Mapping[str, Any]) -> Iterator[Fault]:
    probes = [mapping(each) for each in listed(mapping(spec.get("hypothesis")).get("probes"))]
    if not probes:
        return
    why = {
        Phase.BEFORE: "nothing would show a steady state to begin with",
        Phase.DURING: "nothing would test the hypothesis while something is broken",
        Phase.AFTER: "nothing would show that it is well again",
    }
    for phase, sentence in why.items():
        if not any(phase in _phases(probe) for probe in probes):
            yield (
                ("spec", "hypothesis", "probes"),
                f"none is taken in the phase `{phase.value}`: {sentence}",
                f"a probe with `{phase.value}` among its `phases`",
            )


def _timing(probe: Mapping[str, Any], path: Path, context: Context) -> Iterator[Fault]:
    suite = probe.get("type") == "suite"
    yield from duration_fault(probe.get("interval"), (*path, "interval"), most=_MAX_INTERVAL)
    yield from duration_fault(
        probe.get("timeout"), (*path, "timeout"), most=_MAX_SUITE if suite else _MAX_TIMEOUT
    )
    yield from duration_fault(probe.get("window"), (*path, "window"), most=_MAX_WINDOW)
    interval = seconds(probe.get("interval", "1s"))
    if probe.get("window") is not None and 0 < seconds(probe["window"]) < interval:
        yield (
            (*path, "window"),
            "is shorter than the interval: no sample would be in it",
            f"at least {interval}s",
        )
    hold = context.shortest_hold
    if hold and not suite and Phase.DURING in _phases(probe) and interval > hold:
        yield (
            (*path, "interval"),
            f"is longer than the shortest step ({hold}s): it would not be taken while something is broken",
            f"at most {hold}s",
        )
    phases = listed(probe.get("phases"))
    if len({str(each) for each in phases}) < len(phases):
        yield (*path, "phases"), "has a phase twice", None


def _tolerance(probe: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    measure = probe.get("measure")
    if measure in (Measure.LATENCY, Measure.BODY) and probe.get("tolerance") is None:
        yield (*path, "tolerance"), f"is required to judge the {measure}", None
    if not isinstance(probe.get("tolerance"), Mapping):
        return
    tolerance, at = mapping(probe["tolerance"]), (*path, "tolerance")
    given = [name for name in _COMPARISONS if tolerance.get(name) is not None]
    if len(given) != 1:
        yield at, "has to have exactly one of `value`, `range` and `pattern`", None
    yield from _range(listed(tolerance.get("range")), (*at, "range"))
    if isinstance(tolerance.get("pattern"), str):
        fault = pattern_fault(tolerance["pattern"])
        if fault:
            yield (*at, "pattern"), fault, "a regular expression of RE2's subset"
        if measure == Measure.LATENCY:
            yield (*at, "pattern"), "cannot be found in a latency, which is a number", "`range`"
    yield from _json_path(probe, tolerance, at)


def _range(bounds: list[Any], path: Path) -> Iterator[Fault]:
    if not bounds:
        return
    low, high = (*bounds, None)[:2]
    if low is None and high is None:
        yield path, "tolerates everything", "a lowest or a highest value, or both"
    elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield path, f"{low:g} is above {high:g}", "the lowest first"


def _json_path(probe: Mapping[str, Any], tolerance: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    text = tolerance.get("jsonPath")
    if not isinstance(text, str):
        return
    if not text.startswith("$"):
        yield (*path, "jsonPath"), "does not start with `$`", "a JSONPath (RFC 9535) such as `$.status`"
    kind = probe.get("type")
    fits = {
        "http": probe.get("measure") == Measure.BODY,
        "command": probe.get("compare") == "output",
        "kubernetes": True,
    }
    if isinstance(kind, str) and not fits.get(kind, False):
        yield (
            (*path, "jsonPath"),
            "finds no JSON in what this probe measures",
            "an http probe with `measure: body`, a command with `compare: output`, or a kubernetes probe",
        )


def _http(probe: Mapping[str, Any], path: Path, context: Context) -> Iterator[Fault]:
    yield from _address(probe.get("url"), (*path, "url"), context)
    yield from _headers(mapping(probe.get("headers")), (*path, "headers"))
    if probe.get("body") is not None and probe.get("method") != "POST":
        yield (*path, "body"), "is sent with `method: POST` only", None


def _kind(probe: Mapping[str, Any], path: Path, context: Context) -> Iterator[Fault]:
    match probe.get("type"):
        case "http":
            yield from _http(probe, path, context)
        case "prometheus":
            yield from _address(probe.get("url"), (*path, "url"), context)
            policy = context.policy
            if probe.get("url") is None and policy is not None and policy.prometheus is None:
                yield (
                    (*path, "url"),
                    f"is required: the policy of environment {context.environment} names no Prometheus",
                    None,
                )
        case "cloudwatch-metric":
            yield from duration_fault(probe.get("period"), (*path, "period"), most=24 * 3600, least=10)
            statistic = probe.get("statistic")
            if isinstance(statistic, str) and not _STATISTIC.fullmatch(statistic):
                yield (
                    (*path, "statistic"),
                    f"`{statistic}` is no statistic",
                    "such as `Average`, `Sum` or `p95`",
                )
        case "kubernetes":
            yield from _namespace(probe.get("namespace"), (*path, "namespace"), context)
        case "queue-depth":
            queue = probe.get("queue")
            if isinstance(queue, str) and "/" in queue and not _AWS_QUEUE.fullmatch(queue):
                yield from _address(queue, (*path, "queue"), context)


def _suite(
    probe: Mapping[str, Any], path: Path, spec: Mapping[str, Any], context: Context
) -> Iterator[Fault]:
    """A suite runs once in a phase, so each phase has to be long enough to wait for its verdict."""
    timeout = seconds(probe.get("timeout", SuiteProbe.model_fields["timeout"].default))
    if 0 < timeout < _LEAST_SUITE:
        yield (
            (*path, "timeout"),
            "leaves no time to start a suite and hear its verdict",
            f"at least {_LEAST_SUITE}s",
        )
    lasting = {
        Phase.BEFORE: (
            "the baseline",
            seconds(spec.get("baseline", ExperimentSpec.model_fields["baseline"].default)),
        ),
        Phase.DURING: ("the shortest step", context.shortest_hold),
        Phase.AFTER: (
            "the recovery",
            seconds(spec.get("recovery", ExperimentSpec.model_fields["recovery"].default)),
        ),
    }
    for phase, (what, length) in lasting.items():
        if phase in _phases(probe) and length and timeout > length:
            yield (
                (*path, "timeout"),
                f"is longer than {what} ({length}s), in which the suite has to end",
                f"at most {length}s, or `phases` without `{phase.value}`",
            )


def _address(url: object, path: Path, context: Context) -> Iterator[Fault]:
    if isinstance(url, str):
        reason = addresses.refusal(url, context.addresses)
        if reason:
            yield path, f"may not be asked: {reason}", None


def _headers(headers: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            yield (*path, name), "is no name of a header", None
        elif name.lower() in _OWN_HEADERS or name.lower().startswith("proxy-"):
            yield (*path, name), "is set by the request itself", "leave it out"
        if isinstance(value, str) and not value.isprintable():
            yield (*path, name), "holds a line break or a control character", None


def _namespace(namespace: object, path: Path, context: Context) -> Iterator[Fault]:
    """A probe only reads, so the blast radius does not bound it; other teams' namespaces are not shown all the same."""
    if isinstance(namespace, str):
        reason = namespace_refusal(namespace, team=context.team, radius=None, policy=context.policy)
        if reason:
            yield path, reason, "a namespace of the team's own"


def _guard(guard: Mapping[str, Any], path: Path, context: Context) -> Iterator[Fault]:
    probe = mapping(guard.get("probe"))
    if probe.get("type") == "suite":
        yield (*path, "probe", "type"), "a suite runs once and too long to guard anything", "another probe"
    if Phase.DURING not in _phases(probe):
        yield (
            (*path, "probe", "phases"),
            "leaves out `during`, so it would guard nothing",
            "`during` among them, or no `phases`",
        )
    hold = context.shortest_hold
    breached = guard.get("breachedFor")
    yield from duration_fault(breached, (*path, "breachedFor"), most=_MAX_INTERVAL)
    if hold and seconds(breached) > hold:
        yield (
            (*path, "breachedFor"),
            f"is longer than the shortest step ({hold}s), so it would never end one",
            f"at most {hold}s",
        )


def _phases(probe: Mapping[str, Any]) -> list[Any]:
    return listed(probe.get("phases")) if probe.get("phases") is not None else list(Phase)
