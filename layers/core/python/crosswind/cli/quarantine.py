"""`crosswind quarantine`: tests that do not gate for a while."""

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.errors import CliError
from crosswind.cli.requests import request_of
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, TeamOption, open_session
from crosswind.contracts.history import PutQuarantineRequest, QuarantineList, QuarantineMode, QuarantineView
from crosswind.kernel.clock import from_iso, to_iso

app = typer.Typer(
    help="Put tests into quarantine: mute runs and reports them, skip leaves them out. It ends by itself.",
    no_args_is_help=True,
)

TestArgument = Annotated[
    str, typer.Argument(metavar="TEST", help="The test as its framework calls it, as `results` shows it.")
]
SuiteOption = Annotated[str, typer.Option("--suite", help="The suite's name.")]
JobOption = Annotated[str, typer.Option("--job", help="The suite's test job that the test belongs to.")]
_AHEAD = re.compile(r"([1-9][0-9]{0,3})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@app.command("add")
def add(
    ctx: typer.Context,
    test: TestArgument,
    *,
    suite: SuiteOption,
    job: JobOption,
    owner: Annotated[str, typer.Option("--owner", help="Who mends it: a person or a team.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it does not count for now.")],
    mode: Annotated[
        QuarantineMode, typer.Option("--mode", help="mute: it runs and is reported. skip: it does not run.")
    ] = QuarantineMode.MUTE,
    expires: Annotated[
        str, typer.Option("--expires", help="How long, such as 14d or 12h, or until when; 30d at most.")
    ] = "14d",
    ticket: Annotated[str | None, typer.Option("--ticket", help="Where its repair is followed.")] = None,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a test into quarantine, or change its quarantine."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        fields = {
            "team": team,
            "suite": suite,
            "test": job,
            "name": test,
            "mode": mode,
            "owner": owner,
            "reason": reason,
            "ticket": ticket,
            "expires_at": expiry(expires, now=session.surroundings.now()),
        }
        request = request_of(PutQuarantineRequest, fields)
        answer = session.client.put_quarantine(request)
        if not answer.known:
            session.note(f"no run of {suite} has reported a test {test!r} of job {job}; is it spelled right?")
        if as_json:
            session.emit(answer)
            return
        view = answer.quarantine
        done = "in quarantine" if answer.created else "changed"
        session.say(f"{done}  {render.clean(view.name)}  {view.mode.value} until {view.expires_at}")


@app.command("list")
def list_quarantines(
    ctx: typer.Context,
    suite: Annotated[str | None, typer.Option("--suite", help="Only of this suite.")] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Also those that expired in the last 30 days.")
    ] = False,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List quarantined tests."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        found = session.client.list_quarantines({"team": team, "suite": suite})
        items = tuple(item for item in found.items if expired or item.active)
        if as_json:
            session.emit(QuarantineList(items=items))
            return
        header = ("suite", "job", "test", "mode", "until", "owner", "ticket", "reason")
        for line in render.columns(header, map(_row, items)) if items else ["no test is in quarantine"]:
            session.say(line)


@app.command("remove")
def remove(
    ctx: typer.Context,
    test: TestArgument,
    suite: SuiteOption,
    job: JobOption,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a test out of quarantine: it gates again at once."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        session.client.delete_quarantine({"team": team, "suite": suite, "test": job, "name": test})
        if as_json:
            session.emit({"name": test, "removed": True})
        else:
            session.say(f"removed  {render.clean(test)}")


def expiry(text: str, *, now: datetime) -> str:
    """The moment that is meant: so long from now, a day (its end, in UTC), or a moment with a time zone."""
    ahead = _AHEAD.fullmatch(text)
    if ahead:
        return to_iso(now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])}))
    try:
        return to_iso(from_iso(f"{text}T23:59:59Z" if len(text) == len("2026-01-31") else text))
    except ValueError:
        raise CliError(
            f"{text!r} is no time to expire", hint="Say 14d, 12h, 2026-01-31 or 2026-01-31T08:00Z."
        ) from None


def _row(item: QuarantineView) -> tuple[str, ...]:
    until = item.expires_at if item.active else f"{item.expires_at} (expired)"
    cells = (
        item.suite,
        item.test,
        item.name,
        item.mode.value,
        until,
        item.owner,
        item.ticket or "",
        item.reason,
    )
    return tuple(render.clean(cell) for cell in cells)
