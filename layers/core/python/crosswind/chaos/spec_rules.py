"""Rules of an experiment that its model cannot say, over the raw document; each fault is (path, message, expected).

The document has its parameters' values in it. Parts of a wrong type are passed over: the model tells of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from crosswind.chaos import spec_rules_faults, spec_rules_probes
from crosswind.chaos.addresses import rules_of
from crosswind.chaos.providing import Providers
from crosswind.chaos.raw import Piece, duration_fault, listed, mapping, seconds
from crosswind.chaos.spec_context import Context
from crosswind.chaos.stepping import MAX_STEPS, levels
from crosswind.chaos.when import when_faults
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.faults import Path
from crosswind.contracts.parameters import Fault
from crosswind.kernel import json

MAX_SPEC_BYTES = 128 * 1024  # as JSON: it stands in the definition's and in each run's record
_HOUR = 3600
_MAX_RUN = 12 * _HOUR
_MAX_FAULT = 12 * _HOUR
_MAX_BASELINE = 15 * 60
_MAX_RECOVERY = _HOUR
_APPROVALS = (_HOUR, 30 * 24 * _HOUR)
_ROOM = 30  # of the timeout, for the preflight check, injecting and undoing


@dataclass(frozen=True, slots=True)
class Rules:
    """What depends on where the experiment is read. What is None is not known there, and not checked."""

    providers: Providers | None = None
    policy_of: Callable[[str], PolicySpec] | None = None
    refused: tuple[str, ...] = ()  # host:port of the control plane's own listeners

    def policy(self, environment: object) -> PolicySpec | None:
        """That of the environment, where policies are known."""
        if self.policy_of is None or not isinstance(environment, str):
            return None
        return self.policy_of(environment)


def find_faults(document: object, rules: Rules) -> Iterator[Fault]:
    """Every fault that a rule finds."""
    spec = mapping(mapping(document).get("spec"))
    context = _context(document, spec, rules)
    yield from _size(spec)
    yield from _texts(spec, ("spec",))
    yield from _names(spec)
    yield from _waves(spec)
    yield from _ladder(spec)
    yield from _durations(spec)
    yield from _stays(spec, context)
    yield from _environment(spec, context)
    for index, fault in enumerate(listed(spec.get("faults"))):
        yield from spec_rules_faults.fault_faults(
            mapping(fault),
            ("spec", "faults", index),
            mapping(spec.get("blastRadius")),
            context,
            spec.get("risk"),
        )
    yield from spec_rules_probes.probe_faults(spec, context)
    if spec.get("schedule") is not None:
        yield from when_faults(mapping(spec["schedule"]), ("spec", "schedule"))
        yield from _own_echo(spec)


def _context(document: object, spec: Mapping[str, Any], rules: Rules) -> Context:
    policy = rules.policy(spec.get("environment"))
    percents = [mapping(rung).get("percent") for rung in listed(spec.get("ladder"))]
    numbers = [each for each in percents if isinstance(each, int | float) and 0 < each <= 100]  # noqa: PLR2004  # percent
    return Context(
        team=str(mapping(mapping(document).get("metadata")).get("team", "")),
        environment=str(spec.get("environment", "")),
        providers=rules.providers,
        policy=policy,
        addresses=rules_of(policy, refused=rules.refused),
        percents=tuple(float(each) for each in numbers) or (100.0,),
        shortest_hold=min(_holds(spec), default=None),
    )


def _size(spec: Mapping[str, Any]) -> Iterator[Fault]:
    size = len(json.canonical(spec).encode())
    if size > MAX_SPEC_BYTES:
        yield ("spec",), f"has {size} bytes as JSON", f"at most {MAX_SPEC_BYTES}"


def _texts(value: object, path: Path) -> Iterator[Fault]:
    """Control characters would reach terminals, headers and reports."""
    if isinstance(value, str):
        if any(not each.isprintable() and each not in "\n\t" for each in value):
            yield path, "holds a control character", "printable text"
        elif "\n" in value and path[-1] == "title":
            yield path, "has more than one line", "one line"
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))


def _names(spec: Mapping[str, Any]) -> Iterator[Fault]:
    pieces = (
        ("fault", _pieces(spec.get("faults"), ("spec", "faults"))),
        ("probe", list(spec_rules_probes.all_probes(spec))),
        ("guard", _pieces(spec.get("abortOn"), ("spec", "abortOn"))),
    )
    for kind, named in pieces:
        seen: set[str] = set()
        for path, piece in named:
            name = piece.get("name")
            if isinstance(name, str):
                if name in seen:
                    yield (*path, "name"), f"another {kind} is called `{name}` too", "a name of its own"
                seen.add(name)


def _pieces(value: object, path: Path) -> list[Piece]:
    return [((*path, index), mapping(each)) for index, each in enumerate(listed(value))]


def _waves(spec: Mapping[str, Any]) -> Iterator[Fault]:
    after = _after(spec)
    for index, fault in enumerate(listed(spec.get("faults"))):
        for place, name in enumerate(listed(mapping(fault).get("after"))):
            path: Path = ("spec", "faults", index, "after", place)
            if name == mapping(fault).get("name"):
                yield path, "is the fault itself", "another fault"
            elif isinstance(name, str) and name not in after:
                yield path, f"there is no fault `{name}`", f"one of: {', '.join(after)}"
    found = levels({name: [each for each in names if each != name] for name, names in after.items()})
    if found is None:
        yield (
            ("spec", "faults"),
            "wait for each other in a circle, by their `after`",
            "an order with a beginning",
        )
        return
    rungs = max(len(listed(spec.get("ladder"))), 1)
    count = rungs * (max(found.values(), default=0) + 1)
    if count > MAX_STEPS:
        yield ("spec", "ladder"), f"ladder and waves make {count} steps", f"at most {MAX_STEPS}"


def _ladder(spec: Mapping[str, Any]) -> Iterator[Fault]:
    ladder = [mapping(rung) for rung in listed(spec.get("ladder"))]
    for index, (lower, higher) in enumerate(pairwise(ladder), 1):
        low, high = lower.get("percent"), higher.get("percent")
        if isinstance(low, int | float) and isinstance(high, int | float) and high <= low:
            yield (
                ("spec", "ladder", index, "percent"),
                f"{high:g} does not rise above {low:g}",
                "steps that rise",
            )
    longest = max(_fault_seconds(spec), default=0)
    waves = _wave_count(spec)
    for index, rung in enumerate(ladder):
        path: Path = ("spec", "ladder", index, "hold")
        yield from duration_fault(rung.get("hold"), path, most=_MAX_FAULT)
        if rung.get("hold") is None:
            continue
        if waves > 1:
            yield path, "has no meaning where faults follow each other by `after`", "leave it out"
        elif longest and seconds(rung["hold"]) > longest:
            yield (
                path,
                f"is longer than every fault ({longest}s): nothing would be broken",
                f"at most {longest}s",
            )


def _durations(spec: Mapping[str, Any]) -> Iterator[Fault]:
    yield from duration_fault(spec.get("baseline"), ("spec", "baseline"), most=_MAX_BASELINE)
    yield from duration_fault(spec.get("recovery"), ("spec", "recovery"), most=_MAX_RECOVERY)
    yield from duration_fault(spec.get("timeout"), ("spec", "timeout"), most=_MAX_RUN)
    least, most = _APPROVALS
    yield from duration_fault(
        mapping(spec.get("approvals")).get("validFor"),
        ("spec", "approvals", "validFor"),
        least=least,
        most=most,
    )
    for index, fault in enumerate(listed(spec.get("faults"))):
        yield from duration_fault(
            mapping(fault).get("duration"), ("spec", "faults", index, "duration"), most=_MAX_FAULT
        )
    holds = _holds(spec)
    if not holds:
        return
    needed = seconds(spec.get("baseline", "5s")) + sum(holds) + seconds(spec.get("recovery", "2m")) + _ROOM
    timeout = seconds(spec.get("timeout", "30m"))
    if 0 < timeout < needed:
        yield (
            ("spec", "timeout"),
            f"is shorter than baseline, steps and recovery together ({needed}s with {_ROOM}s to inject and undo)",
            f"at least {needed}s",
        )


def _stays(spec: Mapping[str, Any], context: Context) -> Iterator[Fault]:
    """A step's faults are undone together: one whose provider ends nothing by itself would outlast its duration."""
    found = levels(_after(spec))
    if context.providers is None or found is None:
        return
    told = [
        seconds(mapping(rung).get("hold")) for rung in listed(spec.get("ladder")) if mapping(rung).get("hold")
    ]
    everywhere = len(told) == len(listed(spec.get("ladder"))) and told
    longest = _longest_of_waves(spec, found)
    for index, fault in enumerate(map(mapping, listed(spec.get("faults")))):
        duration, wave = seconds(fault.get("duration")), found.get(str(fault.get("name")))
        if (
            not duration
            or wave is None
            or spec_rules_faults.ends_by_itself(fault.get("provider"), context.providers)
        ):
            continue
        step = max(told) if everywhere else max(longest[wave], *told, 0)
        if duration < step:
            yield (
                ("spec", "faults", index, "duration"),
                f"is shorter than its step ({step}s), and {fault.get('provider')} ends nothing by itself",
                f"{step}s, a `hold` of {duration}s, or a wave of its own by `after`",
            )


def _environment(spec: Mapping[str, Any], context: Context) -> Iterator[Fault]:
    environments = listed(mapping(spec.get("blastRadius")).get("environments"))
    if environments and spec.get("environment") not in environments:
        yield (
            ("spec", "environment"),
            "is not among the environments of the blast radius",
            ", ".join(str(each) for each in environments),
        )
    if context.policy is None:
        return
    for index, fault in enumerate(listed(spec.get("faults"))):
        provider = mapping(fault).get("provider")
        allowed = [each.value for each in context.policy.providers]
        if isinstance(provider, str) and provider not in allowed:
            yield (
                ("spec", "faults", index, "provider"),
                f"{provider} may not inject in environment {context.environment}",
                f"one of: {', '.join(allowed)}",
            )


def _own_echo(spec: Mapping[str, Any]) -> Iterator[Fault]:
    """An experiment that a suite's end starts, and that runs this suite, would start itself for ever."""
    event = mapping(mapping(spec.get("schedule")).get("onEvent"))
    if event.get("type") != "runs.run.finished.v1":
        return
    for _, probe in spec_rules_probes.all_probes(spec):
        suite = probe.get("suite")
        if suite is not None and event.get("suite") in (None, suite):
            yield (
                ("spec", "schedule", "onEvent"),
                f"the end of suite {suite}, which a probe runs, would start it again",
                "a `suite` that no probe runs",
            )


def _after(spec: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        fault["name"]: [each for each in listed(fault.get("after")) if isinstance(each, str)]
        for fault in map(mapping, listed(spec.get("faults")))
        if isinstance(fault.get("name"), str)
    }


def _wave_count(spec: Mapping[str, Any]) -> int:
    return max((levels(_after(spec)) or {}).values(), default=0) + 1


def _fault_seconds(spec: Mapping[str, Any]) -> list[int]:
    durations = [seconds(mapping(fault).get("duration")) for fault in listed(spec.get("faults"))]
    return [each for each in durations if each > 0]


def _holds(spec: Mapping[str, Any]) -> list[int]:
    """How long each step is watched; nothing where that cannot be told."""
    found = levels(_after(spec))
    faults = [mapping(each) for each in listed(spec.get("faults"))]
    if found is None or not faults or any(not isinstance(each.get("name"), str) for each in faults):
        return []
    longest = _longest_of_waves(spec, found)
    rungs = [mapping(rung) for rung in listed(spec.get("ladder"))] or [{}]
    return [
        seconds(rung["hold"]) if rung.get("hold") else each for rung in rungs for each in longest.values()
    ]


def _longest_of_waves(spec: Mapping[str, Any], found: Mapping[str, int]) -> dict[int, int]:
    longest: dict[int, int] = {}
    for fault in map(mapping, listed(spec.get("faults"))):
        wave = found.get(str(fault.get("name")))
        if wave is not None:
            longest[wave] = max(longest.get(wave, 0), seconds(fault.get("duration")))
    return longest
