"""Load tests: what merging costs, and how far merged percentiles are from the exact ones.

20 workers with 50,000 requests each, of unlike speed and with a long tail, in slices of a second over four minutes. Compared
are the percentiles of the merged histograms with those of all million values sorted, what a worker hands in, what the merge
takes in a process like the Lambda's, and the comparison with a baseline. For scale: the mean of the workers' own p99, which
is what a report that averages would show.
"""

import random
import time
import tracemalloc

from crosswind.contracts.load import Comparable, LoadBaselineSpec, LoadResult
from crosswind.runs.load import merging
from crosswind.runs.load.comparing import compare
from crosswind.runs.load.histogram import ACCURACY
from crosswind.runs.load.recording import Recorder

WORKERS = 20
REQUESTS = 50_000
SECONDS = 240.0
START = 1_800_000_000.0
PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)


def measured(worker: int, *, seed: int) -> tuple[LoadResult, list[float], float]:
    """A worker's result, all its values in order, and the seconds that recording took."""
    source = random.Random(f"{seed}-{worker}")  # noqa: S311  # repeatable samples, no secret
    median = 30.0 + 12.0 * worker
    values = [median * source.lognormvariate(0.0, 0.7) for _ in range(REQUESTS)]
    recorder = Recorder(tool="k6", start_at=START)
    began = time.perf_counter()
    for number, each in enumerate(values):
        at = START + SECONDS * number / REQUESTS
        recorder.request(f"GET /{number % 10}", each, ok=number % 200 != 0, at=at)
    took = time.perf_counter() - began
    return recorder.result({}), sorted(values), took


def exact(values: list[float], percent: float) -> float:
    """The value at the rank that DDSketch means."""
    return values[int(percent / 100 * (len(values) - 1))]


def main() -> None:
    """Print it all."""
    workers = [measured(number, seed=1) for number in range(WORKERS)]
    everything = sorted(value for _, values, _ in workers for value in values)
    texts = [result.to_wire() for result, _, _ in workers]
    sizes = [len(text) for text in texts]
    recording = sum(took for _, _, took in workers) / (WORKERS * REQUESTS) * 1e6
    print(f"{WORKERS} workers, {REQUESTS:,} requests each, {SECONDS:.0f} slices; bound {ACCURACY:.1%}")
    print(f"recording a request: {recording:.1f} µs; a worker hands in {sum(sizes) / WORKERS / 1024:.0f} KiB")

    tracemalloc.start()
    began = time.perf_counter()
    merged = merging.merge([LoadResult.model_validate_json(text) for text in texts])
    took = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    began = time.perf_counter()
    merging.merge([LoadResult.model_validate_json(text) for text in texts])
    bare = time.perf_counter() - began
    print(
        f"reading and merging all: {bare:.2f} s ({took:.2f} s traced), {peak / 1024 / 1024:.0f} MiB at most"
    )

    latency = merged.metrics["latency"].histogram
    assert latency is not None
    print("percentile   exact ms   merged ms    off    mean of the workers' own    off")
    for percent in PERCENTS:
        wanted, found = exact(everything, percent), latency.percentile(percent) or 0.0
        mean = sum(exact(values, percent) for _, values, _ in workers) / WORKERS
        off, mean_off = found / wanted - 1, mean / wanted - 1
        assert abs(off) <= ACCURACY
        print(f"p{percent:<10g} {wanted:9.2f} {found:11.2f} {off:+7.2%} {mean:19.2f} {mean_off:+14.1%}")

    before = merging.merge([measured(number, seed=2)[0] for number in range(WORKERS)])
    spec = LoadBaselineSpec(max_regression_percent=5, metrics=tuple(Comparable))
    began = time.perf_counter()
    comparison = compare(merged, before, spec, baseline_run="run-b", seed="bench")
    print(f"comparing {len(spec.metrics)} figures with a baseline: {time.perf_counter() - began:.2f} s")
    for figure in comparison.figures:
        assert figure.effect is not None
        print(
            f"  {figure.name}: {figure.effect:+.2f} ({figure.low:+.2f} to {figure.high:+.2f}) {figure.verdict}"
        )


if __name__ == "__main__":
    main()
