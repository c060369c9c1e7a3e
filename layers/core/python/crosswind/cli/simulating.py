"""`crosswind simulate`: the scheduler's own code over made-up tests and machines, on this machine alone."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from crosswind.cli import render
from crosswind.cli.session import JsonOption, Output
from crosswind.runs.simulation.policies import Policy, Quantiles, Summary, compare
from crosswind.runs.simulation.regressions import LIMIT_SECONDS, Regression, regression
from crosswind.runs.simulation.worlds import Setting

REGRESSIONS = (10_000, 100_000)
GOAL = 1.05
"""Ours should take no longer than this times what is possible at all."""

_MOST_TESTS = 100_000
_MOST_RUNNERS = 1_000


def simulate(
    tests: Annotated[int, typer.Option("--tests", min=1, max=_MOST_TESTS, help="Tests of the run.")] = 1_000,
    runners: Annotated[int, typer.Option("--runners", min=1, max=_MOST_RUNNERS, help="Shards at once.")] = 20,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=10_000, help="Worlds to draw.")] = 300,
    mean: Annotated[float, typer.Option("--mean", min=0.01, help="Seconds of a test, on average.")] = 10.0,
    noise: Annotated[float, typer.Option("--noise", min=0.0, max=2.0, help="Error of the estimates.")] = 0.3,
    slow: Annotated[float, typer.Option("--slow", min=0.0, max=1.0, help="Share of slow machines.")] = 0.25,
    tests_per_file: Annotated[
        int, typer.Option("--tests-per-file", min=1, help="Tests that stay together where they can.")
    ] = 1,
    regressions: Annotated[
        bool,
        typer.Option(
            "--regressions", help="Also 10,000 and 100,000 tests on 1,000 runners, 20 launches a second."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare ways to split a run, by simulation: how far each is from the shortest time that is possible."""
    setting = Setting(
        tests=tests,
        runners=runners,
        mean_seconds=mean,
        noise=noise,
        slow_share=slow,
        tests_per_file=tests_per_file,
    )
    found = compare(setting, seeds=seeds)
    large = [regression(count) for count in REGRESSIONS] if regressions else []
    output = Output(as_json=as_json)
    if as_json:
        output.emit(document(setting, seeds, found, large))
        return
    output.say(f"{tests} tests on {runners} runners, {seeds} worlds; times over the shortest possible one")
    for line in render.columns(_POLICY_HEADER, [_policy_row(name, each) for name, each in found.items()]):
        output.say(line)
    for each in large:
        output.say()
        for text in described(each):
            output.say(text)


def document(
    setting: Setting, seeds: int, found: Mapping[Policy, Summary], large: Sequence[Regression]
) -> dict[str, Any]:
    """The figures as JSON: `{policies: {NAME: {ratio: {p50, p90}}}}` and what they were drawn from."""
    return {
        "tests": setting.tests,
        "runners": setting.runners,
        "seeds": seeds,
        "goal": GOAL,
        "policies": {
            name.value: {
                "ratio": _quantiles(each.ratio, digits=4),
                "makespanSeconds": _quantiles(each.makespan, digits=1),
                "batches": round(each.batches, 1),
            }
            for name, each in found.items()
        },
        "regressions": [
            {
                "tests": each.tests,
                "runners": each.runners,
                "makespanSeconds": _quantiles(each.makespan, digits=1),
                "ratio": _quantiles(each.ratio, digits=4),
                "inTime": each.in_time,
                "binds": each.binds,
                "seconds": {part.name: round(part.seconds, 1) for part in each.parts},
            }
            for each in large
        ],
    }


def described(found: Regression) -> list[str]:
    """A regression in sentences."""
    minutes = LIMIT_SECONDS / 60
    verdict = f"within {minutes:.0f} min" if found.in_time else f"not within {minutes:.0f} min"
    parts = ", ".join(f"{part.name} {part.seconds:.0f} s" for part in found.parts)
    middle, late = render.duration(found.makespan.p50), render.duration(found.makespan.p90)
    ratio = f"{found.ratio.p50:.3f} of the bound"
    return [
        f"{found.tests} tests on {found.runners} runners: {middle} (p90 {late}), {verdict}, {ratio}",
        f"  what binds: {found.binds} ({parts})",
    ]


_POLICY_HEADER = ("policy", "ratio p50", "p90", "makespan p50", "p90", "batches")


def _policy_row(name: Policy, found: Summary) -> tuple[str, ...]:
    return (
        name.value,
        f"{found.ratio.p50:.3f}",
        f"{found.ratio.p90:.3f}",
        render.duration(found.makespan.p50),
        render.duration(found.makespan.p90),
        f"{found.batches:.0f}",
    )


def _quantiles(found: Quantiles, *, digits: int) -> dict[str, float]:
    return {"p50": round(found.p50, digits), "p90": round(found.p90, digits)}
