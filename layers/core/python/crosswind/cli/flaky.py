"""`crosswind flaky` and `crosswind history`: what is known of tests from their earlier runs."""

from typing import Annotated

import typer
from rich.text import Text

from crosswind.cli import render
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, Session, TeamOption, open_session
from crosswind.contracts.history import FlakyState, TestHistoryView, TestView

_OUTCOMES = {
    "p": "passed",
    "f": "failed",
    "e": "error",
    "l": "flaky",
    "s": "skipped",
    "m": "missing",
}
_COLOURS = {FlakyState.HEALTHY: "green", FlakyState.FLAKY: "yellow", FlakyState.BROKEN: "red"}
_ID_DIGITS = 32


def flaky(
    ctx: typer.Context,
    suite: Annotated[str | None, typer.Option("--suite", help="Only tests of this suite.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tests that are flaky or broken, the likeliest to fail by chance first."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        found = session.client.flaky({"team": team, "suite": suite})
        shown = found.items[:limit]
        if as_json:
            session.emit(found.model_copy(update={"items": shown}))
            return
        if not shown:
            session.say("no test is flaky or broken")
        for test in shown:
            _print_test(session, test)
        if found.total > len(shown):
            session.note(f"{found.total - len(shown)} more; raise --limit")


def history(
    ctx: typer.Context,
    test: Annotated[
        str, typer.Argument(metavar="TEST", help="The test as its framework calls it, or its id.")
    ],
    suite: Annotated[str, typer.Option("--suite", help="The suite's name.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many runs of each variant.")] = 20,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a test has been through, newest run first."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        by = "id" if _is_id(test) else "name"
        found = session.client.test_history({"team": team, "suite": suite, by: test})
        if as_json:
            session.emit(found)
            return
        for item in found.items:
            _print_history(session, item, limit=limit)


def _is_id(text: str) -> bool:
    return len(text) == _ID_DIGITS and set(text) <= set("0123456789abcdef")


def _print_test(session: Session, test: TestView) -> None:
    place = "/".join(part for part in (test.suite, test.test, test.variant) if part)
    state = Text(f"{test.state.value:8}", style=_COLOURS[test.state])
    session.say(Text.assemble(state, f"{render.clean(test.name)}  ({place})"))
    rate = f", fails in {test.failure_rate:.0%} of its runs" if test.failure_rate is not None else ""
    odds = f"next failure is chance: {test.flaky_odds:.0%}{rate}"
    session.say(Text(f"        {test.outcomes[-20:]}  {odds}"))
    if test.reason:
        session.say(Text(f"        {test.reason}"))
    if test.quarantine and test.quarantine.active:
        held = test.quarantine
        session.say(
            Text(
                f"        in quarantine ({held.mode.value}) until {held.expires_at}, owner {render.clean(held.owner)}"
            )
        )


def _print_history(session: Session, item: TestHistoryView, *, limit: int) -> None:
    _print_test(session, item.test)
    if item.failing_since:
        session.say(Text(f"        failing on the default branch since {item.failing_since}"))
    rows = [
        (
            each.execution_id,
            each.at,
            _OUTCOMES.get(each.outcome, each.outcome),
            "" if each.seconds is None else f"{each.seconds:.2f} s",
            "default" if each.default_branch else "",
            (each.commit or "")[:12],
            "" if each.counted else "not counted: under chaos, or most tests failed",
        )
        for each in item.observations[:limit]
    ]
    header = ("run", "submitted", "outcome", "took", "branch", "commit", "")
    for line in render.columns(header, rows):
        session.say(line)
    session.say()
