"""Who a test is: one identity over runs, shards and attempts, apart for each variant of the matrix.

History, flakiness and the results API all speak of a test by this identity.
"""

from collections.abc import Iterable, Mapping

from crosswind.kernel import json
from crosswind.runs.reports import ReportedCase

_LENGTH = 32  # hex digits: 128 bits


def case_id(*, team: str, suite: str, test: str, variant: str, name: str) -> str:
    """The stable identity of a test case. Moving a test to another suite or job makes it another test."""
    digest = json.digest([team, suite, test, variant, name])
    return digest.removeprefix("sha256:")[:_LENGTH]


def reported_name(case: ReportedCase, planned: Mapping[tuple[str, str], str]) -> str:
    """The name that a record goes by: the framework's own id where there is one, else suites, class and name.

    `planned` comes from `by_address`: it finds pytest's ids in reports that the runner's plugin did not write.
    """
    node_id = case.node_id
    if node_id:
        return node_id
    known = planned.get((case.class_name or "", case.name))
    if known:
        return known
    parts: list[str] = []
    for part in (*case.suites, case.class_name or "", case.name):
        if part and part not in parts[-1:]:
            parts.append(part)
    return " / ".join(parts)


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
