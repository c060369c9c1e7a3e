"""`crosswind run`: submit a suite, and wait for its verdict when asked."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.errors import CliError, ExitStatus, exit_status
from crosswind.cli.follow import follow
from crosswind.cli.parameters import declared_in_spec, declared_in_text, split_parameters, typed
from crosswind.cli.requests import request_of
from crosswind.cli.revision import revision_of
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    Session,
    TeamOption,
    open_session,
)
from crosswind.cli.sources import UploadedSource, read_suite, upload_directories
from crosswind.contracts.requests import CasePage, RunAccepted, RunView, SubmitRunRequest

SourceRootOption = Annotated[
    Path | None,
    typer.Option(
        "--source-root",
        help="Directory sources may lie anywhere in here; the suite file's folder unless told.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that ended, with the worst of its cases."""

    run: RunView
    worst: CasePage


def run(
    ctx: typer.Context,
    suite: Annotated[str | None, typer.Argument(help="Name of a stored suite, instead of -f.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="The suite as YAML or JSON.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the verdict; the exit status tells it.")
    ] = False,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="A parameter of the suite.")
    ] = None,
    team: TeamOption = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key gives the same run for 24 hours.")
    ] = None,
    source_root: SourceRootOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a suite, from a file or by its stored name."""
    if (suite is None) == (file is None):
        raise CliError("name a suite, or give one with -f suite.yaml")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        accepted = submit(
            session,
            suite=suite,
            file=file,
            parameters=split_parameters(param or ()),
            team=team,
            idempotency_key=idempotency_key,
            source_root=source_root,
        )
        if wait:
            finish(session, accepted.execution_id)
        elif as_json:
            session.emit(accepted)
        else:
            session.say(f"accepted  {accepted.execution_id}")
            session.say(f"  {session.command(f'watch {accepted.execution_id}')}")


def submit(
    session: Session,
    *,
    suite: str | None,
    file: Path | None,
    parameters: dict[str, str],
    team: str | None = None,
    idempotency_key: str | None = None,
    source_root: Path | None = None,
) -> RunAccepted:
    """Upload what the suite's directories hold, then submit it. The key makes a lost answer harmless."""
    text = load_suite(session, file, source_root=source_root) if file else None
    declared = declared_parameters(session, suite=suite, team=team, text=text) if parameters else {}
    fields = {
        "text": text,
        "suite": suite,
        "team": team,
        "parameters": typed(parameters, declared),
        "revision": revision_of(file.absolute().parent, session.surroundings.environ) if file else None,
    }
    request = request_of(SubmitRunRequest, fields)
    accepted = session.client.submit(request, idempotency_key=idempotency_key or uuid.uuid4().hex)
    repeated = " (this key was used before: the same run)" if accepted.repeated else ""
    session.note(f"run {accepted.execution_id}{repeated}")
    return accepted


def declared_parameters(
    session: Session, *, suite: str | None, team: str | None, text: str | None
) -> dict[str, str]:
    """The types of a suite's parameters, by name, from its text or from the stored suite."""
    if text is not None:
        return declared_in_text(text)
    return declared_in_spec(session.client.get_suite(suite or "", team=team).spec)


def load_suite(session: Session, file: Path, *, source_root: Path | None) -> str:
    """A suite's text whose directory sources are uploaded and replaced by archives."""

    def tell(source: UploadedSource) -> None:
        state = "unchanged, reused" if source.reused else "uploaded"
        session.note(f"source {source.folder}: {state}, {source.size / 1024:.0f} KiB, {source.digest[:19]}")

    base = file.absolute().parent
    return upload_directories(
        read_suite(file), base=base, root=source_root or base, client=session.client, tell=tell
    )


def finish(session: Session, run_id: str, *, tests: bool = False) -> None:
    """Wait, show the summary, and leave with the status that the verdict means."""
    ended = wait_for(session, run_id, tests=tests)
    if session.as_json:
        session.emit(ended.run)
    else:
        now = session.surroundings.now()
        for line in render.summary(ended.run, ended.worst.items, now=now, command=session.command):
            session.say(line)
    verdict = ended.run.verdict
    raise typer.Exit(exit_status(verdict.kind) if verdict else ExitStatus.TROUBLE)


def wait_for(session: Session, run_id: str, *, tests: bool = False) -> Finished:
    """Follow a run to its end. Ctrl-C stops the waiting, not the run."""
    try:
        ended = follow(session, run_id, tests=tests)
        return Finished(run=ended, worst=session.client.results(run_id, {"limit": 20}))
    except KeyboardInterrupt:
        session.note(f"stopped waiting; the run goes on: {run_id}")
        session.note(f"  go on watching: {session.command(f'watch {run_id}')}")
        session.note(f"  cancel it:      {session.command(f'cancel {run_id}')}")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
