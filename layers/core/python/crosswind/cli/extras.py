"""What an installation may lack. `crosswind[cli]` talks to any endpoint; the embedded cloud needs the extra `local`."""

from collections.abc import Iterator
from contextlib import contextmanager

from crosswind.cli.errors import CliError


@contextmanager
def local_extra() -> Iterator[None]:
    """Import here what only the extra `local` brings. Raises CliError where a package of it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "crosswind"}:
            raise
        raise CliError(
            f"the embedded cloud needs {package}, which is not installed",
            hint="It comes with the extra `local`: pip install 'crosswind[cli,local]'",
        ) from error
