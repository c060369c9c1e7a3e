"""`crosswind plan`: what a run would take and cost, before anything is spent."""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.config import is_loopback
from crosswind.cli.errors import ApiError, CliError, ConnectionFailedError, ExitStatus, passes
from crosswind.cli.follow import Pace
from crosswind.cli.parameters import split_parameters, typed
from crosswind.cli.requests import request_of
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    Session,
    TeamOption,
    open_session,
)
from crosswind.cli.submitting import SourceRootOption, declared_parameters, load_suite
from crosswind.contracts.plans import (
    CreatePlanRequest,
    CurvePoint,
    PlannedJob,
    PlanQueue,
    PlanState,
    PlanView,
)
from crosswind.runs.planning.pricing import dollars

_GOING = (PlanState.ACCEPTED, PlanState.PREPARING)
_OUTAGE_SECONDS = 120.0
_ADMITTED = "admitted"


def plan(
    ctx: typer.Context,
    suite: Annotated[str | None, typer.Argument(help="Name of a stored suite, instead of -f.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="The suite as YAML or JSON.")] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="8m", help="Pick the fewest shards that finish in this time."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", metavar="2.00", help="Pick the shards that finish soonest for these dollars."
        ),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="A parameter of the suite.")
    ] = None,
    team: TeamOption = None,
    source_root: SourceRootOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the curve of a run: for so many shards, when it would finish and what it would cost. Nothing is run.

    The tests are discovered as for a run, unless that was done before for the same commit.
    """
    if (suite is None) == (file is None):
        raise CliError("name a suite, or give one with -f suite.yaml")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        text = load_suite(session, file, source_root=source_root) if file else None
        given = split_parameters(param or ())
        declared = declared_parameters(session, suite=suite, team=team, text=text) if given else {}
        fields = {
            "text": text,
            "suite": suite,
            "team": team,
            "parameters": typed(given, declared),
            "target": target,
            "budget": budget,
        }
        request = request_of(CreatePlanRequest, fields)
        accepted = session.client.create_plan(request, idempotency_key=uuid.uuid4().hex)
        session.note(f"plan {accepted.plan_id}")
        made = _wait(session, accepted.plan_id)
        if as_json:
            session.emit(made)
        else:
            _show(session, made)
    if made.state is PlanState.FAILED:
        raise typer.Exit(ExitStatus.TROUBLE)


def _wait(session: Session, plan_id: str) -> PlanView:
    """Ask until the plan is made. Ctrl-C stops the waiting; the plan is made all the same."""
    pace = Pace(near=is_loopback(session.endpoint))
    clock = session.surroundings.monotonic
    answered = clock()
    last: PlanState | None = None
    while True:
        state = last
        try:
            made = session.client.get_plan(plan_id)
            state = made.state
            answered = clock()
            if state not in _GOING:
                return made
        except (ConnectionFailedError, ApiError) as error:
            if not passes(error) or clock() - answered > _OUTAGE_SECONDS:
                raise
            session.note(f"{error}; trying again")
        if state is not last and state is PlanState.PREPARING:
            session.note("the tests are being discovered")
        session.surroundings.sleep(pace.next(changed=state is not last))
        last = state


def _show(session: Session, made: PlanView) -> None:
    if made.state is PlanState.FAILED:
        session.say(render.clean(f"no plan: {made.reason}"))
        for error in made.errors[1:]:
            session.say(render.clean(f"  {error}"))
        return
    tests = "an unknown number of" if made.tests is None else str(made.tests)
    session.say(f"{tests} tests, {made.known_durations} with measured durations, on {made.executor}")
    for job in made.jobs:
        for line in _job_lines(job):
            session.say(render.clean(line))
    if made.skipped:
        session.say(f"{len(made.skipped)} tests are in quarantine and would not run")
    if made.curve:
        session.say()
        rows = [_row(each, chosen=each == made.chosen) for each in made.curve]
        for text in render.columns(("shards", "p50", "p90", "cost", "binds", ""), rows):
            session.say(text)
        session.say(f"prices: {made.prices}")
    _show_answer(session, made)


def _show_answer(session: Session, made: PlanView) -> None:
    session.say()
    if made.reason:
        session.say(render.clean(made.reason))
    if made.chosen:
        wanted = made.goal.target_seconds is not None or made.goal.budget_dollars is not None
        words = "pick" if wanted else "as the suite is"
        session.say(
            f"{words}: {_shards(made.chosen.shards)}, {render.duration(made.chosen.p50_seconds)} "
            f"(p90 {render.duration(made.chosen.p90_seconds)}), {dollars(made.chosen.dollars)}"
        )
    if made.queue:
        session.say(render.clean(_outlook(made.queue)))


def _outlook(queue: PlanQueue) -> str:
    """When the run would start."""
    if queue.reason == _ADMITTED:
        return "submitted now, it would start at once"
    place = f"place {queue.position} in the queue" if queue.position else "queue"
    start = queue.expected_start or "not to be foreseen"
    return f"{place}, expected start {start}: {queue.explanation}"


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"


def _job_lines(job: PlannedJob) -> list[str]:
    name = f"{job.test} [{job.variant}]" if job.variant else job.test
    work = f"{render.duration(job.estimate_seconds)} of tests, the longest unit {render.duration(job.longest_seconds)}"
    lines = [f"  {name}: {work}; {_shards(job.shards)} ({job.shards_reason}), {job.method}"]
    if job.reason:
        lines.append(f"    {job.reason}")
    return lines


def _row(point: CurvePoint, *, chosen: bool) -> tuple[str, ...]:
    return (
        str(point.shards),
        render.duration(point.p50_seconds),
        render.duration(point.p90_seconds),
        dollars(point.dollars),
        point.binds,
        "<-" if chosen else "",
    )
