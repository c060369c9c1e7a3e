"""The tests' history and their quarantine in memory."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from crosswind.kernel.errors import NotFoundError
from crosswind.runs.history.model import FlakyState, JobKey, Observation, Quarantine, TestHistory, Timing
from crosswind.runs.history.observing import is_forgotten, observe, passing_seconds, timing


class MemoryHistoryStore:
    """HistoryStore in memory. `tests` is open to a test that wants to plant something."""

    def __init__(self) -> None:
        self.tests: dict[JobKey, dict[str, TestHistory]] = {}

    def timings(self, job: JobKey) -> Mapping[str, Timing]:
        return {
            test.name: timing(passing_seconds(test)) for test in self.of_job(job) if passing_seconds(test)
        }

    def of_job(self, job: JobKey) -> Iterator[TestHistory]:
        known = self.tests.get(job, {})
        return iter([known[case_id] for case_id in sorted(known)])

    def get(self, job: JobKey, case_ids: Sequence[str]) -> Mapping[str, TestHistory]:
        known = self.tests.get(job, {})
        return {case_id: known[case_id] for case_id in case_ids if case_id in known}

    def jobs(self, team: str, suite: str) -> tuple[JobKey, ...]:
        return tuple(sorted(job for job in self.tests if (job.team, job.suite) == (team, suite)))

    def unwell(self, team: str, suite: str | None) -> Iterator[tuple[JobKey, TestHistory]]:
        for job in sorted(self.tests):
            if job.team == team and suite in {None, job.suite}:
                for test in self.of_job(job):
                    if test.state is not FlakyState.HEALTHY:
                        yield job, test

    def record(self, job: JobKey, seen: Mapping[str, tuple[str, Observation]], *, now: datetime) -> None:
        if not seen:
            return
        known = self.tests.setdefault(job, {})
        for case_id, (name, observation) in seen.items():
            known[case_id] = observe(
                known.get(case_id), case_id=case_id, name=name, observation=observation, now=now
            )
        for case_id in [each.id for each in known.values() if is_forgotten(each, now=now)]:
            del known[case_id]


class MemoryQuarantineStore:
    """QuarantineStore in memory."""

    def __init__(self) -> None:
        self.quarantines: dict[tuple[str, str, str, str], Quarantine] = {}

    def put(self, quarantine: Quarantine) -> bool:
        place = (quarantine.team, quarantine.suite, quarantine.test, quarantine.name)
        created = place not in self.quarantines
        self.quarantines[place] = quarantine
        return created

    def delete(self, team: str, suite: str, test: str, name: str) -> None:
        if self.quarantines.pop((team, suite, test, name), None) is None:
            raise NotFoundError(f"test {name!r} of job {test} in suite {suite} is not in quarantine")

    def of_suite(self, team: str, suite: str) -> tuple[Quarantine, ...]:
        return tuple(each for each in self.of_team(team) if each.suite == suite)

    def of_team(self, team: str) -> tuple[Quarantine, ...]:
        return tuple(self.quarantines[place] for place in sorted(self.quarantines) if place[0] == team)
