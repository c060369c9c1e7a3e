"""What a team's finished runs have cost: by suite, one test over its runs, and which sizes do not fit."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.costs import (
    MAX_DAYS,
    MAX_LISTED,
    PriceList,
    RunCost,
    SizeAdvice,
    SuiteCost,
    TeamCosts,
    TestCosts,
    TestRunCost,
)
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.contracts.requests import RunState
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.costs.prices import view_of
from crosswind.runs.costs.sizing import JobUse, advise
from crosswind.runs.costs.spreading import Dollars
from crosswind.runs.history.model import JobKey, TestHistory
from crosswind.runs.history.observing import passing_seconds
from crosswind.runs.history.ports import HistoryStore
from crosswind.runs.identity import case_id
from crosswind.runs.model import Run
from crosswind.runs.planning.pricing import Size
from crosswind.runs.ports import RunFilter, RunStore
from crosswind.runs.usecases.costing import ENOUGH, PriceRuns, dollars_of, parts_of

_PAGE = 100
_MOST_RUNS = 2000
_RUNS_SIZED = 20  # the last runs of a job
_MONTH_DAYS = 30


@dataclass(frozen=True)
class GetTeamCosts:
    """The sum over a team's finished runs of some days. It stops in time and says what it left out."""

    runs: RunStore
    history: HistoryStore
    price: PriceRuns
    guard: Guard
    clock: Clock

    def __call__(
        self, *, team: str | None, days: int, suite: str | None, test: str | None, actor: Actor
    ) -> TeamCosts:
        """`test` is a test's name, as its framework calls it. Raises ForbiddenError, InvalidInputError."""
        if not 1 <= days <= MAX_DAYS:
            raise InvalidInputError(f"`days` is a number from 1 to {MAX_DAYS}")
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_RUNS, team=owner)
        if test is not None:
            self.guard.require(actor, Action.READ_HISTORY, team=owner)
        now = self.clock.now()
        prices = self.price.prices()
        found = list(self._finished(owner, suite, since=now - timedelta(days=days)))
        counted = self._counted(found, prices, until=now + ENOUGH)
        whole, suites = _sums(counted)
        return TeamCosts(
            team=owner,
            days=days,
            runs=len(counted),
            left_out=len(found) - len(counted),
            prices=view_of(prices),
            cost=parts_of(whole),
            suites=suites,
            sizes=tuple(_advice(counted, prices, days=days))[:MAX_LISTED],
            tests=tuple(self._test(owner, counted, test)) if test is not None else (),
            notes=tuple(dict.fromkeys(note for each in counted for note in each.notes))[:20],
        )

    def _finished(self, team: str, suite: str | None, *, since: datetime) -> Iterator[Run]:
        """The newest first."""
        cursor, count = None, 0
        while True:
            page = self.runs.list_runs(
                RunFilter(team=team, suite=suite, state=RunState.FINISHED), limit=_PAGE, cursor=cursor
            )
            for run in page.items:
                if run.created_at < since or count >= _MOST_RUNS:
                    return
                count += 1
                yield run
            cursor = page.cursor
            if cursor is None:
                return

    def _counted(self, runs: Sequence[Run], prices: PriceList, *, until: datetime) -> list[RunCost]:
        counted = []
        for run in runs:
            if self.clock.now() >= until:
                break
            counted.append(self.price.kept(run, prices) or self.price(run, prices))
        return counted

    def _test(self, team: str, counted: Sequence[RunCost], name: str) -> Iterator[TestCosts]:
        by_run = {each.execution_id: each for each in counted}
        for suite in sorted({each.suite for each in counted}):
            for job in self.history.jobs(team, suite):
                wanted = case_id(
                    team=job.team, suite=job.suite, test=job.test, variant=job.variant, name=name
                )
                for known in self.history.get(job, [wanted]).values():
                    yield _test_costs(job, known, by_run)


def _sums(counted: Sequence[RunCost]) -> tuple[Dollars, tuple[SuiteCost, ...]]:
    of_suite: defaultdict[str, list[Dollars]] = defaultdict(list)
    for each in counted:
        of_suite[each.suite].append(dollars_of(each.cost))
    suites = [
        SuiteCost(suite=suite, runs=len(found), cost=parts_of(sum(found, Dollars())))
        for suite, found in of_suite.items()
    ]
    whole = sum((each for found in of_suite.values() for each in found), Dollars())
    return whole, tuple(sorted(suites, key=lambda each: (-each.cost.total, each.suite)))


def _advice(counted: Sequence[RunCost], prices: PriceList, *, days: int) -> Iterator[SizeAdvice]:
    """The largest savings first, then what needs more, then what fits."""
    seen: defaultdict[tuple[str, str, str], list[JobUse]] = defaultdict(list)
    runs: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for run in counted:
        for job in run.jobs:
            key = (run.suite, job.test, job.variant)
            runs[key] += 1
            if job.used is None or job.cpu_millis is None or job.memory_mib is None:
                continue
            if len(seen[key]) < _RUNS_SIZED:
                seen[key].append(
                    JobUse(
                        asked=Size(job.cpu_millis, job.memory_mib),
                        used=job.used,
                        shards=job.shards,
                        pod_seconds=job.pod_seconds,
                        compute=job.cost.tests + job.cost.startup,
                        capacity=job.capacity,
                    )
                )
    found = [
        advise(
            uses,
            suite=suite,
            test=test,
            variant=variant,
            prices=prices,
            runs_a_month=runs[suite, test, variant] * _MONTH_DAYS / days,
        )
        for (suite, test, variant), uses in seen.items()
    ]
    order = {"less": 0, "more": 1, "fits": 2}
    yield from sorted(
        (each for each in found if each is not None),
        key=lambda each: (order[each.verdict], -each.saving_per_month, each.suite, each.test, each.variant),
    )


def _test_costs(job: JobKey, known: TestHistory, by_run: Mapping[str, RunCost]) -> TestCosts:
    durations = passing_seconds(known)
    usual = median(durations) if durations else 0.0
    runs = []
    for seen in reversed(known.observations):
        run = by_run.get(seen.run_id)
        if run is None:
            continue
        seconds = usual if seen.seconds is None else seen.seconds
        runs.append(
            TestRunCost(
                execution_id=seen.run_id,
                at=to_iso(seen.at),
                outcome=seen.outcome,
                seconds=round(seconds, 6),
                estimated=seen.seconds is None,
                dollars=round(seconds * _second_of(run, job), 10),
            )
        )
    return TestCosts(
        suite=job.suite,
        test=job.test,
        variant=job.variant,
        id=known.id,
        name=known.name,
        dollars=round(sum(each.dollars for each in runs), 10),
        runs=tuple(runs),
    )


def _second_of(run: RunCost, job: JobKey) -> float:
    """Dollars for a second of a test of the job in that run."""
    for each in run.jobs:
        if (each.test, each.variant) == (job.test, job.variant) and each.test_seconds > 0:
            return each.cost.tests / each.test_seconds
    return 0.0
