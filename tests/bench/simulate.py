"""How far each way to split a run is from the shortest possible time: by simulation, over the code that plans and admits.

    python -m tests.bench.simulate [--seeds 300] [--json] [--no-regressions]

1,000 lognormal tests (mean 10 s, sigma 1) on 20 runners that start after 30 to 90 s; one runner in four is slower by a
quarter; estimates err by 30%; leasing a batch costs a runner 0.1 s. The bound is the smallest T with sum over runners of
speed x max(0, T - start) >= total work and room for the longest test. No policy sees durations, speeds or starts before
they happen. Exit status 1 when ours is further than 1.05 from the bound in the median.
"""

import argparse
import json
import sys
import time

from crosswind.cli.simulating import GOAL, REGRESSIONS, described, document
from crosswind.runs.simulation.policies import Policy, compare
from crosswind.runs.simulation.regressions import regression
from crosswind.runs.simulation.worlds import Setting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-regressions", action="store_true")
    options = parser.parse_args()
    setting = Setting()
    started = time.perf_counter()
    found = compare(setting, seeds=options.seeds)
    large = [] if options.no_regressions else [regression(tests) for tests in REGRESSIONS]
    if options.json:
        print(json.dumps(document(setting, options.seeds, found, large), indent=2))
    else:
        print(f"{setting.tests} tests on {setting.runners} runners, {options.seeds} seeds, over the bound")
        for policy, summary in found.items():
            ratio, makespan = summary.ratio, summary.makespan
            print(f"{policy:<24} p50 {ratio.p50:.3f}   p90 {ratio.p90:.3f}   {makespan.p50:6.0f} s")
        for each in large:
            print("\n".join(described(each)))
        print(f"{time.perf_counter() - started:.1f} s")
    sys.exit(0 if found[Policy.PULL_LONGEST_FIRST].ratio.p50 <= GOAL else 1)


if __name__ == "__main__":
    main()
