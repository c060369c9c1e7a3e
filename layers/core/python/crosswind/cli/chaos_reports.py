"""`crosswind chaos results|timeline|report`: what a run came to, what happened, and the report in one of its forms."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crosswind.cli import chaos_show, render
from crosswind.cli.chaos_client import ChaosClient
from crosswind.cli.errors import CliError
from crosswind.cli.paging import LARGEST_PAGE, every_item
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, TeamOption, open_session
from crosswind.contracts.chaos.runs import ExperimentResults, TimelinePage


class Form(StrEnum):
    """Forms of a report."""

    HTML = "html"
    JSON = "json"
    JUNIT = "junit"
    JOURNAL = "journal"


RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, exp-….")]


def register(app: typer.Typer) -> None:
    """Put the commands among those of `crosswind chaos`."""
    app.command("results")(results)
    app.command("timeline")(timeline)
    app.command("report")(report)


def results(
    ctx: typer.Context,
    run: RunArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run's verdict with its evidence, its probes and its times."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        found = ChaosClient(session.client).results("-", {"team": team, "run": run})
        if as_json:
            session.emit(found)
            return
        for line in _lines(found):
            session.say(line)


def timeline(
    ctx: typer.Context,
    run: RunArgument,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened in a run, line by line."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = ChaosClient(session.client)
        query = {"team": team, "run": run, "limit": LARGEST_PAGE}
        items = every_item(lambda cursor: client.timeline("-", {**query, "cursor": cursor}))
        if as_json:
            session.emit(TimelinePage(items=items))
            return
        for entry in items:
            session.say(chaos_show.timeline_line(entry))


def report(
    ctx: typer.Context,
    run: RunArgument,
    form: Annotated[Form, typer.Option("--format", help="The form of the report.")] = Form.HTML,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; unless told, named by the run.")
    ] = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save the report of a run that is over."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        found = ChaosClient(session.client).results("-", {"team": team, "run": run})
        link = found.reports.get(form.value)
        if link is None:
            raise CliError(f"there is no report of {run} as {form.value} yet: it is {found.run.state.value}")
        suffix = {"junit": "xml", "journal": "journal.json"}.get(form.value, form.value)
        target = output or Path(f"{run}.{suffix}")
        size = session.client.download(link, target)
        if as_json:
            session.emit({"run": run, "format": form.value, "file": str(target), "bytes": size})
        else:
            session.say(f"saved  {target}  {size} bytes")


def _lines(found: ExperimentResults) -> list[str]:
    lines = [*chaos_show.ending_lines(found.run)]
    for each in (*found.hypothesis, *found.guards):
        kind = "guard" if each.guard else "probe"
        step = f" step {each.step}" if each.step else ""
        held = "held" if each.held else f"did not hold: {render.clean(each.worst or 'not measured')}"
        lines.append(
            f"  {kind} {each.probe}  {each.phase.value}{step}  {each.within} of {each.samples} within  {held}"
        )
    lines += [f"  · {render.clean(sentence)}" for sentence in found.evidence]
    return lines
