"""Commands that read and steer runs: get, list, watch, logs, results, cancel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from crosswind.cli import local, render
from crosswind.cli.errors import CliError
from crosswind.cli.logs import print_logs, work_id_of
from crosswind.cli.run_reports import save_report
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    Session,
    TeamOption,
    open_session,
)
from crosswind.cli.steps import print_part
from crosswind.cli.submitting import finish
from crosswind.contracts.requests import (
    CasePage,
    CaseView,
    ReportFormat,
    RunPage,
    RunState,
    RunSummary,
    RunView,
    VerdictKind,
)
from crosswind.contracts.statuses import CaseStatus

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
_PAGE = 200


def get(
    ctx: typer.Context,
    run: RunArgument,
    detail: Annotated[bool, typer.Option("--detail", help="Also each shard.")] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run: state, counts, verdict and why."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.get_run(run, detail=detail)
        if as_json:
            session.emit(view)
            return
        _print_run(session, view)


def list_runs(
    ctx: typer.Context,
    team: TeamOption = None,
    suite: Annotated[str | None, typer.Option("--suite", help="Only runs of this suite.")] = None,
    state: Annotated[RunState | None, typer.Option("--state", help="Only runs in this state.")] = None,
    verdict: Annotated[
        VerdictKind | None, typer.Option("--verdict", help="Only runs with this verdict.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    filters = {
        "team": team,
        "suite": suite,
        "state": state.value if state else None,
        "verdict": verdict.value if verdict else None,
    }
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        items: list[RunSummary] = []
        cursor: str | None = None
        while len(items) < limit:
            query = {**filters, "limit": min(_PAGE, limit - len(items)), "cursor": cursor}
            page = session.client.list_runs(query)
            items += page.items
            cursor = page.next_cursor
            if not cursor:
                break
        if as_json:
            session.emit(RunPage(items=tuple(items), next_cursor=cursor))
            return
        rows = [
            (item.execution_id, item.suite, item.team, _outcome(item), item.created_at, item.actor)
            for item in items
        ]
        print_table(session, ("run", "suite", "team", "outcome", "created", "actor"), rows, none="no runs")
        _note_more(session, more=cursor is not None)


def watch(
    ctx: typer.Context,
    run: RunArgument,
    tests: Annotated[
        bool, typer.Option("--tests", help="Tell of each test as it begins and ends, and of each step.")
    ] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a run to its verdict; the exit status tells it. Failures are told as they come."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        finish(session, run, tests=tests)


def cancel(
    ctx: typer.Context,
    run: RunArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run has ended.")] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a run: stops what runs, frees what waits. Repeating it is no error."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        view = session.client.cancel(run)
        if wait:
            finish(session, run)
        elif as_json:
            session.emit(view)
        else:
            ended = view.state is RunState.FINISHED
            session.say("the run had already ended" if ended else "cancelling")
            session.say(render.headline(view))


def logs(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run's id; without, the embedded cloud's logs.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", help="Only this one, such as 3, shard-00003 or prepare-00000.")
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
    attempt: Annotated[
        str | None, typer.Option("--attempt", help="With --shard: an attempt of it, such as 01-001.")
    ] = None,
    step: Annotated[
        str | None,
        typer.Option("--step", help="With --shard: a step of it, such as setup, attempt-1 or retry-1."),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option(
            "--component",
            help="Without a run: only these, such as emulator, gateway, pool, runner-1 or a function's name.",
        ),
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the logs of a run's shards, or of the embedded cloud."""
    if run is None:
        local.print_cloud_logs(follow=follow, component=component, as_json=as_json)
        return
    if component is not None:
        raise CliError(
            "--component names a part of the embedded cloud, which a run's logs do not have",
            hint="Leave RUN out for the embedded cloud's logs, or choose a shard with --shard.",
        )
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        work_id = work_id_of(shard) if shard else None
        if attempt is None and step is None:
            print_logs(session, run, work_id=work_id, follow=follow)
        elif work_id is None or follow:
            raise CliError(
                "--attempt and --step are parts of one shard's log", hint="With --shard, without -f."
            )
        else:
            print_part(session, run, work_id=work_id, attempt=attempt, step=step)


def results(
    ctx: typer.Context,
    run: RunArgument,
    status: Annotated[
        CaseStatus | None, typer.Option("--status", help="Only cases with this status.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    details: Annotated[bool, typer.Option("--details", help="With stack traces and output.")] = False,
    report: Annotated[
        ReportFormat | None, typer.Option("--report", help="Save a report of the whole run instead.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The report's file; - is stdout. Unless told, named by the run."),
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List test cases, failed first, or save a report of the run."""
    if output and not report:
        raise CliError("--output is for a report", hint="Choose its form: --report html.")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        if report:
            save_report(session, run, report, output, as_json=as_json)
            return
        page = all_results(session, run, status=status, limit=limit)
        if as_json:
            session.emit(page)
            return
        if not page.items:
            session.say("no cases" if page.complete else "no cases yet")
        for case in page.items:
            _print_case(session, case, details=details)
        _note_more(session, more=page.next_cursor is not None)
        if not page.complete:
            session.note("the run is going on; this is what there is so far")


def all_results(session: Session, run: str, *, status: CaseStatus | None, limit: int) -> CasePage:
    """Up to `limit` cases over as many pages as it takes."""
    items: list[CaseView] = []
    page: CasePage | None = None
    while page is None or (page.next_cursor and len(items) < limit):
        query = {
            "status": status.value if status else None,
            "limit": min(_PAGE, limit - len(items)),
            "cursor": page.next_cursor if page else None,
        }
        page = session.client.results(run, query)
        items += page.items
    return CasePage(items=tuple(items), complete=page.complete, next_cursor=page.next_cursor)


def _print_run(session: Session, view: RunView) -> None:
    session.say(render.headline(view))
    if view.verdict:
        session.say(Text(render.clean(view.verdict.reason)))
    else:
        session.say(render.progress(view) + (", cancelling" if view.cancel_requested else ""))
    seconds = render.elapsed(view, now=session.surroundings.now())
    session.say(f"team {view.team}, {view.priority.value}, by {view.actor}, {render.duration(seconds)}")
    session.say()
    for line in (*render.counts(view), *render.beside(view)):
        session.say(line)
    if view.work:
        rows = [
            (
                work.work_id,
                work.test,
                work.outcome or work.state,
                str(work.attempt),
                str(work.tests_done),
                str(work.tests_failed),
                work.reason or "",
            )
            for work in view.work
        ]
        session.say()
        print_table(session, ("shard", "test", "state", "attempt", "tests", "failed", "reason"), rows)


def _print_case(session: Session, case: CaseView, *, details: bool) -> None:
    tries = f", {case.attempts} attempts" if case.attempts > 1 else ""
    muted = ", muted" if case.muted else ""
    session.say(
        Text.assemble(
            render.coloured(f"{case.status.value:8}"),
            f"{render.case_name(case)}  ({case.test}, {case.work_id}, {case.duration_seconds:.2f} s{tries}{muted})",
        )
    )
    if case.message:
        session.say(Text(f"        {render.first_line(case.message)}"))
    if details and case.details:
        for line in render.clean(case.details).splitlines():
            session.say(Text(f"        {line}"))


def print_table(
    session: Session, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, none: str = ""
) -> None:
    """Rows in columns; `none` where there are none."""
    if not rows:
        session.say(none)
        return
    for line in render.columns(header, [tuple(render.clean(cell) for cell in row) for row in rows]):
        session.say(line)


def _outcome(item: RunSummary) -> str:
    return item.verdict.value if item.verdict else item.state.value


def _note_more(session: Session, *, more: bool) -> None:
    if more:
        session.note("there are more; raise --limit")
