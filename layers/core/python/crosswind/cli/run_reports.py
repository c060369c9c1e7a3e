"""Saving a run's report: `crosswind results RUN --report FORMAT`."""

import tempfile
from pathlib import Path
from urllib.parse import quote

from crosswind.cli.errors import CliError
from crosswind.cli.session import Session
from crosswind.contracts.requests import ReportFormat, RunReportLink

STDOUT = Path("-")


def save_report(
    session: Session, run: str, form: ReportFormat, output: Path | None, *, as_json: bool
) -> None:
    """Have the report written, and fetch it into a file, or to stdout where the file is called `-`."""
    path = f"/api/v1/tests/{quote(run, safe='')}/report"
    link = session.client.read(path, RunReportLink, {"format": form.value})
    if output == STDOUT:
        if as_json:
            raise CliError("--output - and --json both write to stdout", hint="Give --output a file.")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / link.file_name
            session.client.download(link.url, file)
            session.write(file.read_text("utf-8"))
        return
    target = output or Path(f"{run}-{link.file_name}")
    size = session.client.download(link.url, target)
    if as_json:
        session.emit({"run": run, "format": form.value, "file": str(target), "bytes": size})
        return
    session.say(f"saved  {target}  {size} bytes")
    if not link.complete:
        session.note("the run is going on; this is what there is so far")
