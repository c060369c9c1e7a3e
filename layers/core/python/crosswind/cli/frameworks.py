"""`crosswind frameworks`: what suites can run, and frameworks of one's own."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from crosswind.cli import render
from crosswind.cli.framework_client import FrameworkClient
from crosswind.cli.paging import LARGEST_PAGE, every_item
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    Output,
    ProfileOption,
    TeamOption,
    open_session,
)
from crosswind.cli.sources import read_suite
from crosswind.contracts.framework_answers import FrameworkPage, FrameworkView
from crosswind.contracts.frameworks import FrameworkSpec, Unit
from crosswind.runs.frameworks.catalogue import builtin_manifest, builtin_names, pulls, selects
from crosswind.runs.frameworks.manifests import parse_manifest, to_document

NameArgument = Annotated[str, typer.Argument(metavar="FRAMEWORK", help="Its name.")]
FileOption = Annotated[Path, typer.Option("-f", "--file", help="The manifest as YAML or JSON.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Only the built-in ones, without the API.")]

app = typer.Typer(
    help="Test frameworks: list them, read a manifest, and add, check and delete those of a team.",
    no_args_is_help=True,
)


@app.command("list")
def list_frameworks(
    ctx: typer.Context,
    offline: OfflineOption = False,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the built-in frameworks and the team's own, with what each can do."""
    if offline:
        _show_page(Output(as_json=as_json), tuple(map(_builtin, builtin_names())))
        return
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = FrameworkClient(session.client)
        items = every_item(
            lambda cursor: client.list({"team": team, "limit": LARGEST_PAGE, "cursor": cursor})
        )
        _show_page(session, items)


@app.command("get")
def get_framework(
    ctx: typer.Context,
    framework: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a framework's manifest as YAML: a built-in one is a good start for one of your own."""
    if framework in builtin_names():
        _show(Output(as_json=as_json), _builtin(framework))
        return
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, FrameworkClient(session.client).get(framework, team=team))


@app.command("validate")
def validate_framework(file: FileOption, as_json: JsonOption = False) -> None:
    """Check a manifest on this machine without storing it; every fault is told at once, with its line."""
    manifest = parse_manifest(read_suite(file))
    output = Output(as_json=as_json)
    if as_json:
        output.emit({"valid": True, "name": manifest.metadata.name})
    else:
        output.say(f"valid  {file}  {manifest.metadata.name}: {abilities(manifest.spec)}")


@app.command("apply")
def apply_framework(
    ctx: typer.Context,
    file: FileOption,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store or replace a team's framework under its own name."""
    text = read_suite(file)
    manifest = parse_manifest(text)
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = FrameworkClient(session.client).put(manifest.metadata.name, text)
        if as_json:
            session.emit(answer)
        else:
            done = "stored" if answer.created else "replaced"
            session.say(f"{done}  {answer.name}  team {answer.team}  {answer.digest[:19]}")


@app.command("delete")
def delete_framework(
    ctx: typer.Context,
    framework: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a team's framework; runs that use it keep the manifest that they began with."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        FrameworkClient(session.client).delete(framework, team=team)
        if as_json:
            session.emit({"name": framework, "deleted": True})
        else:
            session.say(f"deleted  {framework}")


def abilities(spec: FrameworkSpec) -> str:
    """What a framework can do with its tests, in a few words."""
    if not selects(spec):
        return "runs whole"
    what = "groups of tests" if spec.identity.unit is Unit.GROUP else "single tests"
    return f"lists and selects {what}" + (", pulls batches" if pulls(spec) else "")


def _builtin(name: str) -> FrameworkView:
    manifest = builtin_manifest(name)
    if manifest is None:
        raise LookupError(name)
    return FrameworkView(manifest=manifest, builtin=True)


def _show_page(output: Output, items: tuple[FrameworkView, ...]) -> None:
    if output.as_json:
        output.emit(FrameworkPage(items=items))
        return
    rows = [
        (
            each.manifest.metadata.name,
            each.manifest.metadata.team or "built in",
            abilities(each.manifest.spec),
            each.manifest.spec.description.partition(". ")[0].removesuffix("."),
        )
        for each in items
    ]
    for line in render.columns(("framework", "team", "tests", "what it is"), rows):
        output.say(line)


def _show(output: Output, view: FrameworkView) -> None:
    if output.as_json:
        output.emit(view)
        return
    if view.updated_at:
        output.note(f"updated {view.updated_at} by {view.updated_by}")
    output.write(yaml.safe_dump(to_document(view.manifest), sort_keys=False, allow_unicode=True))
