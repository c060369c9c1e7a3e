"""A thousand pods at once on a real control plane, through the embedded cloud: calm, and while everything around them breaks.

    python -m tests.bench.pods [--pods 1000] [--seconds 120] [--chart FILE.svg] [--json]

The nodes are simulated (KWOK), the agents played: they claim, beat, wait, upload one report and commit by the runner's own
code. The baseline is as many Jobs of the same length, created bare at the pace that Fargate starts pods at, in the same run.
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from crosswind.local.home import LocalError
from tests.cluster.bare import Bare, run_bare
from tests.cluster.manifests import RESTRICTED
from tests.cluster.toolbox import ensure_kubernetes, ensure_kwok
from tests.podstorm.chart import draw
from tests.podstorm.judging import Outcome
from tests.podstorm.run import carry_out
from tests.podstorm.world import LAUNCHES_PER_SECOND, World, world

_HIDDEN = ("course", "marks")


def measure(
    world: World, *, pods: int, seconds: float, calm_only: bool
) -> tuple[Bare, Outcome, Outcome | None]:
    """The three, one after another. The API server is started anew between them: it keeps what it once held."""
    with world.plane.cluster.namespace("bare", RESTRICTED) as namespace:
        bare = run_bare(
            world.plane.cluster, namespace, jobs=pods, seconds=seconds, per_second=LAUNCHES_PER_SECOND
        )
    world.plane.restart_api_server(with_controllers=True)
    calm = carry_out(world, shards=pods, seconds=seconds, stormy=False)
    if calm_only:
        return bare, calm, None
    world.plane.restart_api_server(with_controllers=True)
    return bare, calm, carry_out(world, shards=pods, seconds=seconds, stormy=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each pod's tests")
    parser.add_argument("--calm-only", action="store_true")
    parser.add_argument("--chart", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        ensure_kubernetes(print)
        ensure_kwok(print)
    except LocalError as missing:
        print(f"not measured: {missing}")
        return
    with (
        tempfile.TemporaryDirectory(prefix="crosswind-pods-") as folder,
        world(Path(folder), slots=options.pods) as made,
    ):
        bare, calm, stormy = measure(
            made, pods=options.pods, seconds=options.seconds, calm_only=options.calm_only
        )
        usage = made.plane.usage() | {"kwok": made.nodes.usage()}
    if options.chart:
        options.chart.parent.mkdir(parents=True, exist_ok=True)
        options.chart.write_text(_chart(bare, calm, stormy), encoding="utf-8")
    figures = _figures(bare, calm, stormy) | {"control plane": usage}
    print(json.dumps(figures, indent=2) if options.json else _text(figures))


def _figures(bare: Bare, calm: Outcome, stormy: Outcome | None) -> dict[str, Any]:
    figures = {"bare Jobs": _shown(bare), "calm": _shown(calm), "calm against bare": calm.seconds / bare.done}
    if stormy is not None:
        figures |= {"storm": _shown(stormy), "storm against bare": stormy.seconds / bare.done}
    return figures


def _shown(figures: Bare | Outcome) -> dict[str, Any]:
    return {
        name.replace("_", " "): value
        for name, value in dataclasses.asdict(figures).items()
        if name not in _HIDDEN
    }


def _chart(bare: Bare, calm: Outcome, stormy: Outcome | None) -> str:
    courses = [("bare Jobs", bare.course), ("through Crosswind", calm.course)]
    if stormy is not None:
        courses.append(("through Crosswind, in a storm", stormy.course))
    title = f"{calm.shards} pods: how many were at work over time"
    return draw(title, courses, stormy.marks if stormy else ())


def _text(figures: dict[str, Any], indent: str = "") -> str:
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", _text(value, f"{indent}  ")]
        else:
            shown = f"{value:.2f}" if isinstance(value, float) else value
            lines.append(f"{indent}{name:<28} {shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
