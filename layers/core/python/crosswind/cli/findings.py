"""How the checks of clusters and accounts are shown."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

import typer
from rich.table import Table

from crosswind.cli.errors import ExitStatus
from crosswind.cli.session import Output
from crosswind.runs.clusters.examination.ports import Finding


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> NoReturn:
    """Print them, and end: with status 2 where something must be mended."""
    missing = [each for each in findings if each.required and not each.ok]
    output = Output(as_json=as_json)
    if as_json:
        output.emit({"ready": not missing, "findings": [asdict(each) for each in findings]})
    else:
        table = Table("check", "", "found", "what to do", box=None)
        for each in findings:
            mark = "ok" if each.ok else "MISSING" if each.required else "advice"
            table.add_row(each.check, mark, each.detail, "" if each.ok else each.fix)
        output.out.print(table)
    raise typer.Exit(ExitStatus.TROUBLE if missing else ExitStatus.OK)
