"""What workers of a load job measured, made up."""

import random
from collections.abc import Sequence

from crosswind.contracts.load import LoadResult
from crosswind.runs.load.recording import Recorder

START = 1_800_000_000.0


def latencies(count: int, *, seed: int = 1, median: float = 80.0, spread: float = 0.6) -> list[float]:
    """Milliseconds with a long tail."""
    source = random.Random(seed)  # noqa: S311  # repeatable samples, no secret
    return [median * source.lognormvariate(0.0, spread) for _ in range(count)]


def worker(
    milliseconds: Sequence[float],
    *,
    seconds: float = 60.0,
    error_every: int = 0,
    thresholds: dict[str, tuple[str, ...]] | None = None,
    name: str = "GET /items",
) -> LoadResult:
    """A worker that sent requests evenly over some time."""
    recorder = Recorder(tool="k6", start_at=START, selectors=thresholds or ())
    for number, each in enumerate(milliseconds):
        at = START + seconds * (number + 1) / len(milliseconds)
        failed = error_every > 0 and number % error_every == 0
        recorder.request(name, each, ok=not failed, at=at, message="status 500" if failed else None)
        recorder.check("is 200", ok=not failed)
    return recorder.result(thresholds or {})
