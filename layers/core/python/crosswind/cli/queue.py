"""The queue: what waits and why, a team's part of the capacity, pausing a run or a team."""

from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.errors import CliError
from crosswind.cli.requests import request_of
from crosswind.cli.runs import RunArgument
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    Session,
    TeamOption,
    open_session,
)
from crosswind.contracts.queueing import PutTeamQueueRequest, QueueView, TeamQueueView

app = typer.Typer(help="See the queue, pause a team, set its part of the capacity.", no_args_is_help=True)

_NONE = "none"
TeamArgument = Annotated[str, typer.Argument(metavar="TEAM", help="The team.")]


def pause(
    ctx: typer.Context,
    run: RunArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Admit nothing more of a run. What runs, runs on; the run's timeout goes on too."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.pause_run(run)
        if as_json:
            session.emit(view)
            return
        session.say(f"paused  {view.execution_id}  {view.shards.running} shards run on, the timeout goes on")
        session.say(f"Let it go on: {session.command(f'resume {view.execution_id}')}")


def resume(
    ctx: typer.Context,
    run: RunArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused run go on. Repeating it is no error."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.resume_run(run)
        if as_json:
            session.emit(view)
            return
        session.say(f"resumed  {view.execution_id}")
        session.say(render.headline(view))


@app.command("show")
def show_queue(
    ctx: typer.Context,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what of a team runs and waits, and why it waits."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.queue(team=team)
        if as_json:
            session.emit(view)
        else:
            _print_queue(session, view)


@app.command("pause")
def pause_team(
    ctx: typer.Context,
    team: TeamArgument,
    reason: Annotated[str | None, typer.Option("--reason", help="For those who wait.")] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Admit nothing more of a team until it is resumed. What runs, runs on."""
    fields: dict[str, object] = {"paused": True} if reason is None else {"paused": True, "reason": reason}
    request = request_of(PutTeamQueueRequest, fields)
    _put(ctx, team, request, endpoint=endpoint, profile=profile, as_json=as_json)


@app.command("resume")
def resume_team(
    ctx: typer.Context,
    team: TeamArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused team go on."""
    _put(
        ctx,
        team,
        request_of(PutTeamQueueRequest, {"paused": False}),
        endpoint=endpoint,
        profile=profile,
        as_json=as_json,
    )


@app.command("set")
def set_team(
    ctx: typer.Context,
    team: TeamArgument,
    weight: Annotated[
        float | None, typer.Option("--weight", help="Its part where teams compete; 1 unless set.")
    ] = None,
    quota: Annotated[
        str | None, typer.Option("--quota", metavar="SLOTS", help="Slots that are its own, or none.")
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option("--concurrency", metavar="SLOTS", help="The most slots, or none.")
    ] = None,
    may_borrow: Annotated[
        bool | None, typer.Option("--borrow/--no-borrow", help="Whether it may use what others leave idle.")
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a team's part of the capacity; for admins. What is not given stays as it is."""
    given = {
        "weight": weight,
        "quota": _slots("--quota", quota),
        "concurrency": _slots("--concurrency", concurrency),
        "mayBorrow": may_borrow,
    }
    named = {"quota": quota, "concurrency": concurrency}
    fields = {
        name: value for name, value in given.items() if value is not None or named.get(name) is not None
    }
    if not fields:
        raise CliError(
            "nothing to set", hint="Give --weight, --quota, --concurrency, --borrow or --no-borrow."
        )
    _put(
        ctx,
        team,
        request_of(PutTeamQueueRequest, fields),
        endpoint=endpoint,
        profile=profile,
        as_json=as_json,
    )


def _slots(option: str, text: str | None) -> int | None:
    if text is None or text == _NONE:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise CliError(f"{option} is {text!r}; it takes a number of slots, or {_NONE}")
    return int(text)


def _put(
    ctx: typer.Context,
    team: str,
    request: PutTeamQueueRequest,
    *,
    endpoint: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.put_team_queue(team, request)
        if as_json:
            session.emit(view)
        else:
            session.say(_settings(view))


def _settings(view: TeamQueueView) -> str:
    quota = "no quota" if view.quota is None else f"quota {view.quota}"
    parts = [f"team {view.team}", f"weight {view.weight:g}", quota]
    if view.quota is not None:
        parts.append("may borrow" if view.may_borrow else "may not borrow")
    if view.concurrency is not None:
        parts.append(f"at most {view.concurrency}")
    if view.paused:
        parts.append(f"paused{f': {render.clean(view.reason)}' if view.reason else ''}")
    return ", ".join(parts)


def _print_queue(session: Session, view: QueueView) -> None:
    session.say(_settings(view.settings))
    borrowed = f" ({view.borrowed} borrowed)" if view.borrowed else ""
    session.say(
        f"{view.running} running{borrowed}, {view.waiting} waiting; "
        f"{view.in_use} of {view.slots} slots are in use, {view.used_share:.0%} of what was used lately is its own"
    )
    if not view.lanes:
        return
    rows = [
        (
            lane.execution_id,
            lane.suite,
            lane.priority.value,
            str(lane.waiting),
            str(lane.running),
            "paused" if lane.paused else lane.reason or "",
            render.clean(lane.explanation or ""),
        )
        for lane in view.lanes
    ]
    session.say()
    for line in render.columns(("run", "suite", "prio", "waiting", "running", "waits for", "why"), rows):
        session.say(line)
