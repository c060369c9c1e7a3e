"""`crosswind up`, `down`, `status`, `reset`, `doctor`, and the embedded cloud's logs.

What they run is imported when they run: it needs packages of the extra `local`, which the rest of the CLI does without.
"""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from crosswind.cli.errors import ExitStatus
from crosswind.cli.extras import local_extra
from crosswind.cli.session import JsonOption, show
from crosswind.local.home import Home

if TYPE_CHECKING:
    from crosswind.local.cloud import EmbeddedCloud

# ruff: noqa: PLC0415  # see above


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(reset)
    app.command()(doctor)


def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the local endpoint. [default: 8080]")
    ] = None,
    emulator_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the AWS emulator. [default: 4566]")
    ] = None,
    toxiproxy_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of Toxiproxy, where it is installed. [default: 8474, or a free one]"
        ),
    ] = None,
    runners: Annotated[
        int | None, typer.Option(min=0, max=64, help="Local runners. [default: cores]")
    ] = None,
    iam: Annotated[
        bool | None, typer.Option("--iam/--no-iam", help="Enforce IAM in the emulator, over TLS.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the embedded cloud, or what is missing of it, and deploy what has changed."""
    with local_extra():
        from crosswind.local.cloud import UpOptions
        from crosswind.local.issuer import USERS
    started = time.monotonic()
    home = Home.default()
    options = UpOptions(
        port=port,
        emulator_port=emulator_port,
        toxiproxy_port=toxiproxy_port,
        runners=runners,
        iam_enforced=iam,
    )
    state = _cloud().up(options)
    seconds = time.monotonic() - started
    users = home.issuer / "users.json"
    if as_json:
        _print_json(
            {
                "endpoint": state.endpoint,
                "emulatorUrl": state.emulator_url,
                "toxiproxyUrl": state.toxiproxy_url,
                "home": str(home.path),
                "users": sorted(USERS),
                "usersFile": str(users),
                "seconds": round(seconds, 2),
            }
        )
        return
    out = Console()
    show(out, f"Crosswind is up at {state.endpoint} ({seconds:.1f} s)")
    show(out, f"local users: {', '.join(sorted(USERS))}; their passwords are in {users}")
    show(out, "sign in with: crosswind login --user editor")


def down(as_json: JsonOption = False) -> None:
    """Stop the embedded cloud. Its tables, objects and queues stay for the next `up`."""
    stopped = _cloud().down()
    if as_json:
        _print_json({"stopped": stopped})
    else:
        show(Console(), f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def status(as_json: JsonOption = False) -> None:
    """Show each part of the embedded cloud. Exit status 2 when one of them is not well."""
    with local_extra():
        from crosswind.local.status import inspect
    parts = inspect(Home.default())
    well = bool(parts) and all(part.healthy for part in parts)
    if as_json:
        _print_json({"healthy": well, "parts": [asdict(part) for part in parts]})
    elif not parts:
        show(Console(), "nothing was started here yet; `crosswind up` starts it")
    else:
        table = Table("part", "", "detail", "pid", "port", box=None)
        for part in parts:
            mark = "ok" if part.healthy else "NOT OK"
            table.add_row(part.name, mark, part.detail, _text(part.pid), _text(part.port))
        Console().print(table)
    raise typer.Exit(ExitStatus.OK if well else ExitStatus.TROUBLE)


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, as_json: JsonOption = False
) -> None:
    """Stop the embedded cloud and delete everything that it holds."""
    home = Home.default()
    if not yes:
        typer.confirm(f"Delete {home.path} with every run, result and user in it?", abort=True, err=True)
    _cloud().reset()
    if as_json:
        _print_json({"deleted": str(home.path)})
    else:
        show(Console(), f"deleted {home.path}")


def doctor(
    aws: Annotated[
        bool, typer.Option("--aws", help="Check the AWS account of a deployment instead of this machine.")
    ] = False,
    region: Annotated[
        str | None, typer.Option(help="With --aws: the deployment's. [default: AWS's own configuration]")
    ] = None,
    stage: Annotated[
        str, typer.Option(help="With --aws: the deployment's, whose subnets are read.")
    ] = "prod",
    slots: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="With --aws: shards that are to run at once. [default: the stage's]"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check what this machine, or an AWS account, lacks. Exit status 2 when something needed is missing."""
    if aws:
        from crosswind.cli.account_doctor import examine_account

        examine_account(region=region, stage=stage, slots=slots, as_json=as_json)
        return
    with local_extra():
        from crosswind.local.doctor import examine
    findings = examine(Home.default())
    missing = [finding for finding in findings if finding.required and not finding.ok]
    if as_json:
        _print_json({"ready": not missing, "findings": [asdict(finding) for finding in findings]})
    else:
        table = Table("check", "", "found", "what to do", box=None)
        for finding in findings:
            mark = "ok" if finding.ok else "MISSING" if finding.required else "advice"
            table.add_row(finding.name, mark, finding.detail, "" if finding.ok else finding.remedy)
        Console().print(table)
    raise typer.Exit(ExitStatus.TROUBLE if missing else ExitStatus.OK)


def print_cloud_logs(*, follow: bool, component: str | None = None, as_json: bool = False) -> None:
    """Print the logs of the embedded cloud's processes, or of one component."""
    with local_extra():
        from crosswind.local.logs import read_logs
    out = Console()
    for line in read_logs(Home.default(), component=component, follow=follow):
        if as_json:
            print(json.dumps(asdict(line)), flush=True)
        else:
            show(out, f"{line.component}  {line.text}")


def _cloud() -> "EmbeddedCloud":
    with local_extra():
        from crosswind.local.cloud import EmbeddedCloud, elapsed_reporter
    err = Console(stderr=True)
    return EmbeddedCloud(Home.default(), elapsed_reporter(lambda text: show(err, text)))


def _print_json(document: dict[str, object]) -> None:
    print(json.dumps(document, indent=2))


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
