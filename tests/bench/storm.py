"""A thousand shards of three teams at three priorities while everything around them breaks: what was lost, what was doubled, who ran when.

python -m tests.bench.storm [--shards 1000] [--concurrency 100] [--chart FILE.svg] [--json]
"""

import argparse
import dataclasses
import json
from pathlib import Path

from tests.storm.chart import draw
from tests.storm.run import Storm, in_temporary_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--median-seconds", type=float, default=4.0)
    parser.add_argument("--kill-every", type=float, default=15.0)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--chart", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    outcome = in_temporary_folder(
        Storm(
            shards=options.shards,
            concurrency=options.concurrency,
            median_seconds=options.median_seconds,
            kill_every_seconds=options.kill_every,
            kills=options.kills,
            restarts=options.restarts,
        )
    )
    if options.chart:
        options.chart.parent.mkdir(parents=True, exist_ok=True)
        options.chart.write_text(draw(outcome), encoding="utf-8")
    figures = dataclasses.asdict(outcome)
    del figures["spans"]
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<14} {value}")


if __name__ == "__main__":
    main()
