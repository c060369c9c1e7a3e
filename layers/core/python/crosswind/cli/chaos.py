"""`crosswind chaos`: experiments from the draft to the verdict."""

import uuid
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.text import Text

from crosswind.cli import chaos_gate, chaos_reports, chaos_show, chaos_specs, render
from crosswind.cli.chaos_client import ChaosClient
from crosswind.cli.chaos_specs import FileOption
from crosswind.cli.errors import ApiError, CliError, ConnectionFailedError, ExitStatus, passes
from crosswind.cli.follow import OUTAGE_SECONDS, SHORTEST_PAUSE
from crosswind.cli.paging import LARGEST_PAGE, every_item
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
from crosswind.cli.sources import child, compose, read_suite
from crosswind.contracts.chaos.definitions import ExperimentPage, ExperimentView, ReviewRequest
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict, RunState
from crosswind.contracts.chaos.runs import (
    AbortRequest,
    ExperimentRunPage,
    ExperimentRunView,
    ScheduleRequest,
    StartRequest,
    TimelineEntry,
)
from crosswind.contracts.suites import Scalar

NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")]
ParamOption = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE", help="A parameter's value.")
]
RevisionOption = Annotated[int | None, typer.Option("--revision", help="Instead of the newest.")]

app = typer.Typer(help="Break things on purpose: reviewed, gated, and undone.", no_args_is_help=True)
chaos_specs.register(app)
chaos_gate.register(app)
chaos_reports.register(app)


@app.command("apply")
def apply_experiment(
    ctx: typer.Context,
    file: FileOption,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store or edit an experiment under its own name; another content is a new draft."""
    text = read_suite(file)
    node = child(compose(text), "metadata", "name")
    if node is None:
        raise CliError(f"{file} has no metadata.name")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = ChaosClient(session.client).put(str(node.value), text)
        if as_json:
            session.emit(answer)
        else:
            session.say("stored" if answer.created else "edited")
            _say(session, chaos_show.experiment_lines(answer.experiment))


@app.command("list")
def list_experiments(
    ctx: typer.Context,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List experiments with their last runs."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = ChaosClient(session.client)
        items = every_item(
            lambda cursor: client.list_experiments({"team": team, "limit": LARGEST_PAGE, "cursor": cursor})
        )
        if as_json:
            session.emit(ExperimentPage(items=items))
            return
        rows = []
        for each in items:
            last = each.last_run
            ended = (last.verdict.value if last.verdict else last.state.value) if last else "-"
            risk = each.risk.value
            rows.append((each.name, str(each.revision), each.state.value, each.environment, risk, ended))
        header = ("experiment", "revision", "state", "environment", "risk", "last run")
        _say(session, render.columns(header, rows) if rows else [Text("no experiments")])


@app.command("get")
def get_experiment(
    ctx: typer.Context,
    name: NameArgument,
    revision: RevisionOption = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an experiment: its newest revision, its review and its runs."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, ChaosClient(session.client).get(name, team=team, revision=revision))


@app.command("preview")
def preview(
    ctx: typer.Context,
    name: NameArgument,
    revision: RevisionOption = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would be hit, how it would be undone, and what the gate says now. Nothing is injected."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        found = ChaosClient(session.client).preview(name, team=team, revision=revision)
        if as_json:
            session.emit(found)
        else:
            _say(session, chaos_show.preview_lines(found))
    if not found.ready:
        raise typer.Exit(ExitStatus.TESTS)


@app.command("submit")
def submit(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a review of the draft."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, ChaosClient(session.client).submit(name, team=team))


@app.command("approve")
def approve(
    ctx: typer.Context,
    name: NameArgument,
    digest: Annotated[str, typer.Option("--digest", help="Of what you looked at, by `preview` or `get`.")],
    comment: Annotated[str | None, typer.Option("--comment", help="For the record.")] = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve exactly what you looked at; never your own."""
    request = request_of(ReviewRequest, {"digest": digest, "comment": comment})
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, ChaosClient(session.client).approve(name, request, team=team))


@app.command("request-changes")
def request_changes(
    ctx: typer.Context,
    name: NameArgument,
    reason: Annotated[str, typer.Option("--reason", help="What is to be changed.")],
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send an experiment back to its authors."""
    request = request_of(ReviewRequest, {"reason": reason})
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, ChaosClient(session.client).request_changes(name, request, team=team))


@app.command("schedule")
def schedule(
    ctx: typer.Context,
    name: NameArgument,
    at: Annotated[
        str | None, typer.Option("--at", help="One moment, such as 2027-03-01T08:00Z; else its own schedule.")
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Do not start it by itself any more.")] = False,
    param: ParamOption = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say when the approved revision starts by itself."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = ChaosClient(session.client)
        values = _parameters(client, name, team, param)
        request = request_of(ScheduleRequest, {"at": at, "paused": pause, "parameters": values})
        _show(session, client.schedule(name, request, team=team))


@app.command("start")
def start(
    ctx: typer.Context,
    name: NameArgument,
    param: ParamOption = None,
    wait: Annotated[bool, typer.Option("--watch", help="Follow it to its verdict.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key gives the same run.")
    ] = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a run of the approved revision."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = ChaosClient(session.client)
        request = StartRequest(parameters=_parameters(client, name, team, param))
        run = client.start(name, request, team=team, idempotency_key=idempotency_key or uuid.uuid4().hex)
        if wait:
            _follow(session, client, run.run_id)
        elif as_json:
            session.emit(run)
        else:
            session.say(chaos_show.run_headline(run))
            session.note(f"next: {session.command(f'chaos watch {run.run_id}')}")


@app.command("watch")
def watch(
    ctx: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or an experiment's name.")],
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a run to its verdict. Exit status: 0 held, 1 any other verdict, 2 recovery unverified."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = ChaosClient(session.client)
        if not run_id.startswith("exp-"):
            runs = client.runs(run_id, {"team": team, "limit": 1}).items
            if not runs:
                raise CliError(f"{run_id} never ran")
            run_id = runs[0].run_id
        _follow(session, client, run_id)


@app.command("runs")
def list_runs(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="Its name; `-` lists those of all.")
    ] = "-",
    service: Annotated[str | None, typer.Option("--service", help="Only of this service.")] = None,
    state: Annotated[RunState | None, typer.Option("--state", help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST_PAGE)] = 20,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        query = {"team": team, "service": service, "state": state, "limit": limit}
        page = ChaosClient(session.client).runs(name, query)
        if as_json:
            session.emit(page)
        else:
            _say(session, chaos_show.run_lines(page.items) or [Text("no runs")])


@app.command("abort")
def abort(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name, or a run's id.")],
    reason: Annotated[
        str, typer.Option("--reason", help="Why; it stands in the timeline.")
    ] = "aborted by hand",
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Abort a run, or every run of an experiment: every fault is undone."""
    run_id = name if name.startswith("exp-") else None
    request = request_of(AbortRequest, {"reason": reason, "run_id": run_id})
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        told = ChaosClient(session.client).abort("-" if run_id else name, request, team=team)
        if as_json:
            session.emit(ExperimentRunPage(items=told.items))
        else:
            _say(session, chaos_show.run_lines(told.items) or [Text("nothing goes on")])


@app.command("delete")
def delete(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete an experiment; its runs stay."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        ChaosClient(session.client).delete(name, team=team)
        if as_json:
            session.emit({"name": name, "deleted": True})
        else:
            session.say(f"deleted  {name}")


def _follow(session: Session, client: ChaosClient, run_id: str) -> None:
    run = followed(session, client, run_id)
    if session.as_json:
        session.emit(run)
    else:
        _say(session, chaos_show.ending_lines(run))
    if run.state is RunState.RECOVERY_UNVERIFIED or run.verdict is ExperimentVerdict.RECOVERY_UNVERIFIED:
        raise typer.Exit(ExitStatus.TROUBLE)
    if run.verdict is not ExperimentVerdict.HELD:
        raise typer.Exit(ExitStatus.TESTS)


def followed(session: Session, client: ChaosClient, run_id: str) -> ExperimentRunView:
    """The run when nothing more is to be seen: analysed, or left to the reaper. New lines of the timeline on stderr."""
    seen: set[int] = set()
    away_since: float | None = None
    while True:
        try:
            run = client.run(run_id)
            for entry in _timeline(client, run_id):
                if entry.number not in seen:
                    session.note(chaos_show.timeline_line(entry))
                    seen.add(entry.number)
            away_since = None
        except (ConnectionFailedError, ApiError) as error:
            now = session.surroundings.monotonic()
            away_since = away_since or now
            if not passes(error) or now - away_since > OUTAGE_SECONDS:
                raise
        else:
            if run.state in {RunState.ANALYZED, RunState.RECOVERY_UNVERIFIED}:
                return run
        session.surroundings.sleep(SHORTEST_PAUSE)


def _timeline(client: ChaosClient, run_id: str) -> tuple[TimelineEntry, ...]:
    return every_item(
        lambda cursor: client.timeline("-", {"run": run_id, "limit": LARGEST_PAGE, "cursor": cursor})
    )


def _say(session: Session, lines: Iterable[str | Text]) -> None:
    for line in lines:
        session.say(line)


def _show(session: Session, found: ExperimentView) -> None:
    if session.as_json:
        session.emit(found)
    else:
        _say(session, chaos_show.experiment_lines(found))


def _parameters(
    client: ChaosClient, name: str, team: str | None, given: list[str] | None
) -> dict[str, Scalar]:
    told = split_parameters(given or [])
    if not told:
        return {}
    declared = client.get(name, team=team).spec.parameters
    return typed(told, {each: parameter.type.value for each, parameter in declared.items()})
