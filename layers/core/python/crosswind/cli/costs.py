"""`crosswind cost`: what a run, a team's runs or one test have cost, and which sizes do not fit."""

from typing import Annotated
from urllib.parse import quote

import typer

from crosswind.cli import render
from crosswind.cli.errors import CliError
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, Session, TeamOption, open_session
from crosswind.contracts.costs import (
    DEFAULT_DAYS,
    MAX_DAYS,
    CostGrouping,
    CostParts,
    RunCost,
    SizeAdvice,
    TeamCosts,
    TestCosts,
)

_LEAST_SHOWN = 0.0001
_RUNS_SHOWN = 20


def cost(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The run's id; without it, all of the team.")
    ] = None,
    by: Annotated[
        CostGrouping | None, typer.Option("--by", help="How a run's cost is listed. [default: job]")
    ] = None,
    team: TeamOption = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", min=1, max=MAX_DAYS, help=f"The team's runs of so many days. [default: {DEFAULT_DAYS}]"
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Only runs of this suite.")] = None,
    test: Annotated[
        str | None, typer.Option("--test", help="What this test has cost, as its framework calls it.")
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run has cost, or what a team's finished runs have, with sizes that would cost less."""
    if run is not None and any(each is not None for each in (team, days, suite, test)):
        raise CliError("--team, --days, --suite and --test are for many runs, and a run was named")
    if run is None and by is not None:
        raise CliError("--by lists the cost of one run", hint="Name the run.")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        if run is not None:
            path = f"/api/v1/tests/{quote(run, safe='')}/cost"
            one = session.client.read(path, RunCost, {"by": by.value if by else None})
            session.emit(one) if as_json else _say_run(session, one, by or CostGrouping.JOB)
            return
        query = {"team": team, "days": days or DEFAULT_DAYS, "suite": suite, "test": test}
        many = session.client.read("/api/v1/costs", TeamCosts, query)
        session.emit(many) if as_json else _say_team(session, many, test)


def amount(dollars: float) -> str:
    """Cents from a dollar on, below it as many digits as tell something."""
    if abs(dollars) >= 1:
        return f"${dollars:,.2f}"
    return f"${dollars:.4f}" if abs(dollars) >= _LEAST_SHOWN or not dollars else f"${dollars:.2e}"


def _say_run(session: Session, found: RunCost, by: CostGrouping) -> None:
    session.say(f"{amount(found.cost.total)}  {found.suite}  {found.execution_id}")
    _say_parts(session, found.cost)
    session.say()
    rows: list[tuple[str, ...]]
    if by is CostGrouping.JOB:
        rows = [
            (
                "/".join(part for part in (job.test, job.variant) if part),
                str(job.shards),
                str(job.tests),
                job.capacity.value if job.capacity else "pool",
                amount(job.cost.startup),
                amount(job.cost.lost),
                amount(job.cost.tests),
                amount(job.cost.total),
            )
            for job in found.jobs
        ]
        header: tuple[str, ...] = (
            "job",
            "shards",
            "tests",
            "capacity",
            "start-up",
            "lost",
            "testing",
            "total",
        )
    elif by is CostGrouping.SHARD:
        rows = [
            (
                shard.work_id,
                shard.test,
                shard.capacity.value if shard.capacity else "pool",
                _size(shard.billed_cpu_millis, shard.billed_memory_mib),
                render.duration(shard.seconds),
                render.duration(shard.startup_seconds),
                str(shard.tests),
                amount(shard.cost.total),
            )
            for shard in found.shards
        ]
        header = ("shard", "job", "capacity", "billed as", "billed", "start-up", "tests", "total")
    else:
        rows = [
            (amount(case.dollars), render.duration(case.seconds), case.work_id, render.clean(case.name))
            for case in found.tests
        ]
        header = ("cost", "took", "shard", "test")
    for line in render.columns(header, rows):
        session.say(line)
    if found.more:
        session.note(f"{found.more} more are not shown")
    _say_notes(session, found.notes)
    if not found.complete:
        session.note("the run or a pod of it is going on; this is what there is so far")
    _say_prices(session, found)


def _say_team(session: Session, found: TeamCosts, test: str | None) -> None:
    runs = f"{found.runs} finished run{'' if found.runs == 1 else 's'}"
    session.say(f"{amount(found.cost.total)}  {found.team}: {runs} of {found.days} days")
    _say_parts(session, found.cost)
    if test is not None:
        session.say()
        if not found.tests:
            session.say(f"no run of these days has reported a test {render.clean(test)!r}")
        for each in found.tests:
            _say_test(session, each)
    elif found.suites:
        session.say()
        rows = [
            (
                each.suite,
                str(each.runs),
                amount(each.cost.total / each.runs),
                amount(each.cost.lost),
                amount(each.cost.total),
            )
            for each in found.suites
        ]
        for line in render.columns(("suite", "runs", "a run", "lost", "total"), rows):
            session.say(line)
        _say_sizes(session, [size for size in found.sizes if size.verdict != "fits"])
    if found.left_out:
        session.note(f"{found.left_out} runs were not counted in time; ask again: what was counted is kept")
    _say_notes(session, found.notes)
    _say_prices(session, found)


def _say_test(session: Session, found: TestCosts) -> None:
    place = "/".join(part for part in (found.suite, found.test, found.variant) if part)
    session.say(f"{amount(found.dollars)}  {render.clean(found.name)}  ({place})")
    for run in found.runs[:_RUNS_SHOWN]:
        about = "about " if run.estimated else ""
        session.say(
            f"  {run.at}  {amount(run.dollars)}  {about}{render.duration(run.seconds)}  {run.execution_id}"
        )
    if len(found.runs) > _RUNS_SHOWN:
        session.note(f"{len(found.runs) - _RUNS_SHOWN} more runs are not shown")


def _say_sizes(session: Session, sizes: list[SizeAdvice]) -> None:
    if not sizes:
        return
    session.say()
    session.say("Sizes that do not fit")
    for each in sizes:
        place = "/".join(part for part in (each.suite, each.test, each.variant) if part)
        wanted = ", ".join(
            f"{name}: {value}" for name, value in (("cpu", each.cpu), ("memory", each.memory)) if value
        )
        saved = f"saves {amount(each.saving_per_run)} a run, {amount(each.saving_per_month)} a month"
        if each.saving_per_run <= 0:
            saved = f"costs {amount(-each.saving_per_run)} a run more"
        session.say(f"  {place}: resources {{{wanted}}} instead of {_size(each.cpu_millis, each.memory_mib)}")
        session.say(f"      {saved}; in {each.runs} runs {each.reason}")


def _say_parts(session: Session, cost: CostParts) -> None:
    parts = [
        ("testing", cost.tests),
        ("start-up", cost.startup),
        ("preparation", cost.preparation),
        ("lost attempts", cost.lost),
        ("control plane", cost.control),
    ]
    session.say(
        "  " + ", ".join(f"{name} {amount(value)}" for name, value in parts if value or name == "testing")
    )


def _say_notes(session: Session, notes: tuple[str, ...]) -> None:
    for note in notes:
        session.note(render.clean(note))


def _say_prices(session: Session, found: RunCost | TeamCosts) -> None:
    session.note(f"prices of {found.prices.date}, {found.prices.region}: {found.prices.source}")


def _size(cpu_millis: int | None, memory_mib: int | None) -> str:
    return "" if cpu_millis is None or memory_mib is None else f"{cpu_millis}m, {memory_mib}Mi"
