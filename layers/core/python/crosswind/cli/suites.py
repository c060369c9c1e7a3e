"""Stored suites and validation."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from crosswind.cli import render
from crosswind.cli.errors import CliError
from crosswind.cli.paging import LARGEST_PAGE, every_item
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    TeamOption,
    open_session,
)
from crosswind.cli.sources import child, compose
from crosswind.cli.submitting import SourceRootOption, load_suite
from crosswind.contracts.requests import SuitePage

SuiteArgument = Annotated[str, typer.Argument(metavar="SUITE", help="The suite's name.")]
FileOption = Annotated[Path, typer.Option("-f", "--file", help="The suite as YAML or JSON.")]

app = typer.Typer(help="Store suites, and read, list and delete stored ones.", no_args_is_help=True)


@app.command("apply")
def apply_suite(
    ctx: typer.Context,
    file: FileOption,
    source_root: SourceRootOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store or replace a suite under its own name."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        text = load_suite(session, file, source_root=source_root)
        name = child(compose(text), "metadata", "name")
        if not isinstance(name, yaml.ScalarNode) or not name.value:
            raise CliError(
                f"{file} has no metadata.name", hint=f"See what is wrong: crosswind validate -f {file}"
            )
        answer = session.client.put_suite(name.value, text)
        if as_json:
            session.emit(answer)
        else:
            done = "stored" if answer.created else "replaced"
            session.say(f"{done}  {answer.name}  team {answer.team}  {answer.digest[:19]}")


@app.command("get")
def get_suite(
    ctx: typer.Context,
    suite: SuiteArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a stored suite as YAML."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        stored = session.client.get_suite(suite, team=team)
        if as_json:
            session.emit(stored)
            return
        session.note(f"team {stored.team}, updated {stored.updated_at} by {stored.updated_by}")
        session.write(yaml.safe_dump(stored.spec, sort_keys=False, allow_unicode=True))


@app.command("list")
def list_suites(
    ctx: typer.Context,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List stored suites."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        items = every_item(
            lambda cursor: session.client.list_suites({"team": team, "limit": LARGEST_PAGE, "cursor": cursor})
        )
        if as_json:
            session.emit(SuitePage(items=items))
            return
        rows = [(item.name, item.team, item.updated_at, item.updated_by) for item in items]
        lines = render.columns(("suite", "team", "updated", "by"), rows) if rows else ["no stored suites"]
        for line in lines:
            session.say(line)


@app.command("delete")
def delete_suite(
    ctx: typer.Context,
    suite: SuiteArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a stored suite; its runs stay."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        session.client.delete_suite(suite, team=team)
        if as_json:
            session.emit({"name": suite, "deleted": True})
        else:
            session.say(f"deleted  {suite}")
