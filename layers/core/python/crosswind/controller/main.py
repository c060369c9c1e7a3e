"""`crosswind-controller`: one process in a cluster. Its environment is ControllerSettings; docs/controller.md says how it is installed.

There is one of it. Two at once would do everything twice, to the same end: every call may be repeated.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import kopf

from crosswind import __version__
from crosswind.controller import logs
from crosswind.controller.api import Api
from crosswind.controller.handlers import Controller, handlers
from crosswind.controller.settings import ControllerSettings
from crosswind.controller.views import RunViews
from crosswind.controller.watching import Attending, own_api_server
from crosswind.kernel.errors import CrosswindError
from crosswind.settings import SettingsError

_EXIT_USAGE = 2
_EXIT_BROKE = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal. Returns 0 after a clean stop, 1 where it could not go on, 2 for a wrong environment."""
    _read_arguments(argv)
    try:
        settings = ControllerSettings.from_env()
    except SettingsError as error:
        sys.stderr.write(f"crosswind-controller: {error}\n")
        return _EXIT_USAGE
    logs.configure(settings.log_level)
    attending = Attending()
    try:
        if settings.cluster is not None:
            attending.start(settings.cluster, own_api_server())
    except (SettingsError, CrosswindError) as error:
        sys.stderr.write(f"crosswind-controller: {error}\n")
        return _EXIT_USAGE
    asyncio.run(_run(settings))
    attending.stop.set()
    return _EXIT_BROKE if attending.broke else 0


async def _run(settings: ControllerSettings) -> None:
    api = Api(settings.endpoint, settings.bearer)
    await kopf.operator(
        registry=handlers(),
        memo=Controller(api, RunViews(api)),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        liveness_endpoint=f"http://{settings.health_address}/healthz",
    )


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="crosswind-controller",
        description="Look after Crosswind's objects of a cluster until a signal. It is told by its environment; "
        "docs/controller.md says what.",
    )
    parser.add_argument("--version", action="version", version=f"crosswind-controller {__version__}")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
