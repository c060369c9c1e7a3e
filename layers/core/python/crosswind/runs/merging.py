"""How two records of one test become one: attempts inside a shard, rounds inside a run. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.evidence import RED
from crosswind.runs.model import Case

RANK = {status: rank for rank, status in enumerate(CaseStatus)}
"""Worst first, as CaseStatus lists them."""

FILES_OVER_ROUNDS = 100

_GREEN = frozenset({CaseStatus.PASSED, CaseStatus.FLAKY})


def worst(first: Case, second: Case) -> Case:
    """The worse of two records of one test; the first where they are equal."""
    return second if RANK[second.status] < RANK[first.status] else first


def fold_attempts(attempts: Sequence[Iterable[Case]]) -> tuple[list[Case], list[str]]:
    """One case per test of one shard, oldest attempt first. A test that failed and passes in its last attempt is flaky.

    Returns the cases in the order of their first record, and a fault for each test that one attempt reports twice. Two red
    records of one test are no fault: pytest writes a failed test whose tear-down fails as two.
    """
    history: dict[str, list[Case]] = {}
    faults: dict[str, str] = {}
    for records in attempts:
        seen: dict[str, Case] = {}
        for case in records:
            known = seen.get(case.id)
            if known is None:
                seen[case.id] = case
                continue
            if not (known.status in RED and case.status in RED):
                faults[case.id] = (
                    f"test {case.name!r} is reported more than once in one run of the tests; "
                    "give each test a name of its own"
                )
            seen[case.id] = worst(known, case)
        for case in seen.values():
            history.setdefault(case.id, []).append(case)
    return [_over_attempts(records) for records in history.values()], list(faults.values())


def _over_attempts(records: Sequence[Case]) -> Case:
    last = records[-1]
    attempts = sum(case.attempts for case in records)
    earlier = next((case for case in records[:-1] if case.status in RED), None)
    if earlier is None or last.status in RED:
        return replace(last, attempts=attempts)
    if last.status in {CaseStatus.PASSED, CaseStatus.FLAKY}:
        return replace(
            last,
            status=CaseStatus.FLAKY,
            attempts=attempts,
            message=earlier.message,
            details=earlier.details,
        )
    return replace(earlier, attempts=attempts)  # skipping it the second time proves nothing


def over_rounds(earlier: Case, later: Case) -> Case:
    """One record of a test that ran in two rounds. The later one counts, but no round erases what another has shown.

    Without a record in the later round the earlier one stands. A test that failed in one and passed in the other is
    flaky, whichever came first: it has passed on this very source, and it was run again because of other tests. The files
    of both are kept, the later ones first.
    """
    files = tuple(dict.fromkeys((*later.artifacts, *earlier.artifacts)))[:FILES_OVER_ROUNDS]
    return replace(_over_rounds(earlier, later), artifacts=files)


def _over_rounds(earlier: Case, later: Case) -> Case:
    if CaseStatus.MISSING in {earlier.status, later.status}:
        return later if earlier.status is CaseStatus.MISSING else earlier
    attempts = earlier.attempts + later.attempts
    red = next((case for case in (later, earlier) if case.status in RED), None)
    green = next((case for case in (later, earlier) if case.status in _GREEN), None)
    if red is not None and green is not None:
        return replace(
            green, status=CaseStatus.FLAKY, attempts=attempts, message=red.message, details=red.details
        )
    if later.status is CaseStatus.SKIPPED:
        return replace(earlier, attempts=attempts)  # skipping it the second time proves nothing
    flaky = next((case for case in (later, earlier) if case.status is CaseStatus.FLAKY), None)
    return replace(flaky or later, work_id=later.work_id, attempts=attempts)
