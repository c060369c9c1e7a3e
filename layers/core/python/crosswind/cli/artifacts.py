"""`crosswind artifacts`: a run's files listed, saved, or fetched as one zip."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from crosswind.cli.client import Query
from crosswind.cli.errors import CliError
from crosswind.cli.logs import work_id_of
from crosswind.cli.runs import RunArgument, print_table
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, Session, open_session
from crosswind.contracts.archives import ArchiveState, ArchiveView
from crosswind.contracts.requests import ArtifactPage, ArtifactView
from crosswind.contracts.work import FileClass

_PAGE = 200
_ASK_AGAIN_SECONDS = 2.0
_ASK_AT_MOST = 600  # for twenty minutes; a builder has fourteen


def artifacts(
    ctx: typer.Context,
    run: RunArgument,
    shard: Annotated[str | None, typer.Option("--shard", help="Only files of this shard.")] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test", metavar="NAME", help="Only files of tests with this id, or this text in the name."
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only files of tests that failed.")] = False,
    file_class: Annotated[FileClass | None, typer.Option("--class", help="Only files of this class.")] = None,
    download: Annotated[
        Path | None, typer.Option("--download", metavar="DIR", help="Save the files in this folder.")
    ] = None,
    archive: Annotated[
        Path | None, typer.Option("--archive", metavar="FILE", help="Save the files as one zip.")
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a run's files, with the tests that made them, or download them."""
    if archive is not None and download is not None:
        raise CliError("--archive and --download are two ways to save the files; choose one")
    wanted: Query = {
        "workId": work_id_of(shard) if shard else None,
        "class": file_class.value if file_class else None,
        "failed": "true" if failed else None,
        "case": test,
    }
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        if archive is not None:
            view = _save_archive(session, run, wanted, archive)
            if as_json:
                session.emit(view)
            return
        files: list[ArtifactView] = []
        dropped: list[str] = []
        for page in _pages(session, run, wanted):
            if download:
                _download(session, page, download)
            files += page.items
            dropped += page.dropped
        if as_json:
            session.emit(ArtifactPage(items=tuple(files), dropped=tuple(dropped)))
            return
        rows = [
            (file.work_id, file.path, str(file.size), file.file_class.value, _tests(file)) for file in files
        ]
        print_table(session, ("shard", "path", "bytes", "class", "test"), rows, none="no artifacts")
        for sentence in dropped:
            session.note(f"not kept: {sentence}")


def _pages(session: Session, run: str, wanted: Query) -> Iterator[ArtifactPage]:
    cursor: str | None = None
    while True:
        page = session.client.artifacts(run, {**wanted, "limit": _PAGE, "cursor": cursor})
        yield page
        cursor = page.next_cursor
        if not cursor:
            return


def _tests(file: ArtifactView) -> str:
    if not file.cases:
        return ""
    more = f" and {len(file.cases) - 1} more" if len(file.cases) > 1 else ""
    return f"{file.cases[0].status.value}: {file.cases[0].name}{more}"


def _save_archive(session: Session, run: str, wanted: Query, target: Path) -> ArchiveView:
    """Wait until it is built, and save it."""
    view = session.client.archive(run, wanted)
    if view.state is ArchiveState.BUILDING:
        session.note(f"{view.files} files are being packed")
    for _ in range(_ASK_AT_MOST):
        if view.state is not ArchiveState.BUILDING:
            break
        session.surroundings.sleep(_ASK_AGAIN_SECONDS)
        view = session.client.archive(run, wanted)
    else:
        raise CliError("the archive is still being built", hint="Ask for it again later.")
    if view.url is None:
        raise CliError(f"the archive was not built: {view.reason}")
    target.parent.mkdir(parents=True, exist_ok=True)
    size = session.client.download(view.url, target)
    session.note(f"{target} ({view.files} files, {size} bytes)")
    for name in view.missing:
        session.note(f"not in it, for it has expired: {name}")
    return view


def _download(session: Session, page: ArtifactPage, folder: Path) -> None:
    """Links last some minutes only, so each page is fetched before the next is asked for."""
    for file in page.items:
        target = inside(folder, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = session.client.download(file.url, target)
        session.note(f"{target} ({size} bytes)")


def inside(folder: Path, file: ArtifactView) -> Path:
    """Where a file is saved. Its path was chosen by a test: one that leads out of the folder raises CliError."""
    root = (folder / file.work_id).resolve()
    target = (root / file.path).resolve()
    if not root.is_relative_to(folder.resolve()) or root not in target.parents:
        raise CliError(f"artifact {file.path!r} of {file.work_id} leads out of {folder}; it is not saved")
    return target
