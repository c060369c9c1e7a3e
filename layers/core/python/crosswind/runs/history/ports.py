"""What the history needs from outside. Every method may raise ThrottledError or DependencyError."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from crosswind.runs.history.model import JobKey, Observation, Quarantine, TestHistory, Timing


class HistoryStore(Protocol):
    """The tests' history, by test job and variant."""

    def timings(self, job: JobKey) -> Mapping[str, Timing]:
        """By the test's name, of every test that has passed lately."""
        ...

    def of_job(self, job: JobKey) -> Iterator[TestHistory]:
        """All tests of a job, by id."""
        ...

    def get(self, job: JobKey, case_ids: Sequence[str]) -> Mapping[str, TestHistory]:
        """Those of the given tests that have a history, by id."""
        ...

    def jobs(self, team: str, suite: str) -> tuple[JobKey, ...]:
        """The jobs of a suite that have a history."""
        ...

    def unwell(self, team: str, suite: str | None) -> Iterator[tuple[JobKey, TestHistory]]:
        """Tests whose monitors had an alarm when they were last seen, of one suite or of all of a team's."""
        ...

    def record(self, job: JobKey, seen: Mapping[str, tuple[str, Observation]], *, now: datetime) -> None:
        """Add observations, by case id, each with the test's name. Idempotent by run id; safe beside other writers.

        An observation of a run that is known replaces the earlier one: a rerun of failed tests changes what a run saw.
        """
        ...


class QuarantineStore(Protocol):
    """Quarantined tests of a suite."""

    def put(self, quarantine: Quarantine) -> bool:
        """Store or replace. Returns True when the test was in no quarantine before, not even an expired one."""
        ...

    def delete(self, team: str, suite: str, test: str, name: str) -> None:
        """Raises NotFoundError."""
        ...

    def of_suite(self, team: str, suite: str) -> tuple[Quarantine, ...]:
        """All of a suite, expired ones of the last weeks too."""
        ...

    def of_team(self, team: str) -> tuple[Quarantine, ...]:
        """All of a team, expired ones of the last weeks too."""
        ...
