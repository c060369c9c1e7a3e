"""Rules of a load test that its model cannot say; each fault is (path, message, expected)."""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.contracts import expressions
from crosswind.contracts.faults import Path
from crosswind.contracts.frameworks import JMETER, K6, FrameworkSpec
from crosswind.contracts.suites import duration_seconds
from crosswind.runs.load.expressions import ThresholdError, parse_for, select

LOAD_ADAPTERS = frozenset({K6, JMETER})
MAX_READY_SECONDS = 3600
SCRIPT_ENDS = (".js", ".mjs", ".ts", ".tar")

Fault = tuple[Path, str, str | None]


def load_faults(
    job: Mapping[str, Any], path: Path, framework: FrameworkSpec | None, *, concurrency: int
) -> Iterator[Fault]:
    """What is wrong with a job's `load`, or with a job that needs one. `concurrency`: shards that may run at once."""
    load = job.get("load")
    if framework is None:
        return
    if framework.adapter not in LOAD_ADAPTERS:
        if isinstance(load, Mapping):
            yield (
                (*path, "load"),
                f"is of frameworks {' and '.join(sorted(LOAD_ADAPTERS))} only",
                "leave it out",
            )
        return
    if not isinstance(load, Mapping):
        yield (
            (*path, "load"),
            f"is required by framework `{job['framework']}`",
            "such as `load: {workers: 2}`",
        )
        return
    yield from _workers(load, (*path, "load"), concurrency=concurrency)
    yield from _thresholds(load, (*path, "load", "thresholds"))
    yield from _call(job, path, framework.adapter)
    yield from _left_out(job, path)


def _workers(load: Mapping[str, Any], path: Path, *, concurrency: int) -> Iterator[Fault]:
    workers = load.get("workers")
    if isinstance(workers, int) and workers > concurrency:
        yield (
            (*path, "workers"),
            f"only {concurrency} shards may run at once, so {workers} workers would never be ready together",
            f"at most {concurrency}, or a greater `concurrency`",
        )
    within = load.get("readyWithin")
    if isinstance(within, str) and not 1 <= duration_seconds(within) <= MAX_READY_SECONDS:
        yield (*path, "readyWithin"), "is out of bounds", "a duration from 1s to 1h, such as `2m`"


def _thresholds(load: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    thresholds = load.get("thresholds")
    for metric, texts in thresholds.items() if isinstance(thresholds, Mapping) else ():
        if not isinstance(metric, str):
            continue
        try:
            select(metric)
        except ThresholdError as error:
            yield (*path, metric), str(error), "such as `latency` or `http_req_duration{scenario:buy}`"
            continue
        for index, text in enumerate(texts if isinstance(texts, list) else ()):
            if not isinstance(text, str):
                continue
            try:
                parse_for(metric, text)
            except ThresholdError as error:
                yield (*path, metric, index), str(error), "such as `p(95)<500ms`, `rate<1%` or `count>100`"


def _call(job: Mapping[str, Any], path: Path, adapter: str) -> Iterator[Fault]:
    args = job.get("args")
    texts = [text for text in args if isinstance(text, str)] if isinstance(args, list) else []
    if any(expressions.has_expression(text) for text in texts):
        return
    if adapter == K6 and not any(text.endswith(SCRIPT_ENDS) for text in texts):
        yield (*path, "args"), "name no script", 'what follows `k6 run`, such as `[load.js, --vus, "20"]`'
    elif adapter == JMETER and not any(text.endswith(".jmx") for text in texts):
        yield (
            (*path, "args"),
            "name no plan",
            "what follows `jmeter -n`, such as `[-t, plan.jmx, -Jthreads=20]`",
        )


def _left_out(job: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    """Fields that mean something else than the workers of one load, or that would only seem to have an effect."""
    shards = job.get("shards")
    for name in shards if isinstance(shards, Mapping) else ():
        yield (
            (*path, "shards", name),
            "a load test has workers instead",
            "leave it out, and set `load.workers`",
        )
    if job.get("antiAffinity") is not None:
        yield (*path, "antiAffinity"), "its workers could never run at the same time", "leave it out"
    if job.get("reports"):
        yield (*path, "reports"), "a load test's cases come from what it measured", "leave it out"
    retries = job.get("retries")
    tests = retries.get("tests") if isinstance(retries, Mapping) else None
    if isinstance(tests, int) and tests > 0:
        yield (*path, "retries", "tests"), "a load that is sent again is another load", "0"
