"""The `crosswind` command."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from crosswind import __version__
from crosswind.cli import (
    account,
    artifacts,
    chaos,
    clusters,
    demo,
    flaky,
    frameworks,
    local,
    quarantine,
    queue,
    runs,
    schedules,
    suites,
    triggers,
)
from crosswind.cli.costs import cost
from crosswind.cli.errors import ApiError, CliError, ExitStatus, describe_fault
from crosswind.cli.planning import plan
from crosswind.cli.pods import pods
from crosswind.cli.rerunning import rerun
from crosswind.cli.session import show
from crosswind.cli.simulating import simulate
from crosswind.cli.submitting import run
from crosswind.cli.validating import validate
from crosswind.cli.why import why
from crosswind.contracts.problems import FieldProblem
from crosswind.kernel.errors import CrosswindError, FieldError, InvalidInputError


class Commands(TyperGroup):
    """Turns errors into one line each and an exit status; nothing that a user meets is a stack trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (CliError, CrosswindError) as error:
            report(error)
            raise typer.Exit(ExitStatus.TROUBLE) from error
        except (KeyboardInterrupt, typer.Abort):
            raise typer.Exit(ExitStatus.INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Crosswind: run test suites on AWS or in the embedded cloud. "
    "Exit status: 0 passed, 1 tests failed (failed, inconclusive, skipped), 2 infrastructure or usage, "
    "130 interrupted.",
)


def _print_version(value: bool) -> None:
    if value:
        show(Console(), f"crosswind {__version__}")
        raise typer.Exit(ExitStatus.OK)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the command itself; its help is the app's."""


app.command()(run)
app.command()(runs.get)
app.command("list")(runs.list_runs)
app.command()(runs.watch)
app.command()(runs.logs)
app.command()(runs.results)
app.command()(artifacts.artifacts)
app.command()(runs.cancel)
app.command()(rerun)
app.command()(why)
app.command()(pods)
app.command()(cost)
app.command()(queue.pause)
app.command()(queue.resume)
app.add_typer(queue.app, name="queue")
app.command()(validate)
app.command()(plan)
app.command()(simulate)
app.add_typer(suites.app, name="suites")
app.add_typer(frameworks.app, name="frameworks")
app.add_typer(clusters.app, name="clusters")
app.add_typer(schedules.app, name="schedule")
app.add_typer(triggers.app, name="trigger")
app.command()(triggers.deployed)
app.command()(flaky.flaky)
app.command()(flaky.history)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(chaos.app, name="chaos")
account.register(app)
local.register(app)
app.command("demo")(demo.demo)


def report(error: Exception) -> None:
    """Print an error, its field faults and what to do about it, on stderr."""
    console = Console(stderr=True)
    show(console, f"error: {error}")
    faults: Sequence[FieldProblem | FieldError] = ()
    if isinstance(error, ApiError):
        faults = error.problem.errors or ()
    elif isinstance(error, InvalidInputError):
        faults = error.errors
    for fault in faults:
        show(console, f"  {describe_fault(fault)}")
    if isinstance(error, CliError) and error.hint:
        show(console, error.hint)


def main() -> None:
    """Entry point of the console script."""
    app()
