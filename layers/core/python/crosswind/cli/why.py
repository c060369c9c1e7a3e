"""`crosswind why`: why a run waits, is red, or passed."""

import typer
from rich.text import Text

from crosswind.cli import render
from crosswind.cli.runs import RunArgument
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, Session, open_session
from crosswind.contracts.explaining import Cause, FailingTestView, WhyView

_SHOWN = 10


def why(
    ctx: typer.Context,
    run: RunArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a run waits, is red, or passed: what binds, who is to blame, what is new, what may be chance."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.why(run)
        if as_json:
            session.emit(view)
            return
        _print(session, view)


def _print(session: Session, view: WhyView) -> None:
    word = view.verdict.kind.value.upper() if view.verdict else view.state.value
    session.say(Text.assemble(render.coloured(word, bold=True), f"  {view.execution_id}"))
    for sentence in view.answer:
        session.say(Text(render.clean(sentence)))
    if view.failures:
        rows = [_row(each) for each in view.failures[:_SHOWN]]
        session.say()
        for line in render.columns(("status", "test", "known", "chance", "shard"), rows):
            session.say(line)
        more = view.more_failures + len(view.failures) - len(rows)
        if more:
            session.say(f"and {more} more")
    if view.cause in {Cause.TESTS, Cause.INFRASTRUCTURE, Cause.EVIDENCE, Cause.CANCELLED}:
        session.say()
        session.say(f"Run what failed again: {session.command(f'rerun --failed {view.execution_id}')}")


def _row(failing: FailingTestView) -> tuple[str, ...]:
    name = f"{failing.name} [{failing.variant}]" if failing.variant else failing.name
    if failing.known is not None:
        known = f"since {failing.known.since_run}"
    else:
        known = "no history" if failing.new is None else "new"
    chance = "" if failing.flaky_odds is None else f"{round(100 * failing.flaky_odds)}%"
    status = "muted" if failing.muted else failing.status.value
    return status, render.clean(name), known, chance, failing.work_id
