"""`crosswind rerun`: run the failed tests of a finished run again, in the same run."""

from typing import Annotated

import typer

from crosswind.cli.errors import CliError
from crosswind.cli.runs import RunArgument
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, open_session
from crosswind.cli.submitting import finish
from crosswind.contracts.requests import RerunAccepted, RerunRequest


def rerun(
    ctx: typer.Context,
    run: RunArgument,
    failed: Annotated[
        bool, typer.Option("--failed", help="Failed tests, and those without a result.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the new verdict; the exit status tells it.")
    ] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the failed tests of a finished run again. The run goes on in a further round; what has passed stays passed."""
    if not failed:
        raise CliError(
            "say what is to run again: crosswind rerun --failed RUN",
            hint="To run all of it again, submit the suite: crosswind run -f suite.yaml",
        )
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        before = session.client.get_run(run)
        accepted = session.client.rerun(run, RerunRequest(round=before.round))
        session.note(_what(accepted))
        if wait:
            finish(session, run)
        elif as_json:
            session.emit(accepted)
        else:
            session.say(f"accepted  {accepted.execution_id}  round {accepted.round}")
            session.say(f"  {session.command(f'watch {accepted.execution_id}')}")


def _what(accepted: RerunAccepted) -> str:
    """What runs again, in one line."""
    parts = []
    if accepted.tests:
        parts.append(f"{accepted.tests} test{'' if accepted.tests == 1 else 's'}")
    if accepted.whole_shards:
        whole = "a whole shard" if accepted.whole_shards == 1 else f"{accepted.whole_shards} whole shards"
        parts.append(whole)
    shards = f"{accepted.shards} shard{'' if accepted.shards == 1 else 's'}"
    what = " and ".join(parts) or "what never began"
    repeated = " (asked for before)" if accepted.repeated else ""
    return f"round {accepted.round}: {what} in {shards}{repeated}"
