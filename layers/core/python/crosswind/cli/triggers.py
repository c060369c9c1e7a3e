"""Triggers, and the deployments that some of them wait for."""

import uuid
from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.paging import LARGEST_PAGE, every_item
from crosswind.cli.requests import request_of
from crosswind.cli.schedules import FileOption, read_document
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, TeamOption, open_session
from crosswind.contracts.schedules import RecordDeploymentRequest, Trigger, TriggerPage, TriggerView

NameArgument = Annotated[str, typer.Argument(metavar="TRIGGER", help="The trigger's name.")]

app = typer.Typer(help="Run stored suites when something happens.", no_args_is_help=True)


@app.command("apply")
def apply_trigger(
    ctx: typer.Context,
    file: FileOption,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store or replace a trigger under its own name."""
    document = read_document(file, Trigger)
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = session.client.put_trigger(document.metadata.name, document)
        if as_json:
            session.emit(answer)
        else:
            done = "stored" if answer.created else "replaced"
            session.say(f"{done}  {answer.trigger.name}  team {answer.trigger.team}")


@app.command("get")
def get_trigger(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a trigger and what became of the last event that it matched."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        found = session.client.get_trigger(name, team=team)
        if as_json:
            session.emit(found)
            return
        session.say(f"{found.name}  team {found.team}  owner {found.owner}")
        session.say(f"  on {found.spec.on.type.value}{_filters(found)}: suite {found.spec.suite}")
        if found.last:
            what = render.clean(found.last.execution_id or found.last.reason or "")
            session.say(
                f"  last: {found.last.outcome.value} at {found.last.at} for {found.last.event_id}  {what}"
            )


@app.command("list")
def list_triggers(
    ctx: typer.Context,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List triggers."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        items = every_item(
            lambda cursor: session.client.list_triggers(
                {"team": team, "limit": LARGEST_PAGE, "cursor": cursor}
            )
        )
        if as_json:
            session.emit(TriggerPage(items=items))
            return
        rows = [
            (
                each.name,
                f"{each.spec.on.type.value}{_filters(each)}",
                each.spec.suite,
                "paused" if each.spec.paused else "active",
                each.last.outcome.value if each.last else "-",
            )
            for each in items
        ]
        header = ("trigger", "on", "suite", "state", "last")
        for line in render.columns(header, rows) if rows else ["no triggers"]:
            session.say(line)


@app.command("delete")
def delete_trigger(
    ctx: typer.Context,
    name: NameArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a trigger; its runs stay."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        session.client.delete_trigger(name, team=team)
        if as_json:
            session.emit({"name": name, "deleted": True})
        else:
            session.say(f"deleted  {name}")


def deployed(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="What was deployed.")],
    environment: Annotated[str, typer.Option("--environment", help="Where, such as staging.")],
    version: Annotated[str, typer.Option("--version", help="Which version.")],
    commit: Annotated[str | None, typer.Option("--commit", help="The Git commit it was made from.")] = None,
    team: TeamOption = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key gives the same deployment.")
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell that something was deployed, so that triggers may start suites."""
    fields = {
        "team": team,
        "service": service,
        "environment": environment,
        "version": version,
        "commit": commit,
    }
    request = request_of(RecordDeploymentRequest, fields)
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = session.client.record_deployment(
            request, idempotency_key=idempotency_key or uuid.uuid4().hex
        )
        if as_json:
            session.emit(answer)
        else:
            repeated = " (this key was used before: the same deployment)" if answer.repeated else ""
            session.say(f"recorded  {answer.event_id}{repeated}")


def _filters(trigger: TriggerView) -> str:
    on = trigger.spec.on
    verdicts = "|".join(on.verdicts)
    given = {"suite": on.suite, "verdict": verdicts, "service": on.service, "environment": on.environment}
    text = ", ".join(f"{name} {value}" for name, value in given.items() if value)
    return f" ({text})" if text else ""
