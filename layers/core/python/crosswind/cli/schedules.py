"""Schedules: what runs by time."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.text import Text

from crosswind.cli import render
from crosswind.cli.errors import CliError
from crosswind.cli.paging import LARGEST_PAGE, every_item
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    Session,
    TeamOption,
    open_session,
)
from crosswind.contracts import spec_text
from crosswind.contracts.base import WireModel
from crosswind.contracts.faults import field_errors
from crosswind.contracts.schedules import (
    FiringView,
    PreviewAnswer,
    RunTime,
    Schedule,
    SchedulePage,
    ScheduleState,
    ScheduleView,
)
from crosswind.kernel.errors import FieldError, InvalidInputError

NameArgument = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's name.")]
FileOption = Annotated[Path, typer.Option("-f", "--file", help="The document as YAML or JSON.")]
Document = TypeVar("Document", bound=WireModel)

app = typer.Typer(help="Run stored suites by time.", no_args_is_help=True)


@app.command("apply")
def apply_schedule(
    ctx: typer.Context,
    file: FileOption,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store or replace a schedule under its own name."""
    document = read_document(file, Schedule)
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = session.client.put_schedule(document.metadata.name, document)
        if as_json:
            session.emit(answer)
            return
        stored = answer.schedule
        done = "stored" if answer.created else "replaced"
        session.say(f"{done}  {stored.name}  team {stored.team}  {stored.state.value}")
        _say_next(session, stored.next, stored.spec.timezone, stored.state)


@app.command("get")
def get_schedule(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a schedule, its next runs and what became of the last ones."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, session.client.get_schedule(name, team=team))


@app.command("list")
def list_schedules(
    ctx: typer.Context,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List schedules."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        items = every_item(
            lambda cursor: session.client.list_schedules(
                {"team": team, "limit": LARGEST_PAGE, "cursor": cursor}
            )
        )
        if as_json:
            session.emit(SchedulePage(items=items))
            return
        header = ("schedule", "suite", "state", "when", "next", "last")
        rows = [
            (
                each.name,
                each.suite,
                each.state.value,
                f"{each.when} {each.timezone}",
                each.next or "-",
                each.last.outcome.value if each.last else "-",
            )
            for each in items
        ]
        for line in render.columns(header, rows) if rows else ["no schedules"]:
            session.say(line)


@app.command("next")
def next_runs(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="SCHEDULE", help="A stored schedule.")] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="A document that is not stored, instead.")
    ] = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the next five runs of a schedule, or of a document that is not stored yet."""
    if (name is None) == (file is None):
        raise CliError("name a schedule, or give a document with -f schedule.yaml")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        if file is not None:
            document = read_document(file, Schedule)
            found, timezone = session.client.preview_schedule(document).next, document.spec.timezone
            state = ScheduleState.ACTIVE
        else:
            stored = session.client.get_schedule(name or "", team=team)
            found, timezone, state = stored.next, stored.spec.timezone, stored.state
        if as_json:
            session.emit(PreviewAnswer(next=found))
        else:
            _say_next(session, found, timezone, state)


@app.command("pause")
def pause_schedule(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start no more runs until it is resumed; one that goes on, goes on."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _say_state(session, session.client.pause_schedule(name, team=team))


@app.command("resume")
def resume_schedule(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with the next run; those of the pause are not made up for."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _say_state(session, session.client.resume_schedule(name, team=team))


@app.command("delete")
def delete_schedule(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a schedule; its runs stay."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        session.client.delete_schedule(name, team=team)
        if as_json:
            session.emit({"name": name, "deleted": True})
        else:
            session.say(f"deleted  {name}")


def read_document(file: Path, model: type[Document]) -> Document:
    """A document from a file. Raises CliError or InvalidInputError, whose faults name their lines."""
    try:
        document = spec_text.read_text(file.read_bytes())
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error
    try:
        return model.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        faults = [
            FieldError(fault.path, fault.message, fault.expected, document.line(path))
            for path, fault in field_errors(error, document.value).items()
        ]
        raise InvalidInputError(f"{file} has faults", faults) from error


def _say_state(session: Session, schedule: ScheduleView) -> None:
    if session.as_json:
        session.emit(schedule)
        return
    session.say(f"{schedule.state.value}  {schedule.name}")
    _say_next(session, schedule.next, schedule.spec.timezone, schedule.state)


def _show(session: Session, schedule: ScheduleView) -> None:
    if session.as_json:
        session.emit(schedule)
        return
    spec = schedule.spec
    session.say(f"{schedule.name}  suite {spec.suite}  team {schedule.team}  {schedule.state.value}")
    session.say(
        f"  {spec.cron or spec.at} {spec.timezone}, overlap {spec.overlap.value}, owner {schedule.owner}"
    )
    if schedule.paused_by:
        session.say(f"  paused by {schedule.paused_by}")
    _say_next(session, schedule.next, spec.timezone, schedule.state)
    if schedule.firings:
        session.say()
        header = ("due", "outcome", "run or reason")
        for line in render.columns(header, [_row(each) for each in schedule.firings]):
            session.say(line)


def _row(firing: FiringView) -> tuple[str, str, str]:
    return firing.due, firing.outcome.value, render.clean(firing.execution_id or firing.reason or "")


def _say_next(session: Session, runs: tuple[RunTime, ...], timezone: str, state: ScheduleState) -> None:
    if not runs:
        session.say("no runs until it is resumed" if state is ScheduleState.PAUSED else "no more runs")
        return
    session.say(Text("next runs", style="bold"))
    for run in runs:
        session.say(f"  {run.local}  {timezone}  ({run.at})")
