"""What a judged load job hands on: its cases and faults. Apart, so that other shards are read without any histogram."""

from dataclasses import dataclass

from crosswind.contracts.statuses import CaseStatus


@dataclass(frozen=True, slots=True)
class LoadCase:
    """One case."""

    name: str
    status: CaseStatus
    message: str
    details: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadJudged:
    """What a load job came to."""

    cases: tuple[LoadCase, ...]
    faults: tuple[str, ...] = ()
