"""Who a test is: one identity over runs, shards and attempts, apart for each variant of the matrix.

History, flakiness and the results API all speak of a test by this identity.
"""

from collections.abc import Iterable, Mapping

from crosswind.contracts.frameworks import IdentitySpec, Part
from crosswind.kernel import json
from crosswind.runs.reports import ReportedCase

SUITE_MARK = " (suite)"
"""Ends the name of a record that tells of a report's suite as such, outside of any of its tests."""

_LENGTH = 32  # hex digits: 128 bits


def case_id(*, team: str, suite: str, test: str, variant: str, name: str) -> str:
    """The stable identity of a test case. Moving a test to another suite or job makes it another test."""
    digest = json.digest([team, suite, test, variant, name])
    return digest.removeprefix("sha256:")[:_LENGTH]


def reported_name(
    case: ReportedCase,
    planned: Mapping[tuple[str, str], str],
    identity: IdentitySpec,
    *,
    folder: str | None = None,
) -> str:
    """The name that a record goes by: the framework's own id where there is one, else the parts that its manifest names.

    `planned` comes from `by_address`: it finds pytest's ids in reports that the runner's plugin did not write. Paths below
    `folder`, the working directory, are told relative to it: it is another one in each attempt.
    """
    node_id = case.node_id
    if node_id:
        return node_id
    known = planned.get((case.class_name or "", case.name))
    if known:
        return known
    return name_of(case, identity, folder=folder)


def name_of(case: ReportedCase, identity: IdentitySpec, *, folder: str | None = None) -> str:
    """A test's name by its manifest. The name alone where no part that it asks for is there."""
    parts: list[str] = []
    for part in identity.parts:
        for text in _texts(case, part):
            relative = _below(text, folder)
            if relative and relative not in parts[-1:]:
                parts.append(relative)
    return identity.separator.join(parts) or case.name


def _texts(case: ReportedCase, part: Part) -> tuple[str, ...]:
    match part:
        case Part.FILE:
            return (case.file or "",)
        case Part.SUITE:
            return case.suites[:1]
        case Part.SUITES:
            return case.suites
        case Part.CLASS:
            return (case.class_name or "",)
        case Part.NAME:
            return (case.name,)


def _below(text: str, folder: str | None) -> str:
    return text.removeprefix(f"{folder}/") if folder else text


def by_address(planned: Iterable[str]) -> dict[tuple[str, str], str]:
    """Planned pytest ids by the class and name that pytest writes for them, without those that share an address."""
    found: dict[tuple[str, str], str] = {}
    doubled = set()
    for node_id in planned:
        path, bracket, parameters = node_id.partition("[")
        parts = path.split("::")
        parts[0] = parts[0].removesuffix(".py").replace("/", ".")
        address = (".".join(parts[:-1]), parts[-1] + bracket + parameters)
        if address in found:
            doubled.add(address)
        found[address] = node_id
    return {address: node_id for address, node_id in found.items() if address not in doubled}
