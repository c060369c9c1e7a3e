"""Which size a test job should ask for, from what its last runs have used. Pure.

A size is advised only where it changes what is paid: Fargate sells steps. CPU follows the 95th percentile, for a
second at the limit only takes longer, and the agent's share is part of it (`sizes_of`); memory follows the maximum, for
beyond the limit the tests are killed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.costs import PriceList, SizeAdvice, UseView
from crosswind.runs.costs.prices import fargate_second
from crosswind.runs.costs.spreading import worst
from crosswind.runs.planning.pricing import Size, billed
from crosswind.runs.pods.sizes import AGENT_CPU_MILLIS, sizes_of

LEAST_RUNS = 3
LEAST_SAMPLES = 30
_CPU_ROOM = 1.2
_MEMORY_ROOM = 1.25
_CPU_STEP = 250
_MEMORY_STEP = 256
_LEAST_MEMORY = 512
_FULL = 0.95  # of what was asked
_THROTTLED = 0.1  # of the time
_MORE = 1.5


@dataclass(frozen=True, slots=True)
class JobUse:
    """A job in one run."""

    asked: Size
    used: UseView
    shards: int
    pod_seconds: float
    compute: float  # dollars of its pods that counted
    capacity: CapacityKind | None


def advise(
    uses: Sequence[JobUse], *, suite: str, test: str, variant: str, prices: PriceList, runs_a_month: float
) -> SizeAdvice | None:
    """Advice from a job's runs, the newest first; None where too little is known. Runs of another size do not count."""
    if not uses:
        return None
    asked = uses[0].asked
    alike = [each for each in uses if each.asked == asked]
    used = worst([each.used for each in alike])
    if used is None or len(alike) < LEAST_RUNS or used.samples < LEAST_SAMPLES:
        return None
    limit = sizes_of(asked, (), uses[0].capacity or CapacityKind.NODES).tests
    wanted, why = _wanted(asked, limit, used)
    saving = sum(_saving(each, wanted, prices) for each in alike) / len(alike)
    more = wanted.cpu_millis > asked.cpu_millis or wanted.memory_mib > asked.memory_mib
    if not more and saving <= 0:
        wanted, saving, why = asked, 0.0, _fits(asked, used)
    verdict: Literal["less", "more", "fits"] = "fits" if wanted == asked else "more" if more else "less"
    return SizeAdvice(
        suite=suite,
        test=test,
        variant=variant,
        runs=len(alike),
        cpu_millis=asked.cpu_millis,
        memory_mib=asked.memory_mib,
        used=used,
        verdict=verdict,
        cpu=f"{wanted.cpu_millis}m" if wanted.cpu_millis != asked.cpu_millis else None,
        memory=f"{wanted.memory_mib}Mi" if wanted.memory_mib != asked.memory_mib else None,
        saving_per_run=round(saving, 8),
        saving_per_month=round(saving * runs_a_month, 6),
        reason=why,
    )


def _wanted(asked: Size, limit: Size, used: UseView) -> tuple[Size, str]:
    """The size, and why. `limit` is what the tests' container got: on Fargate more than was asked for."""
    short = []
    cpu = _step(used.cpu_p95_millis * _CPU_ROOM + AGENT_CPU_MILLIS, _CPU_STEP, least=_CPU_STEP)
    if used.cpu_p95_millis >= limit.cpu_millis * _FULL or used.throttled_share >= _THROTTLED:
        cpu = _step(asked.cpu_millis * _MORE, _CPU_STEP, least=_CPU_STEP)
        short.append(f"its CPU is at its limit ({used.throttled_share:.0%} of the time throttled)")
    else:
        cpu = min(cpu, asked.cpu_millis)
    memory = _step(used.memory_max_mib * _MEMORY_ROOM, _MEMORY_STEP, least=_LEAST_MEMORY)
    if used.out_of_memory or used.memory_max_mib >= limit.memory_mib * _FULL:
        memory = _step(asked.memory_mib * _MORE, _MEMORY_STEP, least=_LEAST_MEMORY)
        short.append("it ran out of memory" if used.out_of_memory else "its memory is nearly full")
    else:
        memory = min(memory, asked.memory_mib)
    if short:
        return Size(cpu, memory), " and ".join(short)
    return Size(cpu, memory), _used(used)


def _saving(use: JobUse, wanted: Size, prices: PriceList) -> float:
    """Dollars of one run. What was paid on nodes goes down with the share that decides it."""
    if use.capacity is CapacityKind.FARGATE:
        now, then = (
            fargate_second(prices, billed(sizes_of(size, (), CapacityKind.ON_DEMAND).pod))
            for size in (use.asked, wanted)
        )
        return (now - then) * use.pod_seconds
    if use.capacity is None:
        return 0.0
    share = max(wanted.cpu_millis / use.asked.cpu_millis, wanted.memory_mib / use.asked.memory_mib)
    return use.compute * (1 - share)


def _fits(asked: Size, used: UseView) -> str:
    return f"{_used(used)}; nothing smaller than {asked.cpu_millis}m and {asked.memory_mib}Mi costs less"


def _used(used: UseView) -> str:
    return f"it used {used.cpu_p95_millis}m of CPU for 95% of the time, and {used.memory_max_mib} MiB at most"


def _step(value: float, step: int, *, least: int) -> int:
    return max(least, math.ceil(value / step) * step)
