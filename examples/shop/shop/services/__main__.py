"""`python -m shop.services NAME` runs one service until SIGTERM."""

import importlib
import sys

from shop.environment import Settings
from shop.services.names import SERVICES
from shop.services.running import run


def main() -> None:
    """Build the named service from its module, and run it."""
    if len(sys.argv) != 2 or sys.argv[1] not in SERVICES:  # noqa: PLR2004  # the program and one word
        sys.exit(f"usage: python -m shop.services {'|'.join(SERVICES)}")
    name = sys.argv[1]
    try:
        settings = Settings.from_env()
    except ValueError as error:
        sys.exit(str(error))
    run(importlib.import_module(f"shop.services.{name}").build(settings), settings)


if __name__ == "__main__":
    main()
