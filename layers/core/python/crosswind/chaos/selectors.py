"""What a target selector may say: it has to narrow, and it stays out of what belongs to others.

Providers refuse what they cannot resolve; what is said here holds for every provider, so that none of them can forget it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import BlastRadius, Namespaces, Pick, TargetSelector

PROTECTED_NAMESPACES = (
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "aws-observability",
    "crosswind",
    "crosswind-*",
)
"""Never hit, whatever is allowed: the cluster's own, and that of the runners that watch."""

_WHERE_ONLY = frozenset(
    {"clusteridentifier", "cluster", "namespace", "selectortype", "targetcontainername", "region", "vpc"}
)
"""Parameters of a selector that say where to look, not what to hit."""

_SPECIAL = re.compile(r"\[[^\]]*\]|[*?]")
_EQUALS = re.compile(r"\s*[^\s,=!()]+\s*(={1,2}\s*[^\s,=!()]+|\s+in\s*\([^)]+\))\s*")

Fault = tuple[str, str, str | None]  # (field of the selector, what is wrong, what is expected)


def selector_faults(selector: TargetSelector) -> Iterator[Fault]:
    """Why the selector can never be right."""
    yield from _picks(selector)
    if not (selector.names or selector.labels or selector.arns or selector.tags or _narrowing(selector)):
        yield (
            "",
            "the selector would match everything",
            "`names`, `labels`, `arns`, `tags` or the provider's parameters that say what is hit",
        )
    for index, name in enumerate(selector.names):
        if matches_everything(name):
            yield f"names.{index}", f"`{name}` would match everything", "a name, or a part of one with `*`"
    for field, labels in (("labels", selector.labels), ("tags", selector.tags)):
        for key, value in labels.items():
            if matches_everything(value):
                yield f"{field}.{key}", f"`{value}` would match everything", "a value"
    yield from _parameters(selector.parameters)
    if selector.namespace is not None and "*" in selector.namespace:
        yield "namespace", "a fault hits one namespace", "its name, without `*`"


def matches_everything(pattern: str) -> bool:
    """Whether nothing is left of a pattern without its wildcards."""
    return not _SPECIAL.sub("", pattern).strip()


def namespaces_of(selector: TargetSelector, parameters: Mapping[str, object]) -> dict[str, str]:
    """Every namespace that a fault names, by the place where it stands."""
    found = {"target.namespace": selector.namespace} if selector.namespace else {}
    for place, given in (("target.parameters", selector.parameters), ("parameters", parameters)):
        for name, value in given.items():
            if name.lower().endswith("namespace"):
                found[f"{place}.{name}"] = str(value)
    return found


def namespace_refusal(
    namespace: str, *, team: str, radius: Namespaces | None, policy: PolicySpec | None
) -> str | None:
    """Why a team's experiment may not touch this namespace; None where it may."""
    if _any(namespace, PROTECTED_NAMESPACES):
        return f"namespace {namespace} is the cluster's or Crosswind's own, and is never hit"
    if policy is not None:
        owners = [owner for owner, names in policy.namespaces_by_team.items() if namespace in names]
        own = policy.namespaces_by_team.get(team)
        if owners and team not in owners:
            return f"namespace {namespace} belongs to another team ({', '.join(sorted(owners))})"
        if own is not None and namespace not in own:
            return f"namespace {namespace} is none of the team's own ({', '.join(own) or 'it has none'})"
    for bounds, whose in (
        (policy.namespaces if policy else None, "the environment's policy"),
        (radius, "the experiment's blast radius"),
    ):
        if bounds is not None and _any(namespace, bounds.deny):
            return f"namespace {namespace} is denied by {whose}"
        if bounds is not None and bounds.allow and not _any(namespace, bounds.allow):
            return f"namespace {namespace} is not among those that {whose} allows ({', '.join(bounds.allow)})"
    return None


def radius_faults(selector: TargetSelector, radius: BlastRadius) -> Iterator[Fault]:
    """What a selector asks for beyond the blast radius, as far as it can be seen before anything is resolved."""
    if selector.pick is Pick.COUNT and selector.count and selector.count > radius.max_targets:
        yield "count", f"is more than the blast radius ({radius.max_targets} targets)", None
    if selector.pick is Pick.PERCENT and selector.percent and selector.percent > radius.max_percent:
        yield "percent", f"is more than the blast radius ({radius.max_percent:g}%)", None
    known = len(selector.arns) or (
        len(selector.names) if not any(_SPECIAL.search(name) for name in selector.names) else 0
    )
    if selector.pick is Pick.ALL and known > radius.max_targets:
        yield "", f"names {known} targets, more than the blast radius ({radius.max_targets})", None


def _picks(selector: TargetSelector) -> Iterator[Fault]:
    for field, pick in (("count", Pick.COUNT), ("percent", Pick.PERCENT)):
        given = getattr(selector, field) is not None
        if selector.pick is pick and not given:
            yield field, f"is required by `pick: {pick.value}`", None
        elif selector.pick is not pick and given:
            yield field, f"has a meaning only with `pick: {pick.value}`", "leave it out, or set `pick`"


def _narrowing(selector: TargetSelector) -> bool:
    return any(
        name.lower() not in _WHERE_ONLY and not matches_everything(value)
        for name, value in selector.parameters.items()
    )


def _parameters(parameters: Mapping[str, str]) -> Iterator[Fault]:
    for name, value in parameters.items():
        if name.lower() in {"selectorvalue", "labelselector"} and not _narrows(
            value, labels=parameters.get("selectorType", "labelSelector") == "labelSelector"
        ):
            yield (
                f"parameters.{name}",
                f"`{value}` would match what carries no such label, too",
                "at least one `key=value`",
            )
        elif name.lower() not in _WHERE_ONLY and matches_everything(value):
            yield f"parameters.{name}", f"`{value}` would match everything", "a value"


def _narrows(value: str, *, labels: bool) -> bool:
    if matches_everything(value):
        return False
    return not labels or any(_EQUALS.fullmatch(part) for part in re.split(r",(?![^(]*\))", value))


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
