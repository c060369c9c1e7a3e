"""The console script. `crosswind report` starts without what talks to an API: it is called for every file of a CI job."""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["report"]:
        from crosswind.cli.report import main as report  # noqa: PLC0415  # the other import costs half a second

        try:
            sys.exit(report(sys.argv[2:]))
        except BrokenPipeError:  # whoever reads has seen enough
            sys.stdout = None  # nothing is to be flushed at the end
            sys.exit(1)
    from crosswind.cli.main import main as everything  # noqa: PLC0415

    everything()
