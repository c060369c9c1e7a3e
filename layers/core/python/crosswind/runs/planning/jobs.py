"""How one test job is planned: its method, its units, its number of shards, each with the reason. Pure."""

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.resolved import ResolvedTest
from crosswind.contracts.suites import Distribution
from crosswind.contracts.work import DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_MIB, PullUnit
from crosswind.runs.frameworks.catalogue import group_separator, pulls, spec_of
from crosswind.runs.frameworks.groups import group_timings
from crosswind.runs.history.model import Timing
from crosswind.runs.planning.estimates import Estimate, Estimates, estimate, estimate_whole
from crosswind.runs.planning.forecasting import Finish, Fixed, Pulled, Workload, forecast
from crosswind.runs.planning.launching import Launching
from crosswind.runs.planning.pricing import Size
from crosswind.runs.planning.splitting import (
    MOST_SHARDS,
    Method,
    Share,
    blocks,
    longest_first,
    pull_order,
    refuse_doubles,
)
from crosswind.runs.planning.units import Unit, units_of
from crosswind.runs.pulling.sizing import BATCHES_PER_RUNNER

AUTO_TESTS_PER_SHARD = 50  # where no durations are known
AUTO_SECONDS_PER_SHARD = 60.0  # where they are; on top of what a machine takes to start

PULL_GRAIN = 0.25
"""A unit of a list to pull from is at most this part of a shard's even share, for the last ones leased decide the end.
Without a list it may be a whole share: neighbours then cost nothing."""

_XDIST_FLAGS = ("-n", "--numprocesses")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the run and its executor allow."""

    at_most: int  # shards at once
    launching: Launching
    seed: str = ""


@dataclass(frozen=True)
class Job:
    """What is known of a test job before it is split. Raises InvalidInputError, when asked, for a doubled test."""

    test: ResolvedTest
    discovered: tuple[str, ...] | None  # None: the framework cannot tell
    timings: Mapping[str, Timing] = field(default_factory=dict)
    skips: Mapping[str, str] = field(default_factory=dict)  # test id to the reason why it is not run
    muted: tuple[str, ...] = ()  # tests whose failure does not gate
    fault: str | None = None  # why there are no timings, where there should be

    @property
    def framework(self) -> FrameworkSpec:
        """What is known of its framework."""
        return spec_of(self.test.framework, self.test.manifest)

    @cached_property
    def test_ids(self) -> tuple[str, ...] | None:
        """What is to run."""
        if self.discovered is None:
            return None
        refuse_doubles(self.discovered)
        return tuple(test_id for test_id in self.discovered if test_id not in self.skips)

    @cached_property
    def estimates(self) -> Estimates:
        """Of the tests to run."""
        separator = group_separator(self.framework)
        if separator is None:
            return estimate(self.test_ids or (), self.timings)
        grouped = group_timings(self.test_ids or (), self.timings, separator=separator)
        return estimate(self.test_ids or (), grouped)

    @cached_property
    def seconds(self) -> float:
        """Of all its tests, one after another."""
        if self.test_ids is None:
            return estimate_whole(self.timings, shards=1).seconds
        return math.fsum(each.seconds for each in self.estimates.by_test.values())

    @property
    def size(self) -> Size:
        """What one of its shards asks for."""
        return Size(self.test.cpu_millis or DEFAULT_CPU_MILLIS, self.test.memory_mib or DEFAULT_MEMORY_MIB)

    def most_shards(self, limits: Limits) -> int:
        """More than this help nobody."""
        if self.test_ids is None:
            return 1 if self.test.shards == "auto" else MOST_SHARDS
        at_once = min(limits.at_most, self.test.max_parallel or MOST_SHARDS)
        if self.test.anti_affinity is not None:
            at_once = 1
        return min(max(at_once, 1), max(len(self.test_ids), 1), MOST_SHARDS)


@dataclass(frozen=True)
class JobPlan:
    """How a job's tests reach its shards."""

    job: Job
    method: Method
    reason: str | None
    shards: int
    shards_reason: str
    shares: tuple[Share, ...] = ()  # of a method other than pull
    units: tuple[Unit, ...] | None = None  # None: the framework cannot tell

    @cached_property
    def pull(self) -> tuple[PullUnit, ...]:
        """The list of a job that is pulled."""
        return pull_order(self.units or ())

    @cached_property
    def workload(self) -> Workload:
        """What a forecast needs of it."""
        if self.method is Method.PULL:
            return Pulled.of(self.units or (), shards=self.shards)
        return Fixed(self.shares)

    @cached_property
    def batches(self) -> float:
        """That each of its shards leases, on average."""
        if self.method is not Method.PULL:
            return 0.0
        return min(len(self.units or ()) / self.shards, BATCHES_PER_RUNNER)

    @property
    def longest(self) -> float:
        """Seconds of its longest unit."""
        return max((unit.seconds for unit in self.units or ()), default=0.0)


def plan_job(job: Job, limits: Limits, *, shards: int | None = None) -> JobPlan:
    """The plan of a job, with the number of shards that the suite asks for, or with `shards` of them."""
    if job.test_ids is None:
        return _whole(job, shards)
    if not job.test_ids:
        return JobPlan(job, Method.BY_COUNT, None, 0, "there is nothing to run", units=())
    if shards is not None:
        return _split(job, min(shards, len(job.test_ids), MOST_SHARDS), f"asked for {shards}")
    if job.test.shards != "auto":
        count = min(job.test.shards, len(job.test_ids), MOST_SHARDS)
        fewer = f", and there are {count} tests" if count < job.test.shards else ""
        return _split(job, count, f"the suite says {job.test.shards}{fewer}")
    if job.test.target_seconds is not None:
        return _for_target(job, limits, job.test.target_seconds)
    return _split(job, *_automatic(job, limits))


def expected(plan: JobPlan, limits: Limits) -> Finish:
    """When a job alone would be done."""
    return forecast([[plan.workload]], slots=limits.at_most, launching=limits.launching, seed=limits.seed)


def _whole(job: Job, shards: int | None) -> JobPlan:
    given = 1 if job.test.shards == "auto" else min(job.test.shards, MOST_SHARDS)
    count = given if job.test.shards != "auto" or shards is None else 1
    each: Estimate = estimate_whole(job.timings, shards=count)
    return JobPlan(
        job=job,
        method=Method.WHOLE,
        reason=f"{job.test.framework} cannot list its tests beforehand: each shard chooses its part itself",
        shards=count,
        shards_reason="auto is 1 where tests cannot be listed"
        if job.test.shards == "auto"
        else "the suite says so",
        shares=(Share(None, each.seconds, each.spread),) * count,
    )


def _split(job: Job, count: int, shards_reason: str) -> JobPlan:
    method, reason = _method(job, count)
    grain = job.seconds / count * (PULL_GRAIN if method is Method.PULL else 1.0)
    units = units_of(
        job.test_ids or (),
        job.estimates,
        framework=job.framework,
        grain_seconds=grain,
        at_least=count,
    )
    shares: tuple[Share, ...] = ()
    if method is Method.BY_DURATION:
        shares = longest_first(units, count)
    elif method is Method.BY_COUNT:
        shares = blocks(units, count)
    return JobPlan(
        job=job,
        method=method,
        reason=reason,
        shards=count,
        shards_reason=shards_reason,
        shares=shares,
        units=units,
    )


def _method(job: Job, count: int) -> tuple[Method, str | None]:
    """How, and why not better."""
    known = job.estimates.known
    unknown = job.fault or (None if known else "no test of it has a measured duration yet")
    static = Method.BY_DURATION if known else Method.BY_COUNT
    if count == 1 or job.test.distribution is Distribution.STATIC:
        return static, unknown
    if not pulls(job.framework):
        return static, f"{job.test.framework} cannot take batches from a list"
    if uses_xdist(job.test):
        return static, "pytest-xdist spreads the tests over processes of its own: each shard has a fixed list"
    return Method.PULL, unknown


def uses_xdist(test: ResolvedTest) -> bool:
    """Whether the job's author starts pytest with processes of its own (`-n 4`, `--numprocesses=auto`)."""
    words = [*_words(test.command or ""), *test.args, *_words(test.env.get("PYTEST_ADDOPTS", ""))]
    for index, word in enumerate(words):
        if word in _XDIST_FLAGS:
            return words[index + 1 : index + 2] != ["0"]
        value = word.removeprefix("--numprocesses=") if "=" in word else word.removeprefix("-n")
        if value != word and (value.isdigit() or value in {"auto", "logical"}):
            return value != "0"
    return False


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _automatic(job: Job, limits: Limits) -> tuple[int, str]:
    most = job.most_shards(limits)
    if job.estimates.known:
        each = AUTO_SECONDS_PER_SHARD + limits.launching.cold_mean
        wanted = math.ceil(job.seconds / each)
        why = f"{each:.0f} s of tests for each shard"
    else:
        wanted = math.ceil(len(job.test_ids or ()) / AUTO_TESTS_PER_SHARD)
        why = f"{AUTO_TESTS_PER_SHARD} tests for each shard, as long as durations are not known"
    count = min(max(wanted, 1), most)
    return count, why + (_bound(job, limits) if count < wanted else "")


def _bound(job: Job, limits: Limits) -> str:
    if job.test.anti_affinity is not None:
        return f"; but anti-affinity {job.test.anti_affinity!r} lets one run at a time"
    if job.test.max_parallel is not None and job.test.max_parallel <= limits.at_most:
        return f"; but maxParallel is {job.test.max_parallel}"
    return f"; but at most {limits.at_most} run at once"


def _for_target(job: Job, limits: Limits, target: int) -> JobPlan:
    """The fewest shards whose p90 is within the target; where none is, the most."""
    most = job.most_shards(limits)
    plans: dict[int, tuple[JobPlan, float]] = {}

    def p90(count: int) -> float:
        if count not in plans:
            plan = _split(job, count, "")
            plans[count] = (plan, expected(plan, limits).p90)
        return plans[count][1]

    count = fewest(lambda n: p90(n) <= target, most)
    if count is None:
        plan, seconds = min((plans[n] for n in plans), key=lambda each: (each[1], each[0].shards))
        reason = f"targetTime {target} s is out of reach: {plan.shards} shards are expected to take {seconds:.0f} s"
        return replace(plan, shards_reason=reason)
    reason = f"the fewest that are expected to finish in {target} s ({p90(count):.0f} s nine times in ten)"
    return replace(plans[count][0], shards_reason=reason)


def fewest(holds: Callable[[int], bool], most: int) -> int | None:
    """The smallest n in 1 to `most` for which it holds, by bisection: what holds for n is taken to hold for more.

    None when it does not hold for `most` either, after a look at powers of two below it: more shards can be slower.
    """
    if not holds(most):
        half = most
        while half > 1 and not holds(half):
            half //= 2
        if not holds(half):
            return None
        most = half
    least = 1
    while least < most:
        middle = (least + most) // 2
        if holds(middle):
            most = middle
        else:
            least = middle + 1
    return least
